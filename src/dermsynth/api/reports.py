"""Pages about runs."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.api.places import open_named
from dermsynth.data.dataset import Data, DataSet
from dermsynth.errors import require_path
from dermsynth.report.gallery import write_gallery
from dermsynth.report.run_report import write_run_report
from dermsynth.sampling.contact_sheets import contact_sheets, run_images
from dermsynth.sampling.generator import Trained, load_generator, run_of
from dermsynth.values import as_tuple


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
    folder = run_of(run, "run")
    path = folder / "report.html" if page is None else require_path(page, "page")
    several: tuple[Data, ...] = (evaluations,) if isinstance(evaluations, DataSet) else as_tuple(evaluations)
    places = [place.folder if isinstance(place, DataSet) else require_path(place, "evaluations") for place in several]
    moved = None if data is None else open_named(data, "data").folder
    generator = load_generator(folder)
    images = run_images(generator, data=moved, photographs=photographs)
    write_run_report(generator, images, path, evaluations=places, photographs=photographs)
    return path


def gallery(runs: Trained | Sequence[Trained], *, out: Path | str, inputs: Data | Sequence[Data] = ()) -> Path:
    """Write contact sheets of several runs as small JPEGs, and a Markdown page that shows them.

    Parameters
    ----------
    runs : Generator, Checkpoint, Path, str, or sequence of them
        The runs.
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
    several: tuple[Trained, ...] = as_tuple(runs)
    sources: tuple[Data, ...] = (inputs,) if isinstance(inputs, DataSet) else as_tuple(inputs)
    folder = require_path(out, "out")
    sheets = contact_sheets([run_of(run, "runs") for run in several], [open_named(data, "inputs") for data in sources])
    write_gallery(sheets, folder, foreign=bool(sources))
    return folder / "README.md"
