"""Equal on the kind of machine that the fixture was made on, within a tolerance elsewhere.

On the same kind of machine images, digests, numbers of things and words are equal bit for bit; a figure is equal within
`ROUNDING`. A figure comes out of LAPACK and BLAS (eigenvalues, singular values, solvers), which add in an order that depends
on where in memory an array lies and on how threads are scheduled: a Fréchet distance has been seen to differ by 2e-15 of its
value between two machines with one processor's name. An order of magnitude or two more is lost where such a figure is a
difference of larger ones. A change of a method, of a seed, of a threshold or of one image of a hundred changes a figure by
far more than a billionth.
"""

import hashlib
import math
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "scikit-image", "opencv-contrib-python-headless")
INSTRUCTIONS = ("avx", "amx", "fma", "f16c")
DIGEST = "digest"
"""Key of a SHA-256 that holds on the same machine only; beside it stand statistics for others."""


class Tolerance(NamedTuple):
    """Of numbers: absolute plus relative. Of images: mean difference in grey levels.

    So large a share of a result's values may lie outside: a rounding can change a rank, a tie or a side of a threshold.
    """

    absolute: float = 1e-3
    relative: float = 1e-2
    share: float = 0.05
    grey_levels: float = 0.5


TOLERANCE = Tolerance()
ROUNDING = Tolerance(absolute=1e-12, relative=1e-9, share=0, grey_levels=0)
"""Of figures on the same kind of machine; images are equal there."""


def machine() -> dict[str, Any]:
    """What the last bits of a number depend on."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    capability = torch.backends.cpu.get_cpu_capability()
    return {**versions, "capability": capability, "processor": _cpu("model name"), "instructions": _instructions()}


def _cpu(field: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(values, platform.processor())


def _instructions() -> str:
    """Extensions that the libraries choose their code by, and what forbids them some."""
    flags = sorted(flag for flag in _cpu("flags").split() if flag.startswith(INSTRUCTIONS))
    limits = [
        f"{name}={os.environ[name]}" for name in ("ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE") if name in os.environ
    ]
    return " ".join([*flags, *limits])


class Rule(NamedTuple):
    """How results are compared on this machine, and why."""

    exact: bool
    reason: str


def rule(fixture: dict[str, Any]) -> Rule:
    """Exact where the machine is of the kind that made the fixture."""
    here = machine()
    other = [f"{key} {fixture[key]!r}, here {here[key]!r}" for key in fixture if fixture[key] != here[key]]
    if not other:
        return Rule(True, "same processor, same versions: figures within rounding, all else bit for bit")
    return Rule(False, f"within {TOLERANCE}: the fixture was made with {'; '.join(other)}")


def digest(*arrays: NDArray[np.generic]) -> str:
    """SHA-256 of type, shape and content."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def summary(*arrays: NDArray[np.generic]) -> dict[str, Any]:
    """A digest, and what can be compared within a tolerance: means, and the root of the mean square."""
    values = [array.astype(np.float64) for array in arrays]
    means = [float(value.mean()) for value in values]
    return {DIGEST: digest(*arrays), "mean": means, "rms": [float(np.sqrt((value**2).mean())) for value in values]}


def differences(expected: Any, found: Any, *, exact: bool) -> list[str]:
    """What of a result differs, one line each; empty where it is unchanged."""
    before, after = dict(_leaves(expected)), dict(_leaves(found))
    names = [
        f"{name}: only in the {'fixture' if name in before else 'result'}" for name in before.keys() ^ after.keys()
    ]
    both = [name for name in before if name in after]
    lines = [f"{name}: {before[name]!r} -> {after[name]!r}" for name in both if not _same(before, after, name, exact)]
    return sorted(names) + (lines if len(lines) > _tolerance(exact).share * len(both) else [])


def _tolerance(exact: bool) -> Tolerance:
    return ROUNDING if exact else TOLERANCE


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, f"{name}/{key}")
    else:
        yield name, value


def _same(before: dict[str, Any], after: dict[str, Any], name: str, exact: bool) -> bool:
    a, b = before[name], after[name]
    if a == b or (not exact and name.endswith(f"/{DIGEST}")):
        return True
    number = float if exact else int | float
    if not (isinstance(a, number) and isinstance(b, number)):
        return False
    allowed = _tolerance(exact)
    return math.isclose(a, b, rel_tol=allowed.relative, abs_tol=allowed.absolute)


def image_differences(expected: NDArray[np.uint8], found: NDArray[np.uint8], *, exact: bool) -> str:
    """How images differ, or nothing."""
    if expected.shape != found.shape:
        return f"shape {expected.shape} -> {found.shape}"
    grey_levels = float(np.abs(expected.astype(float) - found).mean())
    allowed = _tolerance(exact).grey_levels
    return "" if grey_levels <= allowed else f"{grey_levels:.4g} grey levels on average, at most {allowed} allowed"
