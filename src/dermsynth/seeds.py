"""Seeds for libraries that take fewer than this one."""

import numpy as np

LARGEST = 2**32 - 1


def sklearn_seed(seed: int) -> int:
    """A seed that scikit-learn takes (below 2^32): the same number where it does, otherwise one that is mixed from it."""
    return seed if seed <= LARGEST else int(np.random.SeedSequence(seed).generate_state(1)[0])
