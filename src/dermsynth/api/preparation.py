"""Data sets from published layouts and the ISIC Archive, and what is cut and bent from them."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.api.places import open_named
from dermsynth.data.dataset import Data, DataSet
from dermsynth.data.importers.isic_archive import API, FetchResult, parse_collections
from dermsynth.data.importers.isic_archive import fetch_isic as download
from dermsynth.data.map_editing import edit_maps as write_maps
from dermsynth.data.patches import PatchSettings, write_patches
from dermsynth.errors import UserError, require_number, require_path, require_whole


def fetch_isic(
    out: Path | str, *, count: int, query: str = "", collections: str | Sequence[int] = (), base: str = "",
    per_second: float = 4.0,
) -> FetchResult:  # fmt: skip
    """Download images and their metadata from the ISIC Archive; `import_layout("isic", ...)` makes a data set of them.

    Nothing else of the library uses the network unasked. Repeated, the call goes on where it was stopped.

    Parameters
    ----------
    out : Path or str
        Folder for ``metadata.csv``, ``images/``, ``attribution.txt`` and ``licenses/``.
    count : int
        Number of images at most, at least 1.
    query : str
        The archive's own search language.
    collections : str, or sequence of int
        Numbers of the archive's collections, such as ``(66, 70)`` or ``"66,70"``; an image of any of them is taken.
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
    >>> data = ds.import_layout("isic", result.metadata, image_folder="archive/images", out="nevi")  # doctest: +SKIP
    """
    if require_number(per_second, "per_second") <= 0:
        raise UserError(f"`per_second` {per_second}: must be above 0")
    folder, limit = require_path(out, "out"), require_whole(count, "count", 1)
    numbers = parse_collections(collections) if isinstance(collections, str) else tuple(collections)
    return download(folder, limit, query=query, collections=numbers, base=base or API, per_second=per_second)


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
    >>> cut = ds.patches("few", out="patches", side=12, stride=10, jobs=1)
    >>> cut.classes
    ['clean', 'lesion']
    """
    if not isinstance(lesion, tuple | list) or len(lesion) != 2:
        raise UserError(f"`lesion` {lesion!r}: must be two shares, for example (0.1, 0.8)")
    low, high = (require_number(share, "lesion") for share in lesion)
    settings = PatchSettings(side, stride, low, high, skin, skin_mask)
    return write_patches(open_named(data, "data"), require_path(out, "out"), settings, jobs=jobs)


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
    return write_maps(
        open_named(data, "data"), folder, number, split=split, superpixels=superpixels, seed=seed, jobs=jobs
    )
