"""Signals that ask a program to stop: what they do to a command, and to a training that saves first."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""Ctrl-C; kill and batch systems; a terminal that is closed; warnings of batch systems before the time is over."""


@contextlib.contextmanager
def handle_signals(handler: Handler) -> Iterator[None]:
    """Let the signals call the handler while the block runs.

    A hang-up that is ignored, as under nohup, stays so. Only the main thread may: in others nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    for name in NAMES:
        number = getattr(signal, name, None)  # not every system has all
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue
        before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier if earlier is not None else signal.SIG_DFL)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Stop like Ctrl-C: what was begun is cleared away on the way out."""
    raise KeyboardInterrupt
