"""Public archives of images."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.data.importers.isic_archive import API, FetchResult, parse_collections
from dermsynth.data.importers.isic_archive import fetch_isic as fetch
from dermsynth.errors import UserError, require_number, require_path, require_whole


def fetch_isic(
    out: Path | str,
    *,
    count: int | None = None,
    query: str = "",
    collections: str | Sequence[int] = (),
    base: str = "",
    per_second: float = 4.0,
) -> FetchResult:
    """Download images, their metadata and their licences from the ISIC Archive.

    Images that are there with the archive's size are not fetched again, so that the same call goes on where it stopped.
    What is to come is compared with the free disk space before the first image.

    Parameters
    ----------
    out : Path or str
        Folder for ``metadata.csv``, ``images/``, ``attribution.txt`` and ``licenses/``.
    count : int or None
        How many images at most, at least 1; None for all of the query and the collections.
    query : str
        The archive's own search language, for example ``'diagnosis_3:"Nevus"'``.
    collections : str, or sequence of int
        Numbers of the archive's collections, such as ``(66, 70)`` or ``"66,70"``; an image of any of them is taken.
    base : str
        Another address of the archive's API.
    per_second : float
        Requests a second at most, above 0.

    Returns
    -------
    FetchResult
        ``metadata`` (the table), ``images``, ``downloaded``, ``left_out``, ``summary()``.

    Raises
    ------
    UserError
        The archive has no such images, refuses, is away, or sends something else, or the disk has no room.

    Examples
    --------
    >>> import dermsynth as ds
    >>> ds.fetch_isic("isic", collections=[66], count=100).images  # doctest: +SKIP
    100
    >>> ds.fetch_isic("isic", count=0)
    Traceback (most recent call last):
        ...
    dermsynth.errors.UserError: `count` 0: must be at least 1
    """
    if require_number(per_second, "per_second") <= 0:
        raise UserError(f"`per_second` {per_second}: must be above 0")
    limit = None if count is None else require_whole(count, "count", 1)
    numbers = parse_collections(collections) if isinstance(collections, str) else tuple(collections)
    return fetch(
        require_path(out, "out"), limit, query=query, collections=numbers, base=base or API, per_second=per_second
    )
