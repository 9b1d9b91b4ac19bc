"""What a data set holds and what is wrong with it, before anything is trained."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.audit_findings import Suggestion, findings, suggestions
from dermsynth.data.audit_pictures import Pictures, inspect_pictures
from dermsynth.data.dataset import DataSet
from dermsynth.data.feature_twins import FeatureTwins, Network, feature_twins
from dermsynth.data.flagged import audit_record
from dermsynth.data.leak_columns import WARNING, LeakColumn, leak_columns, leak_table
from dermsynth.data.predictive_columns import ColumnPrediction, assessed_columns, column_predictions, strongest
from dermsynth.data.split_effect import SplitEffect, split_effect
from dermsynth.data.splits import linked, people
from dermsynth.data.twin_pairs import NONE, Twins, exclusions, pair_table, twins_across

MOST_PAIRS = 10
"""Pairs of near-duplicates that a terminal shows."""
MOST_VALUES = 12
"""A column with more different values is no category."""
NO_CATEGORIES = {"file_name", "label", "mask_file_name", "group", "split", "width", "height", "seed", "structures"}
TABLES = ("classes", "sizes", "splits", "duplicates", "leaks")


@dataclass(frozen=True)
class Audit:
    """What a data set holds and what is wrong with it.

    Attributes
    ----------
    data_set
        The set.
    classes, sizes, splits
        Images by label, by size in pixels, and by label and split.
    columns
        Of every categorical column the share of each value within each class.
    duplicates
        Pairs of images that show the same photograph, in the set and with the sets of `also`, the most similar first.
    leaks
        Groups (patient, lesion, duplicates) whose images lie in more than one split.
    predictive
        Of every column the pair of classes that it alone separates best: area under the ROC curve with 95 % interval.
    predictions
        The same of every pair of classes.
    leak_columns
        Columns that are consequences of the class, by layout, name or measurement.
    also
        Further sets whose images were looked for in this one.
    features
        Near-duplicates by a network's features, and how their threshold was calibrated; None where no network was named.
    effect
        How much better a classifier looks when images of one group are on both sides of a split.
    pictures
        What is wrong with images and masks.
    findings
        What should be looked at, a sentence each.
    suggestions
        Options of a training that the findings suggest.
    """

    data_set: DataSet
    classes: pd.DataFrame
    sizes: pd.DataFrame
    splits: pd.DataFrame
    columns: dict[str, pd.DataFrame]
    duplicates: pd.DataFrame
    leaks: pd.DataFrame
    predictive: pd.DataFrame
    predictions: tuple[ColumnPrediction, ...] = ()
    leak_columns: tuple[LeakColumn, ...] = ()
    also: tuple[DataSet, ...] = ()
    features: FeatureTwins | None = None
    effect: SplitEffect = field(default_factory=SplitEffect)
    pictures: Pictures = field(default_factory=Pictures)
    findings: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def leak_table(self) -> pd.DataFrame:
        """Columns that are consequences of the class: by what they are known, and what each alone tells."""
        return leak_table(self.leak_columns)

    @property
    def exclusions(self) -> pd.DataFrame:
        """Which image of each pair of duplicates is left out: file name, reason, and the twin that stays."""
        return exclusions(self.duplicates)

    @property
    def identifiers(self) -> list[str]:
        """Columns that name images, lesions or patients, and are therefore not assessed."""
        return [name for name, kind in assessed_columns(self.data_set.table).items() if kind == "identifier"]

    def with_findings(self, more: Sequence[str]) -> "Audit":
        """The audit with further findings, such as those about artefacts."""
        return replace(self, findings=(*self.findings, *more))


def audit(
    data_set: DataSet,
    *,
    also: Sequence[DataSet] = (),
    network: Network | None = None,
    lesions: Callable[[DataSet], NDArray[np.int64]] | None = None,
    jobs: int | None = None,
    seed: int = 0,
) -> Audit:
    """Look at images, masks, classes, sizes, duplicates, missing labels, columns, leaks between splits, and split sizes.

    Parameters
    ----------
    data_set
        The set.
    also
        Further sets: which of their photographs does this one hold too?
    network
        A network by whose features near-duplicates are looked for, too, and a classifier sees the images.
    lesions
        What finds pairs [k, 2] of rows that show the same lesion; they count as one group.
    jobs
        Images that are read at once; None for what `use_workers` set.
    seed
        Seed of the folds with which columns are tested for what they reveal of the label.

    Examples
    --------
    >>> from dermsynth.data.phantom import PhantomSettings, write_phantom
    >>> result = audit(write_phantom(Path("audited"), 30, PhantomSettings(32, 32), jobs=1), jobs=1)
    >>> int(result.classes["images"].sum())
    30
    """
    pictures = inspect_pictures(data_set, jobs=jobs)
    twins = _twins(pictures, also, jobs)
    groups = people(data_set.table)
    features = None if network is None else _feature_twins(data_set, twins, also, network, groups)
    same = NONE if lesions is None else _same_lesions(data_set, twins, lesions)
    joined = linked(groups, np.concatenate([twins.pairs, same]))  # pairs by features are for a person to look at
    predictions = column_predictions(data_set.table, data_set.labels, joined, seed)
    leaks = leak_columns(data_set, predictions)
    tables = Audit(
        data_set,
        _classes(data_set),
        _sizes(data_set),
        _splits(data_set),
        _columns(data_set),
        pair_table(data_set, also, twins, features, same),
        _leaks(data_set, joined),
        _predictive(predictions),
        tuple(predictions),
        leaks,
        tuple(also),
        features,
        _effect(data_set, twins, features, joined, seed),
        pictures,
    )
    advice = suggestions(data_set)
    sentences = findings(data_set, tables.duplicates, len(tables.leaks), pictures, predictions, leaks, advice)
    sentences += _unread(twins, also) + [tables.effect.text] * tables.effect.matters
    return replace(tables, findings=tuple(sentences), suggestions=tuple(advice))


def _twins(pictures: Pictures, also: Sequence[DataSet], jobs: int | None) -> Twins:
    """Pairs by hash within the set and with the others."""
    pairs, thumbnails = pictures.twins()
    hashes, rows = pictures.hashes()
    across = twins_across(hashes, thumbnails[rows], rows, also, jobs)
    return Twins(pairs, thumbnails, tuple(found for found, _ in across), tuple(small for _, small in across))


def _feature_twins(
    data_set: DataSet, twins: Twins, also: Sequence[DataSet], network: Network, groups: NDArray[np.int64]
) -> FeatureTwins:
    """Pairs by features; images that cannot be read have none."""
    rows = _features(data_set, np.asarray(~np.isnan(twins.thumbnails).any(axis=1), bool), network)
    others = tuple(_features(other, twins.readable(place), network) for place, other in enumerate(also))
    return feature_twins(rows, groups, others, network.name)


def _same_lesions(
    data_set: DataSet, twins: Twins, lesions: Callable[[DataSet], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Pairs of rows that show the same lesion; images that cannot be read have none."""
    readable = np.asarray(~np.isnan(twins.thumbnails).any(axis=1), bool)
    return np.flatnonzero(readable)[lesions(data_set.part(readable))]


def _features(data_set: DataSet, readable: NDArray[np.bool_], network: Network) -> NDArray[np.float32]:
    """Features [n, d]; NaN where an image cannot be read."""
    features = network.features(data_set.part(readable))
    rows = np.full((len(data_set), features.shape[1]), np.nan, np.float32)
    rows[readable] = features
    return rows


def _unread(twins: Twins, also: Sequence[DataSet]) -> list[str]:
    """What of the further sets was not compared, for it cannot be read."""
    sentences = []
    for place, other in enumerate(also):
        broken = np.flatnonzero(~twins.readable(place))
        if len(broken):
            first = other.table["file_name"].iloc[broken[0]]
            sentences.append(
                f"Not compared, for they cannot be read: {len(broken)} of {len(other)} images of {other.folder} ({first})."
            )
    return sentences


def _effect(
    data_set: DataSet, twins: Twins, features: FeatureTwins | None, joined: NDArray[np.int64], seed: int
) -> SplitEffect:
    """What groups on both sides of a split are worth to a classifier of features, or of thumbnails where there are none."""
    if features is None:
        return split_effect(data_set, twins.thumbnails, joined, "thumbnails of 16 x 16 pixels", seed)
    return split_effect(data_set, features.rows, joined, f"features of {features.network}", seed)


def _named_labels(data_set: DataSet) -> pd.Series:
    return pd.Series(data_set.labels, name="label").replace("", "(no label)")


def _classes(data_set: DataSet) -> pd.DataFrame:
    count = _named_labels(data_set).value_counts()
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
    if not data_set.divided:
        return pd.DataFrame()
    return pd.crosstab(_named_labels(data_set), data_set.table["split"]).reset_index()


def _columns(data_set: DataSet) -> dict[str, pd.DataFrame]:
    """Share of every value of a categorical column within each class: where shares differ, the column gives the class away."""
    labels, tables = _named_labels(data_set), {}
    for column in data_set.table.columns:
        values = data_set.table[column].replace("", "(blank)")
        if column not in NO_CATEGORIES and 1 < values.nunique() <= MOST_VALUES:
            tables[str(column)] = pd.crosstab(labels, values, normalize="index").round(3).reset_index()
    return tables


def _leaks(data_set: DataSet, joined: NDArray[np.int64]) -> pd.DataFrame:
    """Groups (patient, lesion, twins) whose images lie in more than one split."""
    table = data_set.table
    if not data_set.divided:
        return pd.DataFrame()
    groups = pd.Series(joined, name="group")
    splits = table["split"].groupby(groups).agg(lambda s: sorted(set(s)))
    rows = [
        {"images": ", ".join(table["file_name"][groups == g].head(4)), "splits": ", ".join(splits[g])}
        for g in splits[splits.map(len) > 1].index
    ]
    return pd.DataFrame(rows)


def _predictive(predictions: Sequence[ColumnPrediction]) -> pd.DataFrame:
    """Of every column the pair of classes that it separates best."""
    rows = [
        {
            "column": best.column, "kind": best.kind, "tells": best.first, "from": best.second, "auc": round(best.auc, 3),
            "low": round(best.low, 3), "high": round(best.high, 3), "images": f"{best.images[0]} + {best.images[1]}",
        }
        for best in strongest(predictions)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def identifiers_text(result: Audit) -> str:
    """Which columns are names of images, lesions or patients, and therefore not assessed; the empty string without any."""
    return f"not judged, for they are identifiers: {', '.join(result.identifiers)}" if result.identifiers else ""


def as_text(result: Audit) -> str:
    """What the terminal shows."""
    data_set = result.data_set
    lines = [f"{data_set.folder}: {len(data_set):,} images"]
    for title, table in (("classes", result.classes), ("sizes", result.sizes), ("splits", result.splits)):
        if len(table):
            lines += ["", title, table.to_string(index=False)]
    if result.leak_columns:
        lines += ["", f"columns that give the class away: {WARNING}", result.leak_table.to_string(index=False)]
    lines += ["", *_twin_lines(result)] if len(result.duplicates) or result.features is not None else []
    if len(result.predictive):
        lines += ["", "what columns alone tell", result.predictive.to_string(index=False)]
    lines += ["", identifiers_text(result)] if result.identifiers else []
    lines += ["", result.effect.text]
    lines += ["", "findings", *(f"  - {finding}" for finding in result.findings or ["no problems found"])]
    if result.suggestions:
        lines += ["", f"suggested for training: {' '.join(suggestion.text() for suggestion in result.suggestions)}"]
    return "\n".join(lines)


def _twin_lines(result: Audit) -> list[str]:
    """The most similar pairs, and how the threshold of features came about."""
    pairs = result.duplicates
    lines = [] if result.features is None else [result.features.text()]
    if len(pairs):
        few = pairs.head(MOST_PAIRS).drop(columns=["one_group", *(["set"] if (pairs["set"] == "").all() else [])])
        lesions = int((pairs["kind"] == "lesion").sum())
        more = f" and {lesions} of one lesion" if lesions else ""
        title = f"{len(pairs) - lesions} pairs of near-duplicates{more}, the most similar first"
        lines += [title, few.to_string(index=False)]
    return lines + (["..."] if len(pairs) > MOST_PAIRS else [])


def as_json(result: Audit) -> dict[str, Any]:
    """Tables and findings by name, as they stand in the audit's JSON file."""
    tables = {name: getattr(result, name).to_dict("records") for name in TABLES}
    return {
        **audit_record(result.data_set, result.exclusions, result.pictures),
        **tables,
        "leak_columns": [
            {"column": leak.column, "reasons": leak.reasons, "warning": WARNING, "prediction": prediction}
            for leak in result.leak_columns
            for prediction in [None if leak.prediction is None else asdict(leak.prediction)]
        ],
        "near_duplicates": "" if result.features is None else result.features.text(),
        "split_effect": result.effect.as_json(),
        "telling": result.predictive.to_dict("records"),
        "columns": {name: table.to_dict("records") for name, table in result.columns.items()},
        "tellings": [asdict(prediction) for prediction in result.predictions],
        "findings": list(result.findings),
    }


def example_paths(result: Audit, count: int) -> dict[str, list[Path]]:
    """The first images of every class, for the report."""
    data_set = result.data_set
    paths = np.array(data_set.paths, dtype=object)
    groups = data_set.classes or [""]
    return {label or "images": list(paths[data_set.labels == label][:count]) for label in groups}
