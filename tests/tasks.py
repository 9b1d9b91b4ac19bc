"""What worker processes are given to do: a worker imports nothing else than this file for it."""

import os


def square(number: int) -> int:
    return number * number


def process(_: int) -> int:
    """Number of the process that computes."""
    return os.getpid()
