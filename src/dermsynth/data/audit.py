"""What a data set holds and what is wrong with it, before anything is trained."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import fingerprints, near_duplicates
from dermsynth.data.split_checks import split_findings
from dermsynth.data.splits import joined_groups
from dermsynth.data.training_set import SMALLEST_CLASS

MOST_VALUES = 12
"""A column with more different values is no category."""
EXACT_LEVELS = 0.01


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
    findings: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def audit(data_set: DataSet, *, jobs: int = -1) -> Audit:
    """Look at classes, sizes, duplicates, missing labels, columns by class, leaks between splits, and split sizes."""
    hashes, thumbnails = fingerprints(data_set.paths, jobs)
    pairs = near_duplicates(hashes, thumbnails)
    found = Audit(
        data_set,
        _classes(data_set),
        _sizes(data_set),
        _splits(data_set),
        _columns(data_set),
        _duplicates(data_set, pairs, thumbnails),
        _leaks(data_set, pairs),
    )
    _judge(found)
    return found


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
    return pd.DataFrame({"pixels": count.index[:10], "images": count.to_numpy()[:10]})


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
    groups = table["group"].to_numpy(dtype=object) if "group" in table else np.full(len(table), "", dtype=object)
    joined = pd.Series(joined_groups(groups, pairs), name="group")
    splits = table["split"].groupby(joined).agg(lambda s: sorted(set(s)))
    broken = splits[splits.map(len) > 1].index
    rows = [
        {"images": ", ".join(table["file_name"][joined == g].head(4)), "splits": ", ".join(splits[g])} for g in broken
    ]
    return pd.DataFrame(rows)


def _judge(audit: Audit) -> None:
    """Turn the tables into sentences, and into flags where a flag helps."""
    data_set, findings = audit.data_set, audit.findings
    blank = int((data_set.labels == "").sum())
    if not data_set.classes:
        findings.append("No labels: only an unconditional generator can be trained.")
    elif blank:
        findings.append(f"{blank} images have no label; conditional training leaves them out.")
    for label in data_set.classes:
        trained = _training_count(data_set, label)
        if trained < SMALLEST_CLASS:
            findings.append(f"Class {label!r} has {trained} images to train on: too few to be learned; leave it out.")
            audit.flags.append(f"--exclude {shlex.quote(label)}")
    counts = {c: data_set.count(c) for c in data_set.classes if f"--exclude {shlex.quote(c)}" not in audit.flags}
    if counts and max(counts.values()) >= 5 * min(counts.values()):
        rare = min(counts, key=lambda c: counts[c])
        findings.append(f"Unbalanced: {max(counts.values())} images of one class, {counts[rare]} of {rare!r}.")
        audit.flags.append("--imbalance 0.5")
    if len(audit.duplicates):
        same = int((audit.duplicates["kind"] == "same").sum())
        findings.append(f"{len(audit.duplicates)} pairs show the same photograph ({same} identical).")
        other = audit.duplicates[audit.duplicates["labels"].str.contains(" / ")]
        if len(other):
            findings.append(f"{len(other)} of these pairs carry different labels, first {other.iloc[0]['first']}.")
    if len(audit.leaks):
        findings.append(f"{len(audit.leaks)} groups lie in more than one split; import again with a group column.")
    findings.extend(split_findings(data_set))
    findings.extend(_telling_columns(audit))


def _training_count(data_set: DataSet, label: str) -> int:
    keep = data_set.labels == label
    if "split" in data_set.table:
        keep = keep & (data_set.table["split"] == "train").to_numpy()
    return int(keep.sum())


def _telling_columns(audit: Audit) -> list[str]:
    """0/1 columns whose share differs between classes by at least 0.15: what a classifier may learn instead."""
    found = []
    for name, shares in audit.columns.items():
        if "1" not in shares or set(shares.columns) - {"label", "0", "1", "(blank)"}:
            continue
        known = shares[shares["label"].map(lambda c: audit.data_set.count(c) >= SMALLEST_CLASS)]
        if len(known) and known["1"].max() - known["1"].min() >= 0.15:
            parts = ", ".join(f"{row['label']} {row['1']:.2f}" for _, row in known.iterrows())
            found.append(f"Column {name!r} goes with the class ({parts}).")
    return found


def as_text(audit: Audit) -> str:
    """What the terminal shows."""
    data_set = audit.data_set
    lines = [f"{data_set.folder}: {len(data_set.table):,} images"]
    for title, table in (("classes", audit.classes), ("sizes", audit.sizes), ("splits", audit.splits)):
        if len(table):
            lines += ["", title, table.to_string(index=False)]
    lines += ["", "findings", *(f"  - {finding}" for finding in audit.findings or ["nothing to complain about"])]
    if audit.flags:
        lines += ["", f"suggested: dermsynth train ... {' '.join(audit.flags)}"]
    return "\n".join(lines)


def as_json(audit: Audit) -> dict[str, Any]:
    """Everything as plain values."""
    tables = {
        name: getattr(audit, name).to_dict("records") for name in ("classes", "sizes", "splits", "duplicates", "leaks")
    }
    columns = {name: table.to_dict("records") for name, table in audit.columns.items()}
    return {**tables, "columns": columns, "findings": audit.findings, "flags": audit.flags}


def examples(audit: Audit, count: int) -> dict[str, list[Path]]:
    """The first images of every class, for the report."""
    data_set = audit.data_set
    paths = np.array(data_set.paths, dtype=object)
    groups = data_set.classes or [""]
    return {label or "images": list(paths[data_set.labels == label][:count]) for label in groups}
