"""A study on disk: its protocol, its images under random names and of one size in bytes, and the truth beside them."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth import __version__
from dermsynth.data.dataset import DataSet, refuse_filled
from dermsynth.data.tables import read_table
from dermsynth.data.verification import verify
from dermsynth.errors import UserError, require_seed
from dermsynth.images import encode_png, fit, image_size, read_image
from dermsynth.io import read_json, replacing, replacing_folder, write_bytes, write_json, write_text
from dermsynth.progress import progress_bar
from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.confounding import confounding
from dermsynth.study.protocol import Protocol, parse_protocol, protocol_text
from dermsynth.study.selection import chosen_images, table_of

DESCRIPTION, PROTOCOL, ITEMS, SECRET = "study.json", "protocol.toml", "items.csv", "secret.key"
SCHEMA = 1


@dataclass(frozen=True)
class Study:
    """A folder with everything of a study."""

    folder: Path
    description: dict[str, Any]
    protocol: Protocol
    items: pd.DataFrame

    @cached_property
    def by_item(self) -> dict[str, dict[str, str]]:
        """Item -> its row."""
        return {str(row["item"]): {str(k): str(v) for k, v in row.items()} for row in self.items.to_dict("records")}

    @cached_property
    def secret(self) -> bytes:
        """The key that signs links."""
        return (self.folder / SECRET).read_bytes()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every image."""
        width, height = self.description["size"]
        return int(width), int(height)

    def image(self, item: str) -> Path:
        """The file of an item; the name comes from the table, never from outside."""
        return self.folder / "images" / f"{self.by_item[item]['item']}.png"


def create_study(
    place: str, real: DataSet, synthetic: DataSet, out: Path, seed: int, *, matched: bool = True,
    tell: Callable[[str], None] = lambda note: None,
) -> Study:  # fmt: skip
    """Choose images by the protocol (a name or file) and write a new study.

    With `matched` both kinds have the same shares of the same classes. What else tells them apart goes to `tell` before
    anything is written, and into the study's description.

    Raises UserError when sets are mixed up, too small, too unlike, or the folder is not empty.
    """
    require_seed(seed)
    if real.synthetic or not synthetic.synthetic:
        raise UserError(
            f"`real` {real.folder} `synthetic` {synthetic.folder}: one is not what it should be, or they are swapped"
        )
    refuse_filled(out)
    verify(real)
    verify(synthetic)
    text = protocol_text(place)
    protocol = parse_protocol(text, place)
    sides = {REAL: real, SYNTHETIC: synthetic}
    chosen, notes = chosen_images(protocol, sides, seed, matched=matched)
    width, height = _size(protocol, synthetic)
    generator = synthetic.provenance.generator
    names = [secrets.token_hex(8) for _ in chosen]
    encoded, sizes = [], list[tuple[int, int]]()
    for one in progress_bar(chosen, total=len(chosen), label="encoding", unit="img"):
        pixels = _large_enough(sides[one.kind].paths[one.row], width, height)
        sizes.append((pixels.shape[1], pixels.shape[0]))
        sized = fit(pixels, height, width, generator.crop, generator.filter)
        encoded.append(
            encode_png(sized, compression=0)
        )  # files of one length: compressed, generated images are shorter
    notes += confounding(chosen, sides, sizes)
    for note in notes:
        tell(note)
    with replacing_folder(out) as work:
        for name, data in sorted(zip(names, encoded, strict=True)):  # written in the order of random names
            write_bytes(work / "images" / f"{name}.png", data)
        write_text(work / PROTOCOL, text)
        with replacing(work / ITEMS) as temporary:
            table = table_of(chosen, sides, names).sort_values("item")  # in the order of random names: it tells nothing
            table.to_csv(temporary, index=False)
        (work / ITEMS).chmod(0o600)
        write_bytes(work / SECRET, secrets.token_bytes(32))
        (work / SECRET).chmod(0o600)
        facts = _facts(place, real, synthetic, seed, (width, height), len(encoded))
        write_json(work / DESCRIPTION, {**facts, "matched": matched, "notes": notes})
    out.chmod(0o700)  # it holds the truth
    return open_study(out)


def open_study(folder: Path) -> Study:
    """Open a study.

    Raises UserError when the folder holds none, or a newer one.
    """
    if not (folder / DESCRIPTION).is_file():
        raise UserError(f"{folder}: no study ({DESCRIPTION}); make one with: dermsynth study create")
    description = read_json(folder / DESCRIPTION)
    if description.get("schema", 0) > SCHEMA:
        raise UserError(f"{folder}: schema {description['schema']} is newer than this program; update dermsynth")
    protocol = parse_protocol((folder / PROTOCOL).read_text(encoding="utf-8"), str(folder / PROTOCOL))
    return Study(folder, description, protocol, read_table(folder / ITEMS))


def _large_enough(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """An image that need not be enlarged: that would blur it, and the blur would tell its kind."""
    pixels = read_image(path)
    if pixels.shape[1] < width or pixels.shape[0] < height:
        own = f"{pixels.shape[1]} x {pixels.shape[0]}"
        raise UserError(
            f"{path}: {own} is smaller than the study's {width} x {height}, and to enlarge it would give it away; "
            "set `size` in the protocol to less, or take larger images"
        )
    return pixels


def _size(protocol: Protocol, synthetic: DataSet) -> tuple[int, int]:
    if protocol.size:
        return protocol.size, protocol.size
    return image_size(synthetic.paths[0])


def _facts(
    place: str, real: DataSet, synthetic: DataSet, seed: int, size: tuple[int, int], images: int
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "program": f"dermsynth {__version__}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": Path(place).name,
        "seed": seed,
        "size": list(size),
        "images": images,
        "real": real.content_hash,
        "synthetic": synthetic.content_hash,
    }
