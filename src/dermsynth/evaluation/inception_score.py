"""Inception score (Salimans et al. 2016) from class probabilities."""

import numpy as np
from numpy.typing import NDArray


def inception_score(probabilities: NDArray[np.floating]) -> float:
    """exp(E_x KL(p(y | x) || p(y))) of rows [n, classes] that sum to 1 (section 4): between 1 and the number of classes.

    It knows no real images: it rises with sure and varied predictions, whatever the images are.
    """
    p = np.clip(np.asarray(probabilities, np.float64), 1e-16, None)
    divergence = (p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1)
    return float(np.exp(divergence.mean()))
