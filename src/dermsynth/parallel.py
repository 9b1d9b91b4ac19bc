"""One function over many items: on the cores of this machine, or on the workers of a Dask cluster."""

import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dermsynth.errors import UserError, require_whole
from dermsynth.progress import progress_bar

S = TypeVar("S")
T = TypeVar("T")
ALL_CORES = -1
CONNECT_SECONDS = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Parameters
    ----------
    jobs
        How many items, or chunks of them, are computed at once; -1 for as many as there are cores.
    scheduler
        Address of a Dask scheduler, such as `tcp://host:8786`; empty for processes on this machine. Its workers must see
        the same files under the same paths.
    """

    jobs: int = ALL_CORES
    scheduler: str = ""


_workers = Workers()


def use_workers(jobs: int | None = None, scheduler: str = "") -> None:
    """Set who computes in `parallel_map`, for this process from now on.

    Parameters
    ----------
    jobs : int or None
        At least 1, or -1 (also None) for as many as there are cores.
    scheduler : str
        Address of a Dask scheduler, or nothing.

    Raises
    ------
    UserError
        For another number, an address without a scheduler, or where Dask is not installed.

    Examples
    --------
    >>> import dermsynth as ds
    >>> ds.use_workers(1)
    """
    global _workers
    jobs = _checked_jobs(ALL_CORES if jobs is None else jobs)
    if scheduler:
        with _dask_client(scheduler) as client:
            _log.info(f"{scheduler}: {len(client.ncores())} workers with {sum(client.ncores().values())} cores")
    _workers = Workers(jobs, scheduler)


def _checked_jobs(jobs: int) -> int:
    number = require_whole(jobs, "jobs", ALL_CORES)
    if number == 0:
        raise UserError("`jobs` 0: must be at least 1, or -1 for as many as there are cores")
    return number


def thread_count(jobs: int | None, most: int) -> int:
    """How many threads of this process read files at once: `jobs`, or what `use_workers` set, and at most `most`.

    Raises UserError for a number below 1 other than -1.
    """
    jobs = _checked_jobs(_workers.jobs if jobs is None else jobs)
    return min(most, (os.cpu_count() or 1) if jobs == ALL_CORES else jobs)


@contextlib.contextmanager
def workers(jobs: int | None = None, scheduler: str = "") -> Iterator[None]:
    """Let `parallel_map` compute with other workers while the block runs; arguments and errors as of `use_workers`."""
    global _workers
    before = _workers
    use_workers(jobs, scheduler)
    try:
        yield
    finally:
        _workers = before


def parallel_map(
    function: Callable[[S], T],
    items: Sequence[S],
    *,
    label: str = "",
    unit: str = "img",
    jobs: int | None = None,
    chunk: int = 1,
    few: int = 0,
) -> list[T]:
    """The function of every item, in the order of the items.

    Parameters
    ----------
    function
        Must be importable by name, or a partial of such a function; items and results travel between processes.
    items
        What it is applied to.
    label, unit
        Words of the progress bar: what is done, and to what; without a label there is no bar.
    jobs
        How many at once, at least 1, or -1 for as many as there are cores; None for what `use_workers` set. 1 computes in this
        process, unless it is `use_workers` that set it, with a scheduler: then its workers compute one chunk after the other.
    chunk
        Items that travel together: more of them where one takes little time.
    few
        Up to so many items are computed in this process, which is sooner done than others are started.

    Returns
    -------
    One result an item.

    Raises
    ------
    UserError
        For a number of jobs below 1 other than -1.

    Examples
    --------
    >>> parallel_map(abs, [-1, 2, -3], label="example", jobs=1)
    [1, 2, 3]
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    scheduler = "" if jobs == 1 else _workers.scheduler
    jobs = _checked_jobs(_workers.jobs if jobs is None else jobs)
    if not scheduler and len(items) <= few:
        jobs = 1
    apply = _apply if jobs == 1 and not scheduler else _apply_beside_others
    results: Iterable[list[T]] = _compute(partial(apply, function), chunks, jobs, scheduler)
    if label:
        unit = unit if chunk == 1 else f"x{chunk} {unit}"
        results = progress_bar(results, total=len(chunks), label=label, unit=unit)
    return list(itertools.chain.from_iterable(results))


def _apply(function: Callable[[S], T], chunk: Sequence[S]) -> list[T]:
    return [function(item) for item in chunk]


def _apply_beside_others(function: Callable[[S], T], chunk: Sequence[S]) -> list[T]:
    """The function of every item of a chunk; OpenCV computes with one thread meanwhile, for there are other workers."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _apply(function, chunk)
    finally:
        cv2.setNumThreads(threads)


def _compute(
    function: Callable[[Sequence[S]], list[T]], chunks: Sequence[Sequence[S]], jobs: int, scheduler: str
) -> Iterator[list[T]]:
    from joblib import Parallel, delayed, parallel_config  # slow to import, and many commands need no workers

    tasks = (delayed(function)(chunk) for chunk in chunks)
    if not scheduler:
        yield from Parallel(n_jobs=jobs, return_as="generator")(tasks)
        return
    with _dask_client(scheduler) as client, parallel_config(backend="dask", client=client):
        at_once = "all" if jobs == ALL_CORES else jobs  # Dask's backend has no other bound
        yield from Parallel(n_jobs=ALL_CORES, return_as="generator", batch_size=1, pre_dispatch=at_once)(tasks)


@contextlib.contextmanager
def _dask_client(address: str) -> Iterator[Any]:
    """A connection to a Dask scheduler."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(
            f"`scheduler` {address}: Dask is not installed; install it with: pip install 'dermsynth[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"`scheduler` {address}: no scheduler answers there ({reason})") from error
    with client:
        yield client
