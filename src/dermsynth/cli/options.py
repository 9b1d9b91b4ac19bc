"""Options that mean one thing for every verb, and how the machine is used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dermsynth.cli import places

Seed = Annotated[int, Parameter(help="Seed of the random numbers, at least 0: the same seed gives the same result.")]
Checkpoint = Annotated[str, Parameter(help="Which checkpoint of the run: last, best, or the number of images shown.")]
Device = Annotated[str, Parameter(help="What computes: auto, cpu, cuda (the first GPU) or cuda:1 (the second).")]
Resolution = Annotated[str, Parameter(help="Size in pixels: one number for squares, or WIDTHxHEIGHT.")]
Split = Annotated[str, Parameter(help="Which images are used: train, validation, test, or all.")]
Backbone = Annotated[
    str, Parameter(help="Backbone of a trained detector or regression: mobilenet=FILE or timm:NAME=FILE.")
]
Perceptual = Annotated[str, Parameter(help="A perceptual distance between images: lpips=FILE or mobilenet=FILE.")]
Photographs = Annotated[
    bool, Parameter(help="Whether the page shows photographs of the data set; --no-photographs leaves them out.")
]
Run = Annotated[Path, places.run(), Parameter(help="Folder of a run, as dermsynth train writes it.")]
DataFolder = Annotated[Path, places.data_set("data"), Parameter(help="Folder of a data set.")]
SetFolder = Annotated[Path, places.data_set("folder"), Parameter(help="Folder of a data set.")]
NewData = Annotated[Path, Parameter(help="New folder for the data set.")]
Annotations = Annotated[
    Path | None,
    Parameter(help="Folder in which dermsynth artefacts detect --out stored what it found in the data set."),
]
DirectionFile = Annotated[Path, Parameter(help="A directions.safetensors.")]
Several = Annotated[tuple[str, ...], Parameter(negative="")]
Folders = Annotated[tuple[Path, ...], Parameter(negative="")]
Switch = Annotated[bool, Parameter(negative="")]
Resizer = Literal["tensorflow", "antialiased"]


@Parameter(name="*")
@dataclass(frozen=True)
class ComparedSize:
    """The size at which both sides are compared."""

    resolution: str | None = None
    """Size in pixels to which both sides are brought: one number for squares, or WIDTHxHEIGHT; by default that of the first
    synthetic image."""
    crop: Literal["centre", "pad", "stretch"] | None = None
    """How images of other shapes come to that shape; by default as the generator's training images did, else centre."""


COMPARED_SIZE = ComparedSize()


@Parameter(name="*")
@dataclass(frozen=True)
class Workers:
    """Who works on the images of a data set."""

    jobs: int = -1
    """Images that are worked on side by side; -1 for one a core."""
    scheduler: str = ""
    """Address of a Dask scheduler, such as tcp://host:8786, whose workers do the work; they must see the same files."""

    def prepare(self) -> None:
        """Let them work from now on."""
        from dermsynth.parallel import use_workers

        use_workers(self.jobs, self.scheduler)


WORKERS = Workers()


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """How this machine is used."""

    threads: int | None = None
    """Threads that compute; by default those that a probe of a second finds fastest, or those the run was begun with."""
    cache: Path | None = None
    """Folder for decoded images and features; by default dermsynth in XDG_CACHE_HOME, or in ~/.cache."""
    workers: Workers = WORKERS
    """Who decodes images."""

    def prepare(self, *, run: Path | None = None, device: str = "auto") -> None:
        """Set both, and say which threads were chosen and why."""
        import sys

        from dermsynth.cache import use_cache
        from dermsynth.cli.flags import in_flags
        from dermsynth.training.distributed import keep_freed_memory
        from dermsynth.training.threads import use_threads

        keep_freed_memory()
        self.workers.prepare()
        use_cache(self.cache)
        threads = use_threads(self.threads, run=run, device=device)
        print(f"  {in_flags(threads.text())}", file=sys.stderr)


MACHINE = Machine()
