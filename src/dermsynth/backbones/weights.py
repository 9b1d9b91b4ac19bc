"""Downloads of weights, only on request and only with the known checksum."""

from dataclasses import dataclass
from pathlib import Path

import httpx

from dermsynth.cache import cache_folder
from dermsynth.errors import UserError
from dermsynth.io import file_hash, replace_file, user_cache


@dataclass(frozen=True)
class Download:
    """A file of weights, where it is published, and its SHA-256."""

    name: str
    url: str
    sha256: str


INCEPTION = Download(
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
"""The FID Inception-v3 with all 2,048 dimensions (Apache-2.0)."""


def obtain(download: Download) -> Path:
    """The file from the cache folder, downloaded into it the first time.

    Raises UserError when there is no connection or the bytes are not the known ones; a wrong file is not kept.
    """
    for folder in dict.fromkeys((cache_folder(), user_cache())):
        path = folder / "weights" / download.name
        if path.exists() and file_hash(path) == download.sha256:
            return path
    path = cache_folder() / "weights" / download.name
    try:
        with replace_file(path) as temporary:
            with httpx.stream("GET", download.url, follow_redirects=True, timeout=60) as response:
                response.raise_for_status()
                with temporary.open("wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
            checksum = file_hash(temporary)
            if checksum != download.sha256:
                raise UserError(
                    f"{download.url}: checksum {checksum[:16]}..., expected {download.sha256[:16]}...; not kept"
                )
    except httpx.HTTPError as error:
        raise UserError(f"{download.url}: cannot be downloaded ({error}); name a local file: inception=FILE") from error
    return path
