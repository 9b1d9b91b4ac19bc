"""A synthetic set to hand on: without flagged images, with a card that says what it is and what was measured."""

import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from dermsynth import __version__
from dermsynth.data.dataset import DataSet, inside, open_data_set, refuse_filled, write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.compared import evaluation_of
from dermsynth.runs import replacing_folder, write_text

CARD = "README.md"
COUNTED = ("schema", "program", "images", "classes", "content_hash")
"""Facts of a description that are of the folder they stand in."""
PLACES = ("run", "source", "maps")
ORIGINS = ("copy_of", "group", "source_image", "source_mask", "source_map")
"""What names files and folders of the private side: it stays behind."""
SHOWN = ("FID", "KID", "precision", "recall", "density", "coverage", "SWD mean", "Frechet distance, dermatology")
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def export(data_set: DataSet, out: Path, *, with_flagged: bool = False) -> DataSet:
    """Copy a synthetic set into a new folder and write its data card.

    Images that the copy gate flagged stay behind unless `with_flagged`. Figures come from `evaluation.json`, if it belongs to
    these images.

    Raises UserError when the set is real, was never checked for copies, or nothing is left.
    """
    if not data_set.synthetic:
        raise UserError(f"{data_set.folder}: real images; only synthetic sets are exported")
    refuse_filled(out)
    chosen = data_set if with_flagged else _without_flagged(data_set)
    left_out = len(data_set.table) - len(chosen.table)
    with replacing_folder(out) as work:
        for column in ("file_name", "mask_file_name"):
            for name in chosen.table.get(column, ()):
                if name:
                    (work / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(inside(data_set.folder, name), work / name)
        step = {"command": "dermsynth export", "left_out": left_out, "with_flagged": with_flagged}
        facts = {key: value for key, value in data_set.description.items() if key not in COUNTED}
        generator = {k: v for k, v in facts.get("generator", {}).items() if k not in PLACES}
        table = chosen.table.drop(columns=[column for column in ORIGINS if column in chosen.table])
        written = write_data_set(work, table, {**facts, "generator": generator}, step)
        write_text(work / CARD, card(written, _evaluation(data_set), out.name, left_out, with_flagged))
    return open_data_set(out)


def _without_flagged(data_set: DataSet) -> DataSet:
    if "copy_flag" not in data_set.table:
        raise UserError(
            f"{data_set.folder}: not checked for copies ({_why(data_set)}); --with-flagged exports every image"
        )
    kept = data_set.select((data_set.table["copy_flag"] != "true").to_numpy())
    if kept.table.empty:
        raise UserError(f"{data_set.folder}: every image is flagged as a copy; nothing is left to export")
    return kept


def _why(data_set: DataSet) -> str:
    """Why the copy gate has not seen a set."""
    return str((evaluation_of(data_set) or {}).get("copying_refused", "")) or "run dermsynth evaluate first"


def _evaluation(data_set: DataSet) -> dict[str, Any] | None:
    """The figures of exactly these images, with the rows a card shows."""
    result = evaluation_of(data_set)
    if result is None:
        return None
    everything = [row for row in result["measurements"] if row["group"] == result["measurements"][0]["group"]]
    return {**result, "shown": [row for row in everything if row["metric"].startswith(SHOWN)]}


def card(data_set: DataSet, evaluation: dict[str, Any] | None, name: str, left_out: int, with_flagged: bool) -> str:
    """The data card in Markdown, with the front matter that Hugging Face reads."""
    count = len(data_set.table)
    size = next((text for bound, text in SIZES if count < bound), "n>1M")
    classes = {label: data_set.count(label) for label in data_set.classes}
    environment = Environment(loader=PackageLoader("dermsynth.report"), trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("data_card.md").render(
        name=name,
        count=count,
        size=size,
        classes=classes,
        generator=data_set.description.get("generator", {}),
        hash=data_set.content_hash,
        evaluation=evaluation,
        left_out=left_out,
        checked="copy_gate" in data_set.description,
        why=(evaluation or {}).get("copying_refused", ""),
        gate=data_set.description.get("copy_gate", {}),
        with_flagged=with_flagged,
        tones={} if evaluation is None else evaluation.get("skin_tones", {}),
        tones_measured={} if evaluation is None else evaluation.get("skin_tones_measured", {}),
        columns=[str(c) for c in data_set.table.columns if (data_set.table[c] != "").any()],
        version=__version__,
    )
