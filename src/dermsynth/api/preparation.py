"""Data sets from published layouts and the ISIC Archive, and what is cut and bent from them."""

from pathlib import Path
from typing import Any

from dermsynth.api.data import SHARES, LinkTargets, import_rows, link_targets
from dermsynth.api.places import opened, optional_path
from dermsynth.data.dataset import Data, DataSet
from dermsynth.data.importers.isic_archive import API, FetchResult
from dermsynth.data.importers.isic_archive import fetch_isic as download
from dermsynth.data.importers.layouts import IMPORTERS
from dermsynth.data.importers.report import ImportResult
from dermsynth.data.importers.sources import ImportOptions, Marked
from dermsynth.data.map_editing import edit_maps as write_maps
from dermsynth.data.patches import PatchSettings, write_patches
from dermsynth.errors import UserError, require_choice, require_number, require_path, require_whole

PUBLISHED = tuple(name for name in IMPORTERS if name not in ("folder", "csv"))


def import_published(
    layout: str,
    place: Path | str,
    *,
    out: Path | str,
    image_folder: Path | str | None = None,
    label: str = "",
    shares: str = SHARES,
    seed: int = 0,
    lower_case_labels: bool = False,
    labels_as_written: bool = False,
    marked: Marked = "refuse",
    mask_value: int | None = None,
    allow_links_to: LinkTargets = (),
    jobs: int | None = None,
    leave_out: Path | str | None = None,
) -> ImportResult:
    """Import a published data set as it was downloaded: its labels, groups, masks and licences are read from its own files.

    Parameters
    ----------
    layout : {"isic", "ham10000", "siim2020", "isic2018", "ph2", "medmnist"}
        Which data set: an export of the ISIC Archive, HAM10000, SIIM-ISIC 2020, ISIC 2018 or 2019, PH2, or a file of MedMNIST.
    place : Path or str
        The table (``isic``, ``ham10000``, ``siim2020``), the unpacked folder (``isic2018``, ``ph2``) or the ``.npz`` file.
    out : Path or str
        New folder for the data set.
    image_folder : Path, str or None
        For layouts with a table: folder of the images, by default that of the table.
    label : str
        For ``isic``: column with the class; by default the finest diagnosis there is.
    shares : str
        Shares of training, validation and test images, between 0 and 1; they sum to 1.
    seed : int
        Seed of the random numbers that divide the images, at least 0.
    lower_case_labels : bool
        Whether labels that differ in case only are one class.
    labels_as_written : bool
        Whether labels such as ``NA`` or ``1.0`` stay as they are.
    marked : {"refuse", "leave-out", "keep"}
        What happens to images whose files say that an algorithm made them.
    mask_value : int or None
        The lesion's number in masks that hold several numbers.
    allow_links_to : Path, str, or sequence of them
        Further folders into which symbolic links may lead.
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
        The layout is unknown, its files are not there, `out` is not empty, or a value is not what it should be.

    Examples
    --------
    >>> import dermsynth as ds
    >>> table, folder = "photographs_ham10000.csv", "photographs"
    >>> data = ds.import_published("ham10000", table, image_folder=folder, out="ham10000", jobs=1).data_set
    >>> data.classes, data.description["licence"]
    (['mel', 'nv'], ['CC-BY-NC-4.0'])
    """
    require_choice(layout, "layout", PUBLISHED)
    links = link_targets(allow_links_to)
    options = ImportOptions(marked, labels_as_written, mask_value, links, optional_path(leave_out, "leave_out"))
    choices = _reading(layout, optional_path(image_folder, "image_folder"), label, links)
    source = IMPORTERS[layout].read()(require_path(place, "place"), **choices)
    return import_rows(
        source, out, shares=shares, seed=seed, lower_case_labels=lower_case_labels, options=options, jobs=jobs
    )


def _reading(layout: str, images: Path | None, label: str, links: tuple[Path, ...]) -> dict[str, Any]:
    """How a layout is read; UserError for a choice that it has no use for."""
    table = IMPORTERS[layout].place == "table"
    for field, choice, useful in (("image_folder", images, table), ("label", label, layout == "isic")):
        if choice and not useful:
            raise UserError(f"`{field}` {choice}: of no use with the layout {layout}; leave it out")
    choices: dict[str, Any] = {"images": images} if table else {}
    choices |= {"label": label} if layout == "isic" else {}
    return choices | ({} if layout in ("ph2", "medmnist") else {"roots": links})


def fetch_isic(out: Path | str, *, count: int, query: str = "", base: str = "", per_second: float = 4.0) -> FetchResult:
    """Download images and their metadata from the ISIC Archive; `import_published("isic", ...)` makes a data set of them.

    Nothing else of the library uses the network unasked. Repeated, the call goes on where it was stopped.

    Parameters
    ----------
    out : Path or str
        Folder for ``metadata.csv`` and ``images/``.
    count : int
        Number of images at most, at least 1.
    query : str
        The archive's own search language.
    base : str
        Another address of the archive.
    per_second : float
        Requests a second at most, above 0.

    Returns
    -------
    FetchResult
        ``metadata`` (the table's path), ``images``, and ``summary()``.

    Raises
    ------
    UserError
        The archive does not answer, or a value is out of its range.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.fetch_isic("archive", count=100, query='diagnosis_3:"Nevus"')  # doctest: +SKIP
    >>> data = ds.import_published("isic", result.metadata, image_folder="archive/images", out="nevi")  # doctest: +SKIP
    """
    if require_number(per_second, "per_second") <= 0:
        raise UserError(f"`per_second` {per_second}: must be above 0")
    folder, limit = require_path(out, "out"), require_whole(count, "count", 1)
    return download(folder, limit, query=query, base=base or API, per_second=per_second)


def patches(
    data: Data,
    *,
    out: Path | str,
    side: int = 128,
    stride: int = 64,
    lesion: tuple[float, float] = (0.1, 0.8),
    skin: float = 1.0,
    skin_mask: str = "",
    jobs: int | None = None,
) -> DataSet:
    """Cut photographs with lesion masks into square patches, labelled clean and lesion; splits and groups are kept.

    Parameters
    ----------
    data : DataSet, Path or str
        A data set with lesion masks.
    out : Path or str
        New folder for the patches.
    side, stride : int
        Pixels of a patch's side, and between the corners of neighbouring patches.
    lesion : tuple of two float
        Smallest and largest share of lesion pixels (0 to 1) of a lesion patch; a clean one has none.
    skin : float
        Smallest share of skin or lesion (0 to 1), where a column names skin masks.
    skin_mask : str
        Column with the path of the skin mask.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    DataSet
        The patches, with the classes ``clean`` and ``lesion``.

    Raises
    ------
    UserError
        No photograph has a mask, one kind of patch does not occur, or a value is out of its range.

    Examples
    --------
    >>> import dermsynth as ds
    >>> cut = ds.patches("data", out="patches", side=12, stride=10, jobs=1)
    >>> cut.classes
    ['clean', 'lesion']
    """
    if not isinstance(lesion, tuple | list) or len(lesion) != 2:
        raise UserError(f"`lesion` {lesion!r}: must be two shares, for example (0.1, 0.8)")
    low, high = (require_number(share, "lesion") for share in lesion)
    settings = PatchSettings(side, stride, low, high, skin, skin_mask)
    return write_patches(opened(data, "data"), require_path(out, "out"), settings, jobs=jobs)


def edit_maps(
    data: Data,
    *,
    out: Path | str,
    count: int,
    split: str = "train",
    superpixels: bool = False,
    seed: int = 0,
    jobs: int | None = None,
) -> DataSet:
    """Make new semantic maps by bending, mirroring and recombining those of a data set; `generate` makes images of them.

    Parameters
    ----------
    data : DataSet, Path or str
        A data set with lesion masks, or with maps of its own.
    out : Path or str
        New folder for the maps.
    count : int
        Number of maps, at least 1.
    split : {"train", "validation", "test", "all"}
        Part of `data` whose maps are used.
    superpixels : bool
        Whether the boundaries of superpixels are bent along, for runs that take them.
    seed : int
        Seed of the first map, at least 0; map k is a function of seed + k.
    jobs : int or None
        Maps that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    DataSet
        The maps.

    Raises
    ------
    UserError
        There are no masks in the split, fewer than two images, or `out` is not empty.

    References
    ----------
    Bissoto et al. (2018), Skin Lesion Synthesis with Generative Adversarial Networks.

    Examples
    --------
    >>> import dermsynth as ds
    >>> maps = ds.edit_maps("data", out="maps", count=3, jobs=1)
    >>> len(maps)
    3
    """
    folder, number = require_path(out, "out"), require_whole(count, "count", 1)
    return write_maps(opened(data, "data"), folder, number, split=split, superpixels=superpixels, seed=seed, jobs=jobs)
