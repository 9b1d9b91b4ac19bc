"""Imports of published data sets, and of sets whose files a table describes."""

from pathlib import Path

import pandas as pd

from dermsynth.api.importing import SHARES, LinkTargets, import_options, import_rows, link_targets
from dermsynth.api.places import optional_path
from dermsynth.data.importers.layout_table import Layout, read_layout
from dermsynth.data.importers.layouts import layout_files
from dermsynth.data.importers.published import LayoutChoices, layout_reader
from dermsynth.data.importers.report import ImportResult
from dermsynth.data.importers.sources import Marked
from dermsynth.errors import require_path


def import_layout(
    layout: Path | str,
    place: Path | str,
    *,
    out: Path | str,
    image_folder: Path | str | None = None,
    label: str = "",
    level: int | None = None,
    image_type: str = "",
    new_splits: bool = False,
    partial: bool = False,
    shares: str = SHARES,
    seed: int = 0,
    lower_case_labels: bool = False,
    labels_as_written: bool = False,
    marked: Marked = "refuse",
    mask_value: int | None = None,
    allow_links_to: LinkTargets = (),
    salt_file: Path | str | None = None,
    jobs: int | None = None,
    leave_out: Path | str | None = None,
) -> ImportResult:
    """Import a published data set, or any set whose files a TOML table describes.

    Age, sex, site, skin tone and kind of image become columns of one name and coding; columns that are consequences of the
    class are named in ``dataset.json``.

    Parameters
    ----------
    layout : Path or str
        Name of a published layout (``layouts`` lists them), or a TOML file that describes one.
    place : Path or str
        The unpacked folder, or the table in it.
    out : Path or str
        New folder for the data set.
    image_folder : Path, str or None
        Folder of the images; by default that of the table.
    label : str
        Column with the class, instead of the layout's own.
    level : int or None
        Level of the class, from 1, the coarsest, to 5. A class that is known to a coarser level only gets that one.
    image_type : str
        The one kind of images that is taken: ``dermoscopic``, ``clinical``, ``tbp`` or ``rcm``.
    new_splits : bool
        Whether the images are divided anew, although the set comes with a split.
    partial : bool
        Whether what is there is imported, where more than a twentieth of the images is missing.
    shares : str
        Shares of training, validation and test images, between 0 and 1; they sum to 1.
    seed : int
        Seed of the random numbers that divide the images, at least 0.
    lower_case_labels : bool
        Whether labels that differ in case only are one class.
    labels_as_written : bool
        Whether labels such as ``NA`` or ``1.0`` stay as they are.
    marked : {"refuse", "leave-out", "keep"}
        What happens to images whose files or rows say that an algorithm made them.
    mask_value : int or None
        The lesion's number in masks that hold several numbers.
    allow_links_to : Path, str, or sequence of them
        Further folders into which symbolic links may lead.
    salt_file : Path, str or None
        File with the secret of the hashes that name the patients of DICOM files, so that two imports agree; it is written where
        it is not there. By default a secret is drawn for this import and kept nowhere.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.
    leave_out : Path, str or None
        A list of images to leave out: of ``audit``, CleanVision or SelfClean, or any CSV with a column ``file_name``.

    Returns
    -------
    ImportResult
        ``data_set``, and what happened to files: ``files``, ``notes``, ``summary()``.

    Raises
    ------
    UserError
        The layout is unknown or its file has an unknown key; a table or column is missing, or too many images are; `out` is
        not empty, or a value is not what it should be.

    Examples
    --------
    A layout of one's own:

    >>> import dermsynth as ds
    >>> from pathlib import Path
    >>> text = '''
    ... what = "Photographs of our clinic."
    ... name = "Our clinic"
    ... group = "patient"
    ... tables = [{ files = "photographs.csv" }]
    ... images = { id = "file" }
    ... label = { columns = "diagnosis", tree = { nevus = "benign", melanoma = "malignant" } }
    ... '''
    >>> _ = Path("clinic.toml").write_text(text)
    >>> data = ds.import_layout("clinic.toml", "photographs.csv", out="clinic", level=1, jobs=1).data_set
    >>> data.classes
    ['benign', 'malignant']
    """
    links = link_targets(allow_links_to)
    images = optional_path(image_folder, "image_folder")
    choices = LayoutChoices(label, level, image_type, new_splits, partial)
    source = layout_reader(read_layout(layout))(
        require_path(place, "place"), images=images, choices=choices, roots=links
    )
    options = import_options(marked, labels_as_written, links, mask_value, salt_file, leave_out)
    return import_rows(
        source, out, shares=shares, seed=seed, lower_case_labels=lower_case_labels, options=options, jobs=jobs
    )


def layouts() -> pd.DataFrame:
    """The published data sets that can be imported.

    Returns
    -------
    pandas.DataFrame
        One row a layout: `name`, `images` and `groups` of the whole set (0 where they are not fixed), `licence`, `what`,
        `doi`, `address`.

    Examples
    --------
    >>> import dermsynth as ds
    >>> "ham10000" in set(ds.layouts()["name"])
    True
    """
    return pd.DataFrame([_layout_row(read_layout(name)) for name in layout_files()])


def _layout_row(layout: Layout) -> dict[str, object]:
    return {
        "name": layout.key,
        "images": layout.expected.images or 0,
        "groups": layout.expected.groups or 0,
        "licence": ", ".join(layout.licence),
        "what": layout.what,
        "doi": layout.doi,
        "address": layout.address,
    }
