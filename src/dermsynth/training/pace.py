"""Is a training as fast as it usually is? A stall is noticed while it lasts, within a step or over many."""

from collections import deque

STALLED = 5.0
"""Times slower than usual from which on a training counts as stalled ..."""
LONG = 20.0
"""... when it has lasted for so many seconds."""
LEAST, REMEMBERED = 8, 64
"""Steps before which nothing is usual, and steps of which the usual is the median."""


class Pace:
    """Durations of steps by the clock of the caller, in seconds."""

    def __init__(self) -> None:
        self._usual: deque[float] = deque(maxlen=REMEMBERED)
        self._began: float | None = None
        self._images = 0
        self._slow_seconds = 0.0
        self._slow_images = 0

    @property
    def usual(self) -> float | None:
        """Images a second, as the middle of what was seen; None in the first steps."""
        if len(self._usual) < LEAST:
            return None
        return 1 / sorted(self._usual)[len(self._usual) // 2]

    def begin(self, now: float, images: int) -> None:
        """A step of so many images begins."""
        self._began, self._images = now, images

    def end(self, now: float) -> None:
        """It has ended."""
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
        """Images a second at most, if for some time they have been far fewer than usual; else None."""
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
