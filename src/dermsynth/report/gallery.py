"""A page of contact sheets, one a run: small JPEGs and a Markdown page that shows them."""

from collections.abc import Iterable
from pathlib import Path

from dermsynth.images import encode_jpeg
from dermsynth.io import count_text, read_json_lines, write_bytes, write_text
from dermsynth.sampling.contact_sheets import RunSheet
from dermsynth.sampling.generator import Generator

QUALITY = 82
PHOTOGRAPHS = (
    "Rows of translating families show photographs from the data set; do not share them unless you have the right to. "
    "`inputs` shows another set instead."
)


def write_gallery(sheets: Iterable[RunSheet], out: Path, *, foreign: bool = False) -> tuple[int, bool]:
    """Write `README.md` and a JPEG a run into `out`; returns the bytes of all pictures, and whether photographs are on them.

    `foreign`: families that translate images were given those of another set than the photographs they were trained on.
    """
    parts: list[str] = []
    total, translating = 0, False
    for name, generator, image in sheets:
        translating |= generator.model.inputs.translates
        picture = encode_jpeg(image, QUALITY)
        write_bytes(out / f"{name}.jpg", picture)
        parts += describe(name, generator, foreign=foreign)
        total += len(picture)
    kind = "Not photographs of patients."
    if translating:
        kind = "Inputs of translating families are from the data sets given." if foreign else PHOTOGRAPHS
    head = ["# Gallery", "", f"Seeds 0 and following, nothing picked, no truncation. {kind}", ""]
    write_text(out / "README.md", "\n".join([*head, *parts]))
    return total, translating and not foreign


def describe(name: str, generator: Generator, *, foreign: bool) -> list[str]:
    """Markdown lines about a run and its picture."""
    config, data = generator.config, generator.config.data
    lines = [line for line in read_json_lines(generator.run / "log.jsonl") if "seconds" in line]
    minutes = f", {lines[-1]['seconds'] / 60:.0f} min" if lines else ""
    kinds = f"; {' and '.join(data.classes)}" if data.classes else ""
    training, size = config.training, f"{data.width} x {data.height} pixels"
    facts = (
        f"{config.family} ({config.preset}), {size}{kinds}; {count_text(generator.checkpoint.images)} images shown{minutes}, "
        f"batch {training.batch}, seed {training.seed}. {generator.model.publication}."
    )
    if not generator.model.inputs.from_noise:
        facts += " Rows in pairs: the inputs, and the images generated from them."
        facts += " The inputs are from another set than the training images." if foreign else ""
    return [f"## {name}", "", facts, "", f"![{name}]({name}.jpg)", ""]
