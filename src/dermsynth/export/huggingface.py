"""Export of a synthetic set: a copy without flagged images, with a data card."""

import logging
import posixpath
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.file_names import path_inside
from dermsynth.data.identity import names_somebody
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.verification import verify
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import COLUMNS, Copies, copies_of
from dermsynth.evaluation.results import Evaluation, evaluation_of
from dermsynth.export.card import CARD, card
from dermsynth.export.croissant import CROISSANT, croissant
from dermsynth.export.fingerprints import write_registry
from dermsynth.export.licences import Terms, terms_of
from dermsynth.export.signing import MADE, SigningKey, sign_images
from dermsynth.io import replace_folder, write_json, write_text

log = logging.getLogger(__name__)
FLAG = "copy_flag"
COUNTED = ("schema", "program", "images", "classes", "content_hash")
"""Facts of a description that are of the folder they stand in."""
PLACES = ("run", "source", "maps", "trained_on", "trained_on_files")
ORIGINS = ("copy_of", "group", "source_image", "source_mask", "source_map", "conditioned_on")
"""What names files and folders of the private side: it stays behind."""


def export(
    data_set: DataSet,
    out: Path,
    *,
    with_flagged: bool = False,
    evaluation: Path | None = None,
    licence: Sequence[str] = (),
    data: Path | None = None,
    key: SigningKey | None = None,
) -> DataSet:
    """Copy a synthetic set into a new folder and write its data card, for people and for programs.

    Parameters
    ----------
    data_set : DataSet
        A synthetic set, which the copy gate has seen.
    out : Path
        The new folder.
    with_flagged : bool
        Whether images that the copy gate flagged are exported, too.
    evaluation : Path, optional
        The folder with the set's evaluation; by default `assessment` in the set. Results of other images do not count.
    licence : sequence of str
        Licences of the release; by default those that the set, or the real images behind it, are under.
    data : Path, optional
        The data set that the generator was trained on, if it was moved.
    key : SigningKey, optional
        What a signed manifest in every image is written with.

    Returns
    -------
    DataSet
        The exported set.

    Raises
    ------
    UserError
        When the set is real, its images are not those that were generated, it was never checked for copies, no
        licence is known, or nothing is left.
    """
    if not data_set.synthetic:
        raise UserError(f"{data_set.folder}: real images; only synthetic sets are exported")
    require_empty(out)
    _refuse_real_rows(data_set)
    _refuse_repeated(data_set)
    verify(data_set, full=True)
    result = _evaluation(data_set, evaluation)
    copies = _checked(data_set, copies_of(data_set, evaluation), result, with_flagged)
    keep = np.ones(len(data_set.table), bool) if with_flagged or copies is None else ~copies.flagged
    if not keep.any():
        raise UserError(f"{data_set.folder}: every image is flagged as a copy; nothing is left to export")
    terms = terms_of(data_set, licence, data)
    table = _exported_table(data_set, copies)[keep].reset_index(drop=True)
    left_out = int((~keep).sum())
    step = Step(
        command="dermsynth export", left_out=left_out, with_flagged=with_flagged, checked_for_copies=copies is not None,
        signed=key is not None,
    )  # fmt: skip
    with replace_folder(out) as work:
        _copy_files(data_set.folder, table, work)
        if key is not None:
            sign_images(work, list(table["file_name"]), key, data_set.provenance.digital_source_type or MADE)
        written = write_data_set(work, table, _provenance(data_set, copies, terms), step)
        _describe(written, result, terms, out.name)
    return open_data_set(out)


def _describe(written: DataSet, result: Evaluation | None, terms: Terms, name: str) -> None:
    """Put the card, its twin for programs and the fingerprints beside the images."""
    write_text(written.folder / CARD, card(written, result, terms, name))
    write_json(written.folder / CROISSANT, croissant(written, terms, result, name))
    write_registry(written.folder, list(written.table["file_name"]), written.content_hash, name)


def _copy_files(folder: Path, table: pd.DataFrame, work: Path) -> None:
    for column in ("file_name", "mask_file_name"):
        for name in filter(None, table.get(column, ())):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path_inside(folder, name), work / name)


def _exported_table(data_set: DataSet, copies: Copies | None) -> pd.DataFrame:
    """The set's table with what the copy gate says, without what names files of the private side."""
    table = data_set.table
    if copies is not None:
        columns = {name: copies.table[name].to_numpy() for name in COLUMNS if name in copies.table}
        table = table.assign(**columns).assign(**{FLAG: np.where(copies.flagged, "true", "false")})
    private = [str(column) for column in table if column in ORIGINS or names_somebody(str(column))]
    named = [column for column in private if column not in ORIGINS]
    if named:
        log.warning(
            f"columns {', '.join(named)}: left behind; they may say which patient or photograph an image is from"
        )
    return table.drop(columns=private)


def _provenance(data_set: DataSet, copies: Copies | None, terms: Terms) -> Provenance:
    """What the set's description says that is also true of its copy, and its terms."""
    document = data_set.provenance.document
    facts = {key: value for key, value in document.items() if key not in (*COUNTED, "copy_gate")}
    if copies is not None and copies.facts is not None:
        facts["copy_gate"] = copies.facts.document
    generator = {k: v for k, v in data_set.provenance.generator.document.items() if k not in PLACES}
    real = terms.real.model_dump()
    return Provenance.model_validate(
        {**facts, "licence": list(terms.licence), "real_images": real, "generator": generator}
    )


def _checked(data_set: DataSet, copies: Copies | None, result: Evaluation | None, with_flagged: bool) -> Copies | None:
    """What the copy gate says of all images; None where it has not seen them all and all are wanted.

    Raises UserError where it has not, unless `with_flagged`.
    """
    if copies is not None and not copies.missing:
        return copies
    if with_flagged:
        return None
    if copies is not None:
        raise UserError(f"{data_set.folder}: {copies.missing}")
    reason = (result.copying_refused if result else "") or "run dermsynth evaluate first"
    raise UserError(f"{data_set.folder}: not checked for copies ({reason}); `with_flagged` exports every image")


def _refuse_real_rows(data_set: DataSet) -> None:
    """Raise UserError for rows whose own column says that a generator did not make them."""
    if "synthetic" not in data_set.table:
        return
    real = data_set.flags("synthetic") == 0
    if real.any():
        first = data_set.table["file_name"].to_numpy()[real][0]
        raise UserError(
            f"{data_set.folder}: {real.sum()} rows are not synthetic, the first {first}; only synthetic images are exported"
        )


def _refuse_repeated(data_set: DataSet) -> None:
    """Raise UserError where a file stands in several rows, which may say different things of it."""
    names = [posixpath.normpath(name) for name in data_set.table["file_name"]]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(
            f"{data_set.folder}: {len(repeated)} images stand in several rows of metadata.csv, the first {repeated[0]}; "
            "leave one row of each"
        )


def copies_said(exported: DataSet) -> str:
    """What an export did about copies, in a few words."""
    step = exported.provenance.history[-1]
    if not step.checked_for_copies:
        return "never checked for copies of training images"
    if step.with_flagged:
        return f"{int((exported.flags(FLAG) == 1).sum())} flagged ones among them"
    return f"{step.left_out} flagged ones left out"


def _evaluation(data_set: DataSet, place: Path | None) -> Evaluation | None:
    """The evaluation of exactly these images, if there is one that this version can read."""
    try:
        return evaluation_of(data_set, place)
    except UserError as error:
        if place is not None:
            raise
        log.warning("%s", error)
        return None
