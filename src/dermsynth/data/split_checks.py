"""What is wrong with the splits, groups and labels of a data set, as sentences."""

from collections import defaultdict

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.data.identity import identifying_columns, personal_identifiers
from dermsynth.data.importers.folder_layout import split_name
from dermsynth.data.marks import row_mark
from dermsynth.data.splits import SPLITS, parse_shares, people, unmet_shares
from dermsynth.errors import UserError
from dermsynth.values import identifiers, is_missing, plain_identifier

LARGE_GROUP = 0.3
FEW = 50
"""Below so many images a large group is no wonder."""


def split_findings(data_set: DataSet) -> list[str]:
    """Splits that cut what an identifier holds together, empty parts, shares that were not met, and groups that are none."""
    return [
        *_cut_identifiers(data_set),
        *_parts(data_set),
        *_groups(data_set),
        *_labels(data_set),
        *_marked_synthetic(data_set),
    ]


def _cut_identifiers(data_set: DataSet) -> list[str]:
    """For every column that identifies somebody: how many of its values lie in more than one split."""
    table = data_set.table
    columns, doubtful = identifying_columns(table)
    if "split" not in table:
        return []
    sentences = []
    for column in columns:
        read, splits = identifiers if column == "group" else personal_identifiers, defaultdict(set)
        for value, part in zip(read(table[column]), table["split"], strict=True):
            splits[value].add(part)
        cut = sorted(value for value, parts in splits.items() if value and len(parts) > 1)
        if cut:
            sentences.append(
                f"Column {column!r}: {len(cut)} of its values lie in more than one split (first: {cut[0]}); what is measured on "
                f"held-out images is too good. Import again with `group` {column}."
            )
    return sentences + [
        f"Column {name!r} has a value that more than a fifth of the images share: taken for nobody's, and splits may cut it."
        for name in doubtful
    ]


def _parts(data_set: DataSet) -> list[str]:
    if "split" not in data_set.table:
        return []
    splits = data_set.splits
    unknown = sorted({str(part) for part in splits} - set(SPLITS))
    sentences = [
        f"Split {name!r} is none of train, validation and test; its images are never used." for name in unknown
    ]
    if not {"validation", "test"} & set(splits):
        sentences.append("No image is held out (validation or test): the copy gate, floors and classifiers need some.")
    wanted = next((step.split for step in data_set.provenance.history if step.says("split")), "")
    try:
        shares = parse_shares(wanted)
    except UserError:
        return sentences
    unmet = unmet_shares(splits, people(data_set.table), shares)
    return [*sentences, f"{unmet[0].upper()}{unmet[1:]}."] if unmet else sentences


def _groups(data_set: DataSet) -> list[str]:
    if "group" not in data_set.table:
        return []
    written, groups = data_set.table["group"], data_set.groups
    sentences = []
    missing = int(((groups == "") & (written != "").to_numpy()).sum())
    if missing:
        sentences.append(
            f"{missing} images have a missing group ({written[groups == ''].iloc[0]!r}); each counts as a group of its own."
        )
    ways = defaultdict(set)
    for text, group in zip(written, groups, strict=True):
        ways[group].add(text)
    several = [sorted(texts) for group, texts in ways.items() if group and len(texts) > 1]
    if several:
        sentences.append(
            f"{len(several)} groups are written in several ways (first: {' and '.join(several[0])}); they are one each."
        )
    names, counts = np.unique(groups[groups != ""].astype(str), return_counts=True)
    if len(groups) >= FEW and len(counts) and counts.max() > LARGE_GROUP * len(groups):
        largest = names[int(counts.argmax())]
        sentences.append(f"One group ({largest}) holds {counts.max() / len(groups):.0%} of the images: is it a person?")
    return sentences


def _labels(data_set: DataSet) -> list[str]:
    sentences = [
        f"Class {name!r} reads like a missing label; leave it blank if it is."
        for name in data_set.classes
        if is_missing(name)
    ]
    twins = defaultdict(list)
    for name in data_set.classes:
        twins[plain_identifier(name) or name].append(name)
    sentences += [
        f"Classes {' and '.join(map(repr, names))} are one in another spelling."
        for names in twins.values()
        if len(names) > 1
    ]
    if data_set.classes and all(split_name(name) for name in data_set.classes):
        sentences.append(
            f"The classes ({', '.join(data_set.classes)}) are named like splits: were folders of splits taken for classes?"
        )
    return sentences


def _marked_synthetic(data_set: DataSet) -> list[str]:
    if data_set.synthetic:
        return []
    try:
        marked = sum(bool(row_mark(row)) for row in data_set.table.astype(str).to_dict("index").values())
    except UserError as error:
        return [f"Whether images are synthetic cannot be told: {error}."]
    return [f"{marked} images are marked as made by an algorithm, in a set that is not synthetic."] if marked else []
