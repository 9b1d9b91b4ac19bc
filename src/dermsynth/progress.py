"""Progress, rate and time left on everything that takes more than a moment."""

import sys
from collections.abc import Iterable
from typing import NoReturn, TypeVar

from tqdm import tqdm

T = TypeVar("T")


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
