"""Public archives of images."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.data.importers.isic_archive import API, FetchResult
from dermsynth.data.importers.isic_archive import fetch_isic as fetch
from dermsynth.errors import UserError


def fetch_isic(
    out: Path | str,
    *,
    count: int | None = None,
    query: str = "",
    collections: Sequence[int] = (),
    base: str = API,
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
    collections : sequence of int
        Numbers of the archive's collections; an image of any of them is taken.
    base : str
        Address of the archive's API.
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
    if not per_second > 0:
        raise UserError(f"`per_second` {per_second}: must be above 0")
    return fetch(Path(out), count, query=query, collections=collections, base=base, per_second=per_second)
