"""The audit as a page."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.artefacts.bias import Bias
from dermsynth.artefacts.confirmation import trust_table
from dermsynth.data.audit import Audit, example_paths, identifiers_text
from dermsynth.data.leak_columns import WARNING
from dermsynth.images import grid
from dermsynth.report.page import PHOTOGRAPHS, picture, thumbnails, write_page

EXAMPLES, TWINS, ROWS = 8, 48, 20
"""Examples a class, pairs of twins and rows of a table that the page shows; one row of 21 is not worth leaving out."""

FLAG_VALUES = {"label", "0", "1", "(blank)"}


def write_audit_report(
    audit: Audit, path: Path, bias: Bias | None = None, *, photographs: bool = True, refused: str = ""
) -> None:
    """Findings first, then tables, what artefacts tell, examples of every class, and the pairs of twins side by side.

    Without `photographs` no image of the set is on the page. `refused` says why there is no `bias`.
    """
    tables = [
        (f"Columns that give the class away: {WARNING}", audit.leak_table),
        ("Classes", audit.classes),
        ("Sizes", audit.sizes),
        ("Splits", audit.splits),
    ]
    tables.append(
        ("What columns alone tell: AUC of the pair of classes told apart best, cross-validated, 95 %", audit.predictive)
    )
    flags = {name: _share_of_ones(t) for name, t in audit.columns.items() if set(t.columns) <= FLAG_VALUES}
    shares = (
        [("Share of images with ..., of those where it is stated", pd.DataFrame(flags).reset_index())] if flags else []
    )
    columns = [
        (f"{name}: share of each value within a class", table)
        for name, table in audit.columns.items()
        if name not in flags
    ]
    leaks = [("Groups in more than one split", audit.leaks)]
    of_artefacts = [] if bias is None else bias_tables(bias)
    shown = [
        (title, _shown(table)) for title, table in [*tables, *leaks, *of_artefacts, *shares, *columns] if len(table)
    ]
    write_page(
        path,
        "audit.html",
        {
            "name": audit.data_set.folder.name,
            "count": len(audit.data_set.table),
            "provenance": audit.data_set.provenance,
            "findings": audit.findings,
            "bias_refused": refused,
            "flags": flag_texts(audit),
            "tables": shown,
            "examples": _examples(audit) if photographs else {},
            "twins": _twins(audit) if photographs else [],
            "lesions": len(audit.duplicates) > 0 and (audit.duplicates["kind"] == "lesion").any(),
            "photographs": PHOTOGRAPHS if photographs else "Photographs were left out.",
            "near_duplicates": "" if audit.features is None else audit.features.text(),
            "split_effect": audit.effect.text,
            "unjudged": identifiers_text(audit),
            "more_twins": max(0, len(audit.duplicates) - TWINS) if photographs else 0,
            "is_number": lambda v: isinstance(v, (int, float, np.number)),
        },
    )


def _share_of_ones(table: pd.DataFrame) -> pd.Series:
    """Share of images of each class that have a flag, of those where it is stated; blank where it never is."""
    by_class = table.set_index("label").reindex(columns=["0", "1"], fill_value=0.0)
    return (by_class["1"] / by_class.sum(axis=1)).round(3).astype(object).fillna("")


def _shown(table: pd.DataFrame) -> dict[str, Any]:
    """The first rows of a table, and those that are folded away."""
    rows: list[list[Any]] = table.to_dict("split")["data"]
    first = len(rows) if len(rows) <= ROWS + 1 else ROWS
    return {"columns": list(table.columns), "data": rows[:first], "more": rows[first:]}


def _examples(audit: Audit) -> dict[str, Any]:
    """A sheet of every class, of the images that can be read."""
    unreadable = {picture.name for picture in audit.pictures.rows if picture.hash is None}
    return {
        label: picture(grid(thumbnails(readable, 96), EXAMPLES), f"examples of {label}")
        for label, paths in example_paths(audit, EXAMPLES).items()
        if (readable := [path for path in paths if str(path.relative_to(audit.data_set.folder)) not in unreadable])
    }


def _twins(audit: Audit) -> list[tuple[dict[Any, Any], Any]]:
    """The most similar pairs of twins, side by side."""
    pictures = []
    for pair in audit.duplicates.head(TWINS).to_dict("records"):
        other = Path(pair["set"]) if pair["set"] else audit.data_set.folder
        both = thumbnails([audit.data_set.folder / pair["first"], other / pair["second"]], 96)
        pictures.append((pair, picture(grid(both, 2), f"{pair['first']} and {pair['second']}")))
    return pictures


def flag_texts(audit: Audit) -> list[str]:
    """What an audit suggests, as flags of `dermsynth train`."""
    return [f"--{suggestion.option} {shlex.quote(suggestion.value)}" for suggestion in audit.suggestions]


def bias_tables(bias: Bias) -> list[tuple[str, pd.DataFrame]]:
    """Titles and tables of what artefacts tell."""
    return [
        ("What was found, and whether it is right on this set", trust_table(bias.trust)),
        ("How much of the label the artefacts alone tell: AUC, cross-validated, with 95 % interval", bias.predictive),
        ("Artefacts by class: share, and odds ratio against the other classes with 95 % interval", bias.ratios),
        ("Skin tone by class: individual typology angle in degrees, median and quartiles", bias.tones),
    ]
