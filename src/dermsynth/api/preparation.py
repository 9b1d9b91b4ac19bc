"""Data sets that are cut and bent from others."""

from pathlib import Path

from dermsynth.api.places import open_named
from dermsynth.data.dataset import Data, DataSet
from dermsynth.data.map_editing import edit_maps as write_maps
from dermsynth.data.patches import PatchSettings, write_patches
from dermsynth.errors import UserError, require_number, require_path, require_whole


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
