"""Data sets become the material of a utility experiment: splits, external tests, strata; leakage is refused."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.verification import verify
from dermsynth.data.writing import TEXT_COLUMNS
from dermsynth.errors import UserError
from dermsynth.evaluation.feature_cache import appearances, decoding_of
from dermsynth.evaluation.subgroups import skin_tones
from dermsynth.utility.classifier import Examples
from dermsynth.utility.leakage import (
    check_claimed_twins,
    check_groups,
    check_history,
    check_origin,
    check_sources,
    check_twins,
    without_overlap,
)
from dermsynth.utility.material import Classes, Copies, HeldOut, Material, Stratum, SyntheticImages
from dermsynth.utility.views import MASKED, Look, View, has_masks, look_of
from dermsynth.values import is_missing, meaning, numbers

MOST_VALUES = 8
"""Values up to which a column is looked at value by value."""
PARTS = ("train", "validation", "test")


def collect_material(
    real: DataSet,
    synthetic: DataSet,
    classes: Classes,
    external: Sequence[DataSet] = (),
    *,
    drop_overlap: bool = False,
    columns: Sequence[str] = (),
    variants: Mapping[str, DataSet] | None = None,
    generators: Sequence[DataSet] = (),
    trust_provenance: bool = False,
    decoding: Decoding | None = None,
    view: View = "whole",
    synthetic_shown: bool = True,
) -> Material:
    """Divide the real set by its splits, check where the synthetic set comes from, and add external test sets.

    `variants` are further synthetic sets of the same generator's kind (edited, or without artefacts), checked in the same way,
    or edited copies of the real set. `generators` are sets of further generators, trained by the same method. Test images are
    also looked at by skin tone and by the values of columns: the named ones and all of few values or of numbers. With
    `trust_provenance`, what sets made elsewhere claim of their generator is taken as it is. `decoding` is the size of all
    images, by default that of the first synthetic one. All sets are seen in one `view`. Where it needs masks and no arm shows
    the synthetic images (`synthetic_shown`), a synthetic set without masks is left out.

    Raises UserError when the generator has seen test images or may have, a split is missing or too small, groups or twins lie
    in two splits, an external image is one of the real set's (which `drop_overlap` leaves out instead), or no test set has a
    column.
    """
    variants = variants or {}
    edited = {name: rows for name, rows in variants.items() if is_copy(rows, real)}
    further = {name: rows for name, rows in variants.items() if name not in edited}
    made = [synthetic, *generators, *further.values()]
    _check_sets(real, made, [*external, *edited.values()], trust=trust_provenance)
    _check_generators([synthetic, *generators])
    _check_names(real, external)
    chosen, decoding = decoding is not None, decoding or decoding_of(synthetic)
    parts = _parts(real, classes)
    for data_set in made:
        check_claimed_twins(data_set, parts)
    look = look_of(view, decoding, parts["train"])
    if view in MASKED and not synthetic_shown and not has_masks(synthetic):
        rows = synthetic.part(np.zeros(len(synthetic), bool))
        images = np.empty((0, 3, decoding.height, decoding.width), np.uint8)
    else:
        rows, images = _synthetic_images(synthetic, look, classes)
    tests = [_held_out(f"{real.folder.name} (held out)", parts["test"], look, classes, columns)]
    tests += [_external(other, real, look, classes, columns, drop_overlap) for other in external]
    _check_columns(columns, tests, real)
    return Material(
        training=parts["train"],
        training_images=look.images(parts["train"]),
        synthetic=rows,
        synthetic_images=images,
        validation=Examples(look.images(parts["validation"]), classes.truth(parts["validation"])),
        validation_rows=parts["validation"],
        tests=tests,
        classes=classes,
        decoding=decoding,
        chosen=chosen,
        variants={name: _synthetic_images(variant, look, classes) for name, variant in further.items()},
        generators=[_synthetic_images(data_set, look, classes) for data_set in generators],
        copies={name: _copies(copy, parts["train"], look) for name, copy in edited.items()},
        view=view,
    )


def is_copy(data_set: DataSet, real: DataSet) -> bool:
    """Whether a set is an edited copy of the real one, as `dermsynth artefacts remove` and `insert` make them."""
    return not data_set.synthetic and data_set.provenance.edited_from == real.whole_hash


def _check_sets(real: DataSet, synthetic: Sequence[DataSet], further: Sequence[DataSet], *, trust: bool) -> None:
    if real.synthetic:
        raise UserError(f"`real` {real.folder}: a synthetic set; it takes the set that the generator was trained on")
    for data_set in (real, *synthetic, *further):
        verify(data_set)
    for data_set in synthetic:
        check_origin(data_set, real, trust=trust)
        check_sources(data_set, real)
        check_history(data_set, real)


def _check_generators(data_sets: Sequence[DataSet]) -> None:
    """Raise UserError where two sets are from one training, so that they differ in nothing but seeds, or of two families."""
    known: dict[str, DataSet] = {}
    first = data_sets[0].provenance.generator
    for data_set in data_sets:
        generator = data_set.provenance.generator
        if generator.recipe != first.recipe:
            raise UserError(
                f"`generators` {data_set.folder}: of the family {generator.recipe or 'unknown'!r}, {data_sets[0].folder} of "
                f"{first.recipe or 'unknown'!r}; another method is a variant: `variants` NAME"
            )
        for key in filter(None, (generator.checkpoint, generator.run, data_set.content_hash)):
            if key in known:
                raise UserError(
                    f"`generators` {data_set.folder}: from the same generator as {known[key].folder}; train another one, from "
                    "another seed, and generate a set from it"
                )
            known[key] = data_set


def _check_names(real: DataSet, external: Sequence[DataSet]) -> None:
    """Raise UserError where two test sets have folders of one name, which identifies them in results."""
    names = [real.folder.name, *(other.folder.name for other in external)]
    if len(set(names)) < len(names):
        raise UserError(f"`tests`: two sets named {max(names, key=names.count)!r}; rename a folder")


def _check_columns(columns: Sequence[str], tests: Sequence[HeldOut], real: DataSet) -> None:
    for column in columns:
        if not any(column in test.rows.table for test in tests):
            there = ", ".join(str(name) for name in tests[0].rows.table.columns)
            raise UserError(f"`by` {column!r}: no such column in any test set; {real.folder} has: {there}")


def _parts(real: DataSet, classes: Classes) -> dict[str, DataSet]:
    """Training, validation and test images of the classes; no group and no photograph is in two of them."""
    parts = {name: classes.of(_split(real, name), f"{real.folder}, split {name}") for name in PARTS}
    check_groups({name: _split(real, name) for name in PARTS})
    check_twins(parts)
    return parts


def _copies(edited: DataSet, training: DataSet, look: Look) -> Copies:
    """The copies of training images, in the order of these."""
    places = {name: row for row, name in enumerate(training.table["file_name"])}
    copies = edited.part(np.isin(edited.table["edited_from"].to_numpy(str), list(places)))
    rows = np.array([places[name] for name in copies.table["edited_from"]], np.int64)
    order = np.argsort(rows)
    return Copies(rows[order], look.images(copies)[order], edited.content_hash)


def _external(
    other: DataSet, real: DataSet, look: Look, classes: Classes, columns: Sequence[str], drop: bool
) -> HeldOut:
    """A further test set, without photographs of the real one."""
    if other.synthetic:
        raise UserError(f"`tests` {other.folder}: a synthetic set; usefulness is tested on real images")
    if other.whole_hash == real.whole_hash:
        raise UserError(f"`tests` {other.folder}: the same images as `real`, whose test split is used already")
    rows = without_overlap(classes.of(other, str(other.folder)), real, drop=drop)
    return _held_out(other.folder.name, classes.of(rows, str(other.folder)), look, classes, columns)


def _synthetic_images(data_set: DataSet, look: Look, classes: Classes) -> SyntheticImages:
    rows = classes.of(data_set, str(data_set.folder), both=False)
    return SyntheticImages(rows, look.images(rows))


def _split(real: DataSet, name: str) -> DataSet:
    if not real.divided:
        raise UserError(f"{real.folder}: no column split; import the set with one")
    return real.split(name)


def _held_out(name: str, rows: DataSet, look: Look, classes: Classes, columns: Sequence[str]) -> HeldOut:
    whole = np.asarray(decode_images(rows, look.decoding))
    tones = skin_tones(appearances(rows, whole, look.decoding))
    strata = [Stratum("skin tone", str(tone), tones == tone) for tone in np.unique(tones) if tone]
    for column in dict.fromkeys([*columns, *telling_columns(rows.table)]):
        if column in rows.table:
            strata += strata_of(rows.table, column)
    return HeldOut(name, rows, look.images(rows), classes.truth(rows), strata)


def telling_columns(table: pd.DataFrame) -> list[str]:
    """Columns whose values are analysed separately: those of two to eight values, and those of numbers."""
    columns = [str(column) for column in table.columns if column not in TEXT_COLUMNS]
    return [column for column in columns if 2 <= len(strata_of(table, column, most=MOST_VALUES)) <= MOST_VALUES]


def strata_of(table: pd.DataFrame, column: str, most: int | None = None) -> list[Stratum]:
    """A stratum a value, whatever its spelling; of many numbers the lower and the upper half.

    Rows without a value are in none. With `most`, text of more values has no strata.
    """
    cells = [str(cell) for cell in table[column]]
    halves = _halves(table, column)
    if halves:
        return halves
    spelling: dict[object, str] = {}
    values = np.array(["" if is_missing(cell) else spelling.setdefault(meaning(cell), cell) for cell in cells], object)
    if most is not None and len(spelling) > most:
        return []
    return [Stratum(column, value, values == value) for value in sorted(spelling.values())]


def _halves(table: pd.DataFrame, column: str) -> list[Stratum]:
    """Up to the median and above it, where a column has more than eight numbers; empty for others."""
    try:
        values = numbers(table, column)
    except UserError:
        return []
    measured = np.isfinite(values)
    if len(np.unique(values[measured])) <= MOST_VALUES:
        return []
    middle = float(np.median(values[measured]))
    return [
        Stratum(column, f"up to {middle:g}", measured & (values <= middle)),
        Stratum(column, f"above {middle:g}", measured & (values > middle)),
    ]
