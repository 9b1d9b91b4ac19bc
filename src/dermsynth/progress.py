"""Progress, rate and time left on everything that takes more than a moment."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from tqdm import tqdm

S = TypeVar("S")
T = TypeVar("T")


def over_cores(
    work: Callable[[Sequence[S], int], list[T]], items: Sequence[S], *, chunk: int, jobs: int, label: str
) -> list[T]:
    """What `work` makes of consecutive chunks of items and the number of each one's first, in order, over all cores."""
    from joblib import Parallel, delayed  # slow to import, and many commands need no cores

    tasks = (delayed(work)(items[start : start + chunk], start) for start in range(0, len(items), chunk))
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    bar = progress_bar(done, total=-(-len(items) // chunk), label=label, unit=f"x{chunk} img")
    return [one for part in bar for one in part]


def progress_bar(items: Iterable[T], *, total: int, label: str, unit: str) -> "tqdm[T]":
    """Wrap an iterable: done, rate and time left on the terminal; a line every four seconds in a log file."""
    terminal = sys.stderr.isatty()
    return tqdm(
        items, total=total, desc=label, unit=unit, mininterval=0.2 if terminal else 4, delay=2, dynamic_ncols=terminal
    )


def counting_bar(*, total: int, initial: int, unit: str) -> "tqdm[NoReturn]":
    """A bar for a loop that counts for itself: `update(n)` after each step, `close()` at the end.

    A line every half minute in a log file.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total, initial=initial, unit=unit, unit_scale=True, smoothing=0.05, dynamic_ncols=terminal,
        mininterval=0.5 if terminal else 30,
    )  # fmt: skip
