"""Published data sets: those whose layout is an entry of a table, the ISIC Archive's exports, and PH2."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from dermsynth.data.importers.generic import licence_facts, located_row, table_source
from dermsynth.data.importers.layouts import TableLayout
from dermsynth.data.importers.source_files import SourceFiles
from dermsynth.data.importers.sources import Source, SourceRow, column_name, command_of
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.values import is_missing, parse_flag


def from_isic_archive(
    table_path: Path, *, images: Path | None = None, label: str = "", roots: Sequence[Path] = ()
) -> Source:
    """A metadata export of the ISIC Archive: diagnosis hierarchy, licence, attribution; patient and lesion as group.

    The label is the column asked for, or the first of diagnosis_3, diagnosis_2, diagnosis, diagnosis_1 that is there.
    """
    notes: list[str] = []
    table = read_table(table_path, notes=notes)
    require_columns(table, ["isic_id"], table_path)
    choices = [label] if label else ["diagnosis_3", "diagnosis_2", "diagnosis", "diagnosis_1", "benign_malignant"]
    chosen = next((c for c in choices if c in table), "")
    if not chosen:
        raise UserError(f"{table_path}: no column {' or '.join(choices)} to take as label; name one with `label`")
    table = table.assign(_group=_patient_or_lesion(table))
    files = SourceFiles(images or table_path.parent, tuple(roots))
    rows = [
        located_row(
            files,
            SourceRow(
                image=record["isic_id"],
                label=record[chosen],
                group=record["_group"],
                columns={column_name(str(c)): v for c, v in record.items() if c not in ("_group", chosen)},
            ),
        )
        for record in table.to_dict("records")
    ]
    return table_source(files, rows, licence_facts(table, "ISIC Archive"), command_of("isic", table_path), notes)


def _patient_or_lesion(table: pd.DataFrame) -> pd.Series:
    """The patient where known, else the lesion, else nothing."""
    group = pd.Series("", index=table.index)
    for column in ("lesion_id", "patient_id"):
        if column in table:
            group = table[column].where(~table[column].map(is_missing), group)
    return group


def from_layout(
    layout: TableLayout, table_path: Path, *, images: Path | None = None, roots: Sequence[Path] = ()
) -> Source:
    """A published table of image ids whose files lie anywhere below a folder.

    Raises UserError for a missing column, and a label that is no flag where it should be one.
    """
    notes: list[str] = []
    table = read_table(table_path, notes=notes)
    require_columns(table, [layout.image, layout.label, layout.group], table_path)
    files = SourceFiles(images or table_path.parent, tuple(roots))
    rows = [located_row(files, _layout_row(layout, record)) for record in table.to_dict("records")]
    if layout.flag_labels is not None:
        rows = [replace(row, label=_flag_label(layout, row, table_path)) for row in rows]
    facts = {"source": layout.source, "licence": list(layout.licence)}
    return table_source(files, rows, facts, command_of("table", table_path), notes, everywhere=True)


def _layout_row(layout: TableLayout, record: Mapping[Any, str]) -> SourceRow:
    named = (layout.image, layout.label, layout.group)
    return SourceRow(
        image=record[layout.image],
        label=record[layout.label],
        group=record[layout.group],
        columns={column_name(str(name)): value for name, value in record.items() if name not in named},
    )


def _flag_label(layout: TableLayout, row: SourceRow, table_path: Path) -> str:
    assert layout.flag_labels is not None
    try:
        flag = parse_flag(row.label)
    except ValueError as error:
        raise UserError(f"{table_path}: {layout.label} {row.label!r} of {row.image}; must be 0 or 1") from error
    return "" if flag is None else layout.flag_labels[flag]


def from_ph2(folder: Path) -> Source:
    """PH2 (Mendonca et al. 2013): `IMD*/IMD*_Dermoscopic_Image/*.bmp`, `*_lesion/*.bmp`, and PH2_dataset.txt."""
    diagnoses = _ph2_diagnoses(folder / "PH2_dataset.txt")
    rows = []
    for path in sorted(folder.rglob("*_Dermoscopic_Image/*.bmp")):
        name = path.stem
        mask = path.parent.parent / f"{name}_lesion" / f"{name}_lesion.bmp"
        mask_name = str(mask.relative_to(folder)) if mask.exists() else ""
        rows.append(SourceRow(str(path.relative_to(folder)), diagnoses.get(name, ""), mask_name))
    if not rows:
        raise UserError(f"{folder}: no IMD*/IMD*_Dermoscopic_Image/*.bmp below it; name the unpacked PH2 folder")
    facts = {"source": "PH2", "licence": ["research and education only"]}
    return Source(folder, rows, facts, command_of("ph2", folder))


def _ph2_diagnoses(path: Path) -> dict[str, str]:
    """Rows `|| IMD003 || ... || 0 || ...`: the clinical diagnosis 0 common nevus, 1 atypical nevus, 2 melanoma."""
    if not path.exists():
        return {}
    names = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}
    diagnoses = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        cells = [cell.strip() for cell in line.split("||")]
        if len(cells) > 3 and cells[1].startswith("IMD"):
            diagnoses[cells[1]] = next((names[c] for c in cells[2:5] if c in names), "")
    return diagnoses
