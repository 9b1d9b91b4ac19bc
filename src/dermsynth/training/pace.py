"""The pace of a training: whether it is much slower than usual, within one step or over many."""

from collections import deque

STALLED = 5.0
"""A training counts as stalled when it is slower than usual by this factor ..."""
LONG = 20.0
"""... for at least this many seconds."""
LEAST, REMEMBERED = 8, 64
"""Steps before the usual pace is known, and number of last steps whose median it is."""


class Pace:
    """Durations of steps, in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._usual: deque[float] = deque(maxlen=REMEMBERED)
        self._began: float | None = None
        self._images = 0
        self._slow_seconds = 0.0
        self._slow_images = 0

    @property
    def usual(self) -> float | None:
        """Median images a second of the last steps; None in the first steps."""
        if len(self._usual) < LEAST:
            return None
        return 1 / sorted(self._usual)[len(self._usual) // 2]

    def begin(self, now: float, images: int) -> None:
        """A step on `images` images begins."""
        self._began, self._images = now, images

    def end(self, now: float) -> None:
        """The step has ended."""
        seconds, images = now - (self._began if self._began is not None else now), self._images
        self._began = None
        usual = self.usual
        if usual is not None and images / max(seconds, 1e-9) * STALLED < usual:
            self._slow_seconds += seconds
            self._slow_images += images
        else:
            self._slow_seconds, self._slow_images = 0.0, 0
        self._usual.append(seconds / max(images, 1))

    def stalled_rate(self, now: float) -> float | None:
        """An upper bound of the images a second, if they have been far fewer than usual for some time; else None."""
        usual = self.usual
        if usual is None:
            return None
        began = self._began
        running = 0.0 if began is None else now - began
        if running * usual < STALLED * self._images:  # this step may still be an ordinary one
            running = 0.0
        seconds = self._slow_seconds + running
        if seconds < LONG:
            return None
        return (self._slow_images + (self._images if running else 0)) / seconds
