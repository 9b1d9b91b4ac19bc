"""Pages about runs and synthetic sets."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeGuard

from dermsynth.api.places import open_named
from dermsynth.data.dataset import Data, DataSet, is_data_set
from dermsynth.errors import require_path
from dermsynth.report.gallery import write_gallery
from dermsynth.report.run_report import write_run_report
from dermsynth.sampling.contact_sheets import contact_sheets, run_images
from dermsynth.sampling.generator import Trained, load_generator, run_of
from dermsynth.training.pretrained import require_log
from dermsynth.values import as_tuple


class Page(NamedTuple):
    """A page that was written: its file, whether photographs are on it, the bytes of its pictures, and its synthetic sets."""

    path: Path
    photographs: bool
    size: int = 0
    sets: int = 0


def report(
    run: Trained,
    *,
    page: Path | str | None = None,
    data: Data | None = None,
    evaluations: Data | Sequence[Data] = (),
    photographs: bool = True,
) -> Path:
    """Write the report of a run: one HTML file with settings, curves, samples over time and metrics.

    Parameters
    ----------
    run : Generator, Checkpoint, Path or str
        The run.
    page : Path, str or None
        The HTML file; by default ``report.html`` in the run.
    data : DataSet, Path, str or None
        The data set that the run was trained on, if it was moved.
    evaluations : DataSet, Path, str, or sequence of them
        Synthetic sets of the run that were evaluated, or folders that `evaluate` wrote.
    photographs : bool
        Whether the page shows training images, and what was made of single ones.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UserError
        The folder is no run, nothing was saved yet, or `data` is another set.

    Examples
    --------
    >>> import dermsynth as ds
    >>> ds.report("run", page="report.html", photographs=False).name
    'report.html'
    """
    return write_report(run, page=page, data=data, evaluations=evaluations, photographs=photographs).path


def write_report(
    run: Trained, *, page: Path | str | None, data: Data | None, evaluations: Data | Sequence[Data], photographs: bool
) -> Page:
    """The report of a run, as `report` writes it, and whether photographs are in it."""
    folder = require_log(run_of(run, "run"))
    path = folder / "report.html" if page is None else require_path(page, "page")
    several: tuple[Data, ...] = (evaluations,) if isinstance(evaluations, DataSet) else as_tuple(evaluations)
    places = [place.folder if isinstance(place, DataSet) else require_path(place, "evaluations") for place in several]
    moved = None if data is None else open_named(data, "data").folder
    generator = load_generator(folder)
    images = run_images(generator, data=moved, photographs=photographs)
    return Page(path, write_run_report(generator, images, path, evaluations=places, photographs=photographs))


def gallery(
    runs: Trained | DataSet | Sequence[Trained | DataSet], *, out: Path | str, inputs: Data | Sequence[Data] = ()
) -> Path:
    """Write contact sheets of several runs and synthetic sets as small JPEGs, and a Markdown page that shows them.

    Parameters
    ----------
    runs : Generator, Checkpoint, DataSet, Path, str, or sequence of them
        The runs and synthetic sets.
    out : Path or str
        Folder for the page and the pictures.
    inputs : DataSet, Path, str, or sequence of them
        Data sets for families that make images from images; without them photographs they were trained on are shown.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UserError
        A folder is no run, two runs have one name, or the images that a run needs are gone.

    Examples
    --------
    >>> import dermsynth as ds
    >>> ds.gallery("run", out="gallery").name
    'README.md'
    """
    return write_sheets(runs, out=out, inputs=inputs).path


def write_sheets(
    runs: Trained | DataSet | Sequence[Trained | DataSet], *, out: Path | str, inputs: Data | Sequence[Data]
) -> Page:
    """The gallery, as `gallery` writes it, whether photographs are on it, and the bytes of its pictures."""
    several: tuple[Trained | DataSet, ...] = (runs,) if isinstance(runs, DataSet) else as_tuple(runs)
    sources: tuple[Data, ...] = (inputs,) if isinstance(inputs, DataSet) else as_tuple(inputs)
    folder = require_path(out, "out")
    sets = [open_named(place, "runs") for place in several if _is_set(place)]
    trained = [run_of(place, "runs") for place in several if not isinstance(place, DataSet) and not _is_set(place)]
    sheets = contact_sheets(trained, [open_named(data, "inputs") for data in sources])
    size, photographs = write_gallery(sheets, folder, foreign=bool(sources), sets=sets)
    return Page(folder / "README.md", photographs, size, len(sets))


def _is_set(place: object) -> TypeGuard[Data]:
    return isinstance(place, DataSet) or (isinstance(place, str | Path) and is_data_set(Path(place)))
