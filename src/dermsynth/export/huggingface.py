"""A synthetic set to hand on: without flagged images, with a card that says what it is and what was measured."""

import html
import posixpath
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from numpy.typing import NDArray

from dermsynth import __version__
from dermsynth.data.dataset import DataSet, inside, open_data_set, refuse_filled, write_data_set
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.evaluation.inputs import evaluation_of
from dermsynth.io import replacing_folder, write_text
from dermsynth.values import is_missing

CARD, FLAG = "README.md", "copy_flag"
COUNTED = ("schema", "program", "images", "classes", "content_hash")
"""Facts of a description that are of the folder they stand in."""
PLACES = ("run", "source", "maps")
ORIGINS = ("copy_of", "group", "source_image", "source_mask", "source_map")
"""What names files and folders of the private side: it stays behind."""
SHOWN = ("FID", "KID", "precision", "recall", "density", "coverage", "SWD mean", "Frechet distance, dermatology")
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def export(data_set: DataSet, out: Path, *, with_flagged: bool = False) -> DataSet:
    """Copy a synthetic set into a new folder and write its data card.

    Images that the copy gate flagged stay behind unless `with_flagged`. Figures come from `assessment.json`, if it belongs to
    these images.

    Raises UserError when the set is real, its images are not those that were generated, it was never checked for copies, or
    nothing is left.
    """
    if not data_set.synthetic:
        raise UserError(f"{data_set.folder}: real images; only synthetic sets are exported")
    refuse_filled(out)
    _refuse_real_rows(data_set)
    verify(data_set, full=True)
    flagged = _flags(data_set, with_flagged)
    if flagged is None and not with_flagged:
        reason = f"not checked for copies ({_why(data_set)})"
        raise UserError(f"{data_set.folder}: {reason}; `with_flagged` exports every image")
    chosen = data_set if with_flagged or flagged is None else _without(data_set, flagged)
    left_out = len(data_set.table) - len(chosen.table)
    with replacing_folder(out) as work:
        for column in ("file_name", "mask_file_name"):
            for name in chosen.table.get(column, ()):
                if name:
                    (work / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(inside(data_set.folder, name), work / name)
        step = {
            "command": "dermsynth export", "left_out": left_out, "with_flagged": with_flagged,
            "checked_for_copies": flagged is not None,
        }  # fmt: skip
        kept = data_set.provenance.document if flagged is not None else _without_gate(data_set)
        facts = {key: value for key, value in kept.items() if key not in COUNTED}
        generator = {k: v for k, v in data_set.provenance.generator.document.items() if k not in PLACES}
        table = chosen.table.drop(columns=[column for column in ORIGINS if column in chosen.table])
        if flagged is not None:
            table = table.assign(**{FLAG: np.where(chosen.flags(FLAG), "true", "false")})
        written = write_data_set(work, table, {**facts, "generator": generator}, step)
        write_text(work / CARD, card(written, _evaluation(data_set), out.name, left_out, with_flagged))
    return open_data_set(out)


def _refuse_real_rows(data_set: DataSet) -> None:
    """Raise UserError for rows whose own column says that a generator did not make them."""
    if "synthetic" not in data_set.table:
        return
    given = np.array([not is_missing(value) for value in data_set.table["synthetic"]], dtype=bool)
    real = given & ~data_set.flags("synthetic")
    if real.any():
        first = data_set.table["file_name"].to_numpy()[real][0]
        raise UserError(
            f"{data_set.folder}: {real.sum()} rows are not synthetic, the first {first}; only synthetic images are exported"
        )


def _flags(data_set: DataSet, with_flagged: bool) -> NDArray[np.bool_] | None:
    """Which images the copy gate flagged; None where it has not seen all of them.

    Raises UserError for a flag that is not understood; unless all are wanted, also for lost flags and rows without one.
    """
    table, gate = data_set.table, data_set.provenance.copy_gate
    _refuse_repeated(data_set)
    blank = np.array([is_missing(value) for value in table.get(FLAG, [""] * len(table))], dtype=bool)
    flagged = data_set.flags(FLAG)
    again = "run dermsynth evaluate again"
    reason = ""
    if gate is not None and blank.all():
        reason = f"the copy gate's column {FLAG!r} is gone from metadata.csv; {again}"
    elif blank.any() and not blank.all():
        first = table["file_name"].to_numpy()[blank][0]
        reason = f"{blank.sum()} of {len(blank)} images were never checked for copies ({FLAG} is blank), first {first}; {again}"
    elif gate is not None and flagged.sum() < gate.flagged - max(0, gate.of - len(flagged)):
        reason = f"{FLAG} marks {flagged.sum()} images, the copy gate marked {gate.flagged}; {again}"
    if reason and not with_flagged:
        raise UserError(f"{data_set.folder}: {reason}")
    return None if blank.any() or reason else flagged


def _refuse_repeated(data_set: DataSet) -> None:
    """Raise UserError where a file stands in several rows, which may say different things of it."""
    names = [posixpath.normpath(name) for name in data_set.table["file_name"]]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(
            f"{data_set.folder}: {len(repeated)} images stand in several rows of metadata.csv, the first {repeated[0]}; "
            "leave one row of each"
        )


def _without(data_set: DataSet, flagged: NDArray[np.bool_]) -> DataSet:
    kept = data_set.select(~flagged)
    if kept.table.empty:
        raise UserError(f"{data_set.folder}: every image is flagged as a copy; nothing is left to export")
    return kept


def _without_gate(data_set: DataSet) -> dict[str, Any]:
    return {key: value for key, value in data_set.provenance.document.items() if key != "copy_gate"}


def copies_said(exported: DataSet) -> str:
    """What an export did about copies, in a few words."""
    step = exported.provenance.history[-1]
    if not step.checked_for_copies:
        return "never checked for copies of training images"
    if step.with_flagged:
        return f"{int(exported.flags(FLAG).sum())} flagged ones among them"
    return f"{step.left_out} flagged ones left out"


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


def markdown_text(value: object) -> str:
    """A value that stands in Markdown as it is, also in a cell of a table: no markup, no HTML, one line."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def card(data_set: DataSet, evaluation: dict[str, Any] | None, name: str, left_out: int, with_flagged: bool) -> str:
    """The data card in Markdown, with the front matter that Hugging Face reads."""
    count = len(data_set.table)
    size = next((text for bound, text in SIZES if count < bound), "n>1M")
    classes = {label: data_set.count(label) for label in data_set.classes}
    environment = Environment(loader=PackageLoader("dermsynth.export"), trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = markdown_text
    return environment.get_template("data_card.md").render(
        name=name,
        count=count,
        size=size,
        classes=classes,
        generator=data_set.provenance.generator.document,
        hash=data_set.content_hash,
        evaluation=evaluation,
        left_out=left_out,
        checked=data_set.provenance.history[-1].checked_for_copies,
        why=(evaluation or {}).get("copying_refused", ""),
        gate=data_set.provenance.copy_gate,
        with_flagged=with_flagged,
        tones={} if evaluation is None else evaluation.get("skin_tones", {}),
        tones_measured={} if evaluation is None else evaluation.get("skin_tones_measured", {}),
        columns=[str(c) for c in data_set.table.columns if (data_set.table[c] != "").any()],
        version=__version__,
    )
