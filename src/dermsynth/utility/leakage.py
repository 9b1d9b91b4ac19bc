"""Leakage checks: training, generation and test images must not overlap."""

from collections.abc import Mapping

import numpy as np

from dermsynth.data.claims import held_out_sources, other_set, seen_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import twins_between
from dermsynth.data.provenance import LISTED
from dermsynth.errors import UserError
from dermsynth.evaluation.generator_metrics import same_division
from dermsynth.training.pretrained import trained_on


def check_origin(synthetic: DataSet, real: DataSet, *, trust: bool = False) -> None:
    """The generator must have seen the training split of this real set and nothing else; a claim of that needs `trust`."""
    generator = synthetic.provenance.generator
    if not synthetic.synthetic or not generator.known:
        raise UserError(
            f"{synthetic.folder}: says nothing of its generator; a set is needed from dermsynth generate, or from "
            "dermsynth import --synthetic"
        )
    if generator.claimed:
        _check_claim(synthetic, real, trust=trust)
    elif generator.data_hash != real.whole_hash and not _is_unseen(real, generator.data_hash, synthetic):
        raise UserError(
            f"{synthetic.folder}: its generator was trained on another set than {real.folder}; it may have seen the test images"
        )
    trained_on = generator.document.get("split")
    if trained_on not in ("train", LISTED):
        raise UserError(
            f"{synthetic.folder}: its generator was trained on the split {trained_on!r}, test images included; "
            "train one with `split` train"
        )


def _check_claim(synthetic: DataSet, real: DataSet, *, trust: bool) -> None:
    """A claimed training set must be the training split of this real set, or images of it, and be believed."""
    generator = synthetic.provenance.generator
    if other := other_set(generator, real):
        raise UserError(f"{synthetic.folder}: {other}; its generator may have seen the test images")
    outside = seen_images(generator, real) & ~real.in_split("train")
    if generator.split == LISTED and outside.any():
        first = real.table["file_name"].to_numpy()[outside][0]
        raise UserError(
            f"{synthetic.folder}: {outside.sum()} images its generator was trained on are not in the split train of "
            f"{real.folder}, the first {first}; it has seen validation or test images"
        )
    if not trust:
        raise UserError(f"{synthetic.folder}: {generator.claim}; `trust_provenance` takes the claim as it is")


def check_history(synthetic: DataSet, real: DataSet) -> None:
    """The split must still be the one that was trained on, and so must that of the runs whose weights training began with."""
    generator = synthetic.provenance.generator
    for earlier in generator.earlier:
        own = (earlier.data_hash, earlier.split) == (real.whole_hash, "train")
        if not own and not _is_unseen(real, earlier.data_hash, synthetic):
            raise UserError(
                f"{synthetic.folder}: its generator began with the weights of {earlier.run!r}, which was not trained on the "
                f"training split of {real.folder}; it may have seen the test images"
            )
    elsewhere = generator.data_hash != real.whole_hash and trained_on(generator.data_hash) is not None
    if not elsewhere and not same_division(synthetic, real):
        raise UserError(
            f"{real.folder}: divided or labelled in another way since {synthetic.folder}'s generator was trained"
        )


def _is_unseen(real: DataSet, data_hash: str, synthetic: DataSet) -> bool:
    """Whether a set was that of a generator of this package, which has seen no held-out photograph of `real`.

    Raises UserError where it has seen one.
    """
    known = trained_on(data_hash)
    if known is None:
        return False
    held_out = real.part(~real.in_split("train"))
    seen = known.has_seen(held_out.paths)
    if seen.any():
        raise UserError(
            f"{synthetic.folder}: its generator began with {known.name!r}, which was trained on {seen.sum()} of the "
            f"{len(seen)} held-out images of {real.folder}, the first {held_out.table['file_name'].iloc[seen.argmax()]}; "
            "train one from nothing for this set"
        )
    return True


def check_sources(synthetic: DataSet, real: DataSet) -> None:
    """Translated images, and images of maps, must come from training images of the real set."""
    generator = synthetic.provenance.generator
    for split in (generator.source_split, generator.maps_split):
        if split not in ("train", ""):
            raise UserError(
                f"{synthetic.folder}: made from images of the split {split!r}, test images included; make it with "
                "`split` train"
            )
    if generator.source_hash not in ("", real.whole_hash):
        raise UserError(f"{synthetic.folder}: made from photographs of another set than {real.folder}")
    _check_conditions(synthetic, real)
    held_out = set(synthetic.splits) - {"", "train"}
    if held_out:
        raise UserError(f"{synthetic.folder}: holds images made from the splits {', '.join(sorted(held_out))}")


def _check_conditions(synthetic: DataSet, real: DataSet) -> None:
    """No image may be made from a real one that is not in the training split, or whose patient or lesion has others outside."""
    held_out = ~real.in_split("train")
    sources = held_out_sources(synthetic, real, held_out, strict=True)
    if sources:
        own = held_out[(real.table["file_name"] == sources[0]).to_numpy()].any()
        why = "which is held out" if own else "whose patient or lesion has held-out images"
        raise UserError(
            f"{synthetic.folder}: {len(sources)} images were made from real ones that are held out, or of their groups: the "
            f"first from {sources[0]}, {why}; leave these rows out"
        )


def check_groups(parts: dict[str, DataSet]) -> None:
    """No patient or lesion may be trained on and tested."""
    split_of: dict[str, str] = {}
    for name, rows in parts.items():
        for group in sorted(set(rows.groups) - {""}):
            if split_of.setdefault(str(group), name) != name:
                raise UserError(
                    f"group {group!r}: in the splits {split_of[str(group)]} and {name}; divide the set anew"
                )


def check_twins(parts: Mapping[str, DataSet]) -> None:
    """No photograph of another part may be in the training split once more, as a file of its own."""
    held_out = [(name, path) for name in ("validation", "test") for path in parts[name].paths]
    twins = twins_between([path for _, path in held_out], parts["train"].paths)
    if len(twins):
        (name, path), train = held_out[twins[0][0]], parts["train"]
        count = sum(held_out[i][0] == name for i in np.unique(twins[:, 0]))
        raise UserError(
            f"{train.folder}: {count} photographs of the split {name} are in the split train too, for example "
            f"{path.relative_to(train.folder)} and {train.table['file_name'].iloc[twins[0][1]]}; "
            "give them one group and import the set anew"
        )


def check_claimed_twins(synthetic: DataSet, parts: Mapping[str, DataSet]) -> None:
    """No image made elsewhere may be a photograph that is held out: what is claimed of its generator would not be true."""
    if not synthetic.provenance.generator.claimed:
        return
    for name in ("validation", "test"):
        twins = twins_between(synthetic.paths, parts[name].paths)
        if len(twins):
            first, photograph = (
                rows.table["file_name"].iloc[i] for rows, i in zip((synthetic, parts[name]), twins[0], strict=True)
            )
            raise UserError(
                f"{synthetic.folder}: {len(np.unique(twins[:, 0]))} images are photographs of the split {name}, for example "
                f"{first} and {photograph}: what is claimed of the generator is not true, it has seen held-out images"
            )


def without_overlap(other: DataSet, real: DataSet, *, drop: bool) -> DataSet:
    """An external set without photographs of the real one.

    Raises UserError, with examples, when there are any and they are not to be dropped.
    """
    across = twins_between(other.paths, real.paths)
    if len(across) == 0:
        return other
    same = np.unique(across[:, 0])
    if not drop:
        first, second = across[0]
        raise UserError(
            f"{other.folder}: {len(same)} images are also in {real.folder}, for example "
            f"{other.table['file_name'].iloc[first]} and {real.table['file_name'].iloc[second]}; "
            "leave them out with `drop_overlap`"
        )
    return other.part(~np.isin(np.arange(len(other.table)), same))
