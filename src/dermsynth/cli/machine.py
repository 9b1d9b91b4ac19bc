"""Options about the machine that several verbs share: threads, and where decoded images lie."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """How this machine is used."""

    threads: int | None = None
    """Threads that compute; by default as many as a probe of a second finds fastest, or as the run was begun with."""
    cache: Path | None = None
    """Folder for decoded images; by default .cache in the data set, or ~/.cache/dermsynth where that cannot be written."""

    def prepare(self, *, run: Path | None = None, device: str = "auto") -> None:
        """Set both, and say which threads were chosen and why."""
        import sys

        from dermsynth.data.cache import use_cache
        from dermsynth.training.threads import use_threads

        use_cache(self.cache)
        print(f"  {use_threads(self.threads, run=run, device=device).text()}", file=sys.stderr)


MACHINE = Machine()
