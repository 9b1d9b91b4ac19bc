"""Speed of what is mostly files: importing, cutting patches, and writing PNG."""

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import dermsynth as ds
from dermsynth.data.patches import PatchSettings, write_patches
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.images import encode_png, read_image
from dermsynth.io import write_bytes, write_within

IMAGES, ROUNDS = 300, 3


def files(rows: list[str]) -> None:
    """Drawn photographs of 256 x 192 pixels with masks, one process; PNG and its writing against how it was done before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = write_phantom(folder / "drawn", IMAGES, PhantomSettings(192, 256)).folder
        clock = time.perf_counter()
        table = drawn / "metadata.csv"
        data = ds.import_csv(
            table, image="file_name", label="label", mask="mask_file_name", out=folder / "data", jobs=1
        )
        imported = time.perf_counter() - clock
        clock = time.perf_counter()
        patches = write_patches(data.data_set, folder / "patches", PatchSettings(96, 32), jobs=1)
        cut = time.perf_counter() - clock
        images = [read_image(path) for path in patches.paths[:IMAGES]]
        encoded = encode_png(images[0])
        rows += ["## Files", "", "| what | a second | wanted on 2 cores |", "|--|--|--|",
                 f"| `import csv` with masks, 256 x 192, {IMAGES} images | {IMAGES / imported:.0f} | 500 |",
                 f"| `data patches`, 96 px, stride 32: photographs | {IMAGES / cut:.0f} | 150 |",
                 f"| the same: patches, {len(patches.table):,} | {len(patches.table) / cut:.0f} | 2,400 |", "",
                 f"| of {IMAGES} patches, the fastest of {ROUNDS} rounds | before | now | now / before |", "|--|--|--|--|",
                 _pair("PNG, ms a patch", lambda image: len(deflated(image)), lambda image: len(encode_png(image)), images),
                 _bytes_of(images),
                 _pair("a file written, ms", lambda image: _atomic(folder, encoded), lambda image: _within(folder, encoded),
                       images), ""]  # fmt: skip
    print(*rows[-10:], sep="\n", flush=True)


def deflated(image: np.ndarray) -> bytes:
    """PNG as Pillow writes it: repeats are looked for."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _atomic(folder: Path, data: bytes) -> int:
    write_bytes(folder / "atomic" / "patch.png", data)
    return len(data)


def _within(folder: Path, data: bytes) -> int:
    write_within(folder / "within" / "patch.png", data)
    return len(data)


def _pair(
    what: str, before: Callable[[np.ndarray], int], now: Callable[[np.ndarray], int], images: list[np.ndarray]
) -> str:
    """One row: both sides take turns."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for side, function in enumerate((before, now)):
            clock = time.perf_counter()
            for image in images:
                function(image)
            best[side] = min(best[side], time.perf_counter() - clock)
    ms = [1000 * seconds / len(images) for seconds in best]
    return f"| {what} | {ms[0]:.2f} | {ms[1]:.2f} | {ms[1] / ms[0]:.2f} |"


def _bytes_of(images: list[np.ndarray]) -> str:
    sizes = [sum(len(encode(image)) for image in images) / len(images) for encode in (deflated, encode_png)]
    return f"| the same, bytes | {sizes[0]:,.0f} | {sizes[1]:,.0f} | {sizes[1] / sizes[0]:.2f} |"
