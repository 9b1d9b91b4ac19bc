"""What a data set holds and what is wrong with it, before anything is trained."""

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.data.audit_pictures import Pictures, look_at_pictures, picture_findings
from dermsynth.data.dataset import DataSet
from dermsynth.data.predictive_columns import Telling, judged_columns, strongest, tellings
from dermsynth.data.split_checks import split_findings
from dermsynth.data.splits import joined_groups
from dermsynth.data.training_set import SMALLEST_CLASS
from dermsynth.data.verification import differences_of
from dermsynth.values import identifiers

MOST_VALUES = 12
"""A column with more different values is no category."""
EXACT_LEVELS = 0.01
TELLING = 0.55
"""Lower end of an area's interval from which on a column is a finding."""


@dataclass(frozen=True)
class Audit:
    """Tables for the report, findings as sentences, and the flags of `dermsynth train` that they suggest."""

    data_set: DataSet
    classes: pd.DataFrame
    sizes: pd.DataFrame
    splits: pd.DataFrame
    columns: dict[str, pd.DataFrame]
    duplicates: pd.DataFrame
    leaks: pd.DataFrame
    telling: pd.DataFrame
    tellings: list[Telling] = field(default_factory=list)
    pictures: Pictures = field(default_factory=Pictures)
    findings: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def audit(data_set: DataSet, *, jobs: int | None = None, seed: int = 0) -> Audit:
    """Look at images, masks, classes, sizes, duplicates, missing labels, columns, leaks between splits, and split sizes."""
    pictures = look_at_pictures(data_set, jobs=jobs)
    pairs, thumbnails = pictures.twins()
    told = tellings(data_set.table, data_set.labels, joined_groups(_groups(data_set), pairs), seed)
    found = Audit(
        data_set,
        _classes(data_set),
        _sizes(data_set),
        _splits(data_set),
        _columns(data_set),
        _duplicates(data_set, pairs, thumbnails),
        _leaks(data_set, pairs),
        _telling_table(told),
        told,
        pictures,
    )
    for check in CHECKS:
        found.findings.extend(check(found))
    return found


def _groups(data_set: DataSet) -> np.ndarray:
    """One spelling of every group's name; blank where there is none."""
    if "group" not in data_set.table:
        return np.full(len(data_set.table), "", dtype=object)
    return identifiers(data_set.table["group"])


def _classes(data_set: DataSet) -> pd.DataFrame:
    labels = pd.Series(data_set.labels).replace("", "(no label)")
    count = labels.value_counts()
    return pd.DataFrame(
        {"label": count.index, "images": count.to_numpy(), "share": (count / count.sum()).round(3).to_numpy()}
    )


def _sizes(data_set: DataSet) -> pd.DataFrame:
    table = data_set.table
    if not {"width", "height"} <= set(table.columns):
        return pd.DataFrame()
    count = (table["width"] + " x " + table["height"]).value_counts()
    return pd.DataFrame({"pixels": count.index, "images": count.to_numpy()})


def _splits(data_set: DataSet) -> pd.DataFrame:
    if "split" not in data_set.table:
        return pd.DataFrame()
    labels = pd.Series(data_set.labels, name="label").replace("", "(no label)")
    return pd.crosstab(labels, data_set.table["split"]).reset_index()


def _columns(data_set: DataSet) -> dict[str, pd.DataFrame]:
    """Share of every value of a categorical column within each class: where shares differ, the column gives the class away."""
    skip = {"file_name", "label", "mask_file_name", "group", "split", "width", "height", "seed", "structures"}
    labels = pd.Series(data_set.labels, name="label").replace("", "(no label)")
    found = {}
    for column in data_set.table.columns:
        values = data_set.table[column].replace("", "(blank)")
        if column in skip or not 1 < values.nunique() <= MOST_VALUES:
            continue
        shares = pd.crosstab(labels, values, normalize="index").round(3)
        found[str(column)] = shares.reset_index()
    return found


def _duplicates(data_set: DataSet, pairs: np.ndarray, thumbnails: np.ndarray) -> pd.DataFrame:
    names, labels = data_set.table["file_name"].to_numpy(), data_set.labels
    rows = [
        {
            "first": names[a],
            "second": names[b],
            "kind": "same" if np.abs(thumbnails[a] - thumbnails[b]).mean() < EXACT_LEVELS else "near",
            "labels": labels[a] if labels[a] == labels[b] else f"{labels[a]} / {labels[b]}",
        }
        for a, b in pairs
    ]
    return pd.DataFrame(rows)


def _leaks(data_set: DataSet, pairs: np.ndarray) -> pd.DataFrame:
    """Groups (patient, lesion, twins) whose images lie in more than one split."""
    table = data_set.table
    if "split" not in table:
        return pd.DataFrame()
    joined = pd.Series(joined_groups(_groups(data_set), pairs), name="group")
    splits = table["split"].groupby(joined).agg(lambda s: sorted(set(s)))
    broken = splits[splits.map(len) > 1].index
    rows = [
        {"images": ", ".join(table["file_name"][joined == g].head(4)), "splits": ", ".join(splits[g])} for g in broken
    ]
    return pd.DataFrame(rows)


def _telling_table(told: list[Telling]) -> pd.DataFrame:
    """Of every column the pair of classes that it tells apart best."""
    rows = [
        {
            "column": one.column, "kind": one.kind, "tells": one.first, "from": one.second, "auc": round(one.auc, 3),
            "low": round(one.low, 3), "high": round(one.high, 3), "images": f"{one.images[0]} + {one.images[1]}",
        }
        for one in strongest(told)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _missing_labels(audit: Audit) -> list[str]:
    blank = int((audit.data_set.labels == "").sum())
    if not audit.data_set.classes:
        return ["No labels: only an unconditional generator can be trained."]
    return [f"{blank} images have no label; conditional training leaves them out."] if blank else []


def _small_classes(audit: Audit) -> list[str]:
    found = []
    for label in audit.data_set.classes:
        trained = _training_count(audit.data_set, label)
        if trained < SMALLEST_CLASS:
            found.append(f"Class {label!r} has {trained} images to train on: too few to be learned; leave it out.")
            audit.flags.append(f"--exclude {shlex.quote(label)}")
    return found


def _balance(audit: Audit) -> list[str]:
    data_set = audit.data_set
    counts = {c: data_set.count(c) for c in data_set.classes if f"--exclude {shlex.quote(c)}" not in audit.flags}
    if not counts or max(counts.values()) < 5 * min(counts.values()):
        return []
    audit.flags.append("--imbalance 0.5")
    rare = min(counts, key=lambda c: counts[c])
    return [f"Unbalanced: {max(counts.values())} images of one class, {counts[rare]} of {rare!r}."]


def _twins(audit: Audit) -> list[str]:
    if not len(audit.duplicates):
        return []
    same = int((audit.duplicates["kind"] == "same").sum())
    found = [f"{len(audit.duplicates)} pairs show the same photograph ({same} identical)."]
    other = audit.duplicates[audit.duplicates["labels"].str.contains(" / ")]
    if len(other):
        found.append(f"{len(other)} of these pairs carry different labels, first {other.iloc[0]['first']}.")
    return found


def _leaking_groups(audit: Audit) -> list[str]:
    if not len(audit.leaks):
        return []
    return [f"{len(audit.leaks)} groups lie in more than one split; import again with a group column."]


def _changed_files(audit: Audit) -> list[str]:
    changes = differences_of(audit.data_set)
    return [f"Files are not as they were when the set was written: {changes.text()}."] if changes else []


def _splits_and_groups(audit: Audit) -> list[str]:
    return split_findings(audit.data_set)


def _pictures(audit: Audit) -> list[str]:
    return picture_findings(audit.pictures)


def _telling_columns(audit: Audit) -> list[str]:
    """Columns that alone tell a class from another: what a model may learn instead of the lesion."""
    found = []
    for one in strongest(audit.tellings):
        if one.low < TELLING:
            continue
        pairs = sum(other.column == one.column and other.low >= TELLING for other in audit.tellings)
        more = f", and {pairs - 1} more pair{'s' * (pairs > 2)} of classes" if pairs > 1 else ""
        found.append(
            f"Column {one.column!r} goes with the class: column {one.column!r} alone tells {one.first} from {one.second} with "
            f"AUC {one.auc:.2f} (95 % {one.low:.2f} to {one.high:.2f}; {one.images[0]} and {one.images[1]} images){more}: a "
            "model that sees this, or images chosen by it, has seen the answer."
        )
    return found


Check = Callable[[Audit], list[str]]
"""Findings as sentences, from an audit's tables; a check may add flags of `dermsynth train` too."""
CHECKS: tuple[Check, ...] = (
    _missing_labels,
    _small_classes,
    _balance,
    _twins,
    _leaking_groups,
    _changed_files,
    _splits_and_groups,
    _pictures,
    _telling_columns,
)


def _training_count(data_set: DataSet, label: str) -> int:
    return int(np.sum((data_set.labels == label) & data_set.in_split("train")))


def unjudged(audit: Audit) -> str:
    """Which columns are names of images, lesions or patients, and therefore not judged; the empty string without any."""
    names = [name for name, kind in judged_columns(audit.data_set.table).items() if kind == "identifier"]
    return f"not judged, for they are identifiers: {', '.join(names)}" if names else ""


def as_text(audit: Audit) -> str:
    """What the terminal shows."""
    data_set = audit.data_set
    lines = [f"{data_set.folder}: {len(data_set.table):,} images"]
    for title, table in (("classes", audit.classes), ("sizes", audit.sizes), ("splits", audit.splits)):
        if len(table):
            lines += ["", title, table.to_string(index=False)]
    if len(audit.telling):
        lines += ["", "what columns alone tell", audit.telling.to_string(index=False)]
    lines += ["", unjudged(audit)] if unjudged(audit) else []
    lines += ["", "findings", *(f"  - {finding}" for finding in audit.findings or ["nothing to complain about"])]
    if audit.flags:
        lines += ["", f"suggested: dermsynth train ... {' '.join(audit.flags)}"]
    return "\n".join(lines)


def as_json(audit: Audit) -> dict[str, Any]:
    """Everything as plain values."""
    tables = {
        name: getattr(audit, name).to_dict("records")
        for name in ("classes", "sizes", "splits", "duplicates", "leaks", "telling")
    }
    columns = {name: table.to_dict("records") for name, table in audit.columns.items()}
    return {
        **tables,
        "columns": columns,
        "tellings": [asdict(one) for one in audit.tellings],
        "findings": audit.findings,
        "flags": audit.flags,
    }


def examples(audit: Audit, count: int) -> dict[str, list[Path]]:
    """The first images of every class, for the report."""
    data_set = audit.data_set
    paths = np.array(data_set.paths, dtype=object)
    groups = data_set.classes or [""]
    return {label or "images": list(paths[data_set.labels == label][:count]) for label in groups}
