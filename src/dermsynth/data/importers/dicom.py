"""DICOM files among the rows of a source: every frame an image, the patient under a pseudonym, nothing else of the patient."""

import os
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dermsynth.data.file_names import DICOM_SUFFIXES, path_inside
from dermsynth.data.importers.dicom_facts import OLD_NOTE, OLDEST, Person, doubts_of, facts_of, not_copied, patient_of
from dermsynth.data.importers.dicom_pixels import frame_count, is_dicom, read_dicom
from dermsynth.data.importers.sources import ImportOptions, Source, SourceRow
from dermsynth.errors import BadImage, UserError
from dermsynth.images import SUFFIXES
from dermsynth.io import disk_errors
from dermsynth.parallel import parallel_map
from dermsynth.values import is_missing

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FEWEST_LETTERS = 16
"""Of a salt: a shorter one could be guessed."""
PATIENT = "patient"
"""Column of the pseudonym where a table has groups of its own."""
SHORTEST_NAME = 3
"""A shorter class is not taken for a patient's name."""
FEW_FILES = 300
_RANDOM = (
    "patients of DICOM files are groups under a hash with a salt that was drawn for this import and is kept nowhere; "
    "with `salt_file` two imports name them alike"
)
_KEPT = "patients of DICOM files are groups under a hash with the salt of {}; whoever has it finds them again: keep it apart"
_NAMED = "have the patient's name or number in their names or folders; they are called dicom_0001 ... in their order"
_LABEL = "lie in a folder of the patient's name or number, which is no class"
_CELL = "have the patient's name, number or date of birth in the table; it was replaced by the hash, or left out"
_FRAMES = "hold several frames; each is an image"
_NOBODY = "name no patient; their study stands for it"
_DOUBT = "are doubtful: {}"
_DIFFERS = "have another {} than the table, which counts"


@dataclass
class _File:
    """Rows of a DICOM file, what has to be said of it, and which attributes stay behind."""

    rows: list[SourceRow]
    notes: list[str] = field(default_factory=list)
    personal: Sequence[str] = ()
    others: int = 0


def with_dicom(source: Source, options: ImportOptions, out: Path) -> Source:
    """The source with a row for each frame of its DICOM files, their facts as columns and their patients as groups.

    Raises UserError for a salt that cannot be used.
    """
    places = [place for place, row in enumerate(source.rows) if _is_dicom(row, source.folder, options)]
    if not places:
        unused = ["`salt_file` was not used: there is no DICOM file"] if options.salt_file else []
        return replace(source, notes=[*source.notes, *unused])
    key = _salt(options.salt_file, out)
    read = partial(_read_file, source.folder, options, key)
    numbered = [(number, source.rows[place]) for number, place in enumerate(places, 1)]
    files = dict(zip(places, parallel_map(read, numbered, label="reading DICOM", few=FEW_FILES), strict=True))
    patients = {source.rows[place].label: file.rows[0].group for place, file in files.items() if _LABEL in file.notes}
    rows = [
        one
        for place, row in enumerate(source.rows)
        for one in (files[place].rows if place in files else [_beside_patient(row, patients)])
    ]
    notes = _notes(list(files.values()), options.salt_file)
    beside = sum(row.label in patients for place, row in enumerate(source.rows) if place not in files)
    notes += [f"{beside} other images {_LABEL}; they are of the patient's group"] if beside else []
    return replace(source, rows=rows, notes=[*source.notes, *notes])


def _beside_patient(row: SourceRow, patients: Mapping[str, str]) -> SourceRow:
    """The row of another file in a folder that bears a patient's name: no class, and of the patient's group."""
    if row.label not in patients:
        return row
    return replace(row, label="", group=row.group or patients[row.label], name=PurePosixPath(row.image).name)


def _is_dicom(row: SourceRow, folder: Path, options: ImportOptions) -> bool:
    if row.pixels is not None or row.problem or row.image.lower().endswith(SUFFIXES):
        return False
    try:
        return is_dicom(path_inside(folder, row.image, options.roots))
    except UserError:  # reported when the image is read
        return False


def _salt(file: Path | None, out: Path) -> bytes:
    """The secret that is hashed with a patient's number: of a file, which is written where it is not there, or drawn.

    Raises UserError for a file in the new data set, or a short one.
    """
    if file is None:
        return secrets.token_bytes(32)
    if file.resolve().is_relative_to(out.resolve()):
        raise UserError(f"`salt_file` {file}: lies in the data set; whoever has both knows the patients, keep it apart")
    try:
        text = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return _new_salt(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`salt_file` {file}: cannot be read as text ({type(error).__name__})") from error
    if len(text) < FEWEST_LETTERS:
        raise UserError(
            f"`salt_file` {file}: {len(text)} letters; it needs at least {FEWEST_LETTERS}, "
            "or the name of a file that is not there yet: it is written"
        )
    return text.encode()


def _new_salt(file: Path) -> bytes:
    text = secrets.token_hex(32)
    with disk_errors(file), os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(f"{text}\n")
    return text.encode()


def _read_file(folder: Path, options: ImportOptions, key: bytes, numbered: tuple[int, SourceRow]) -> _File:
    """The rows of a file: one for each frame, or one with its problem."""
    number, row = numbered
    path = path_inside(folder, row.image, options.roots)
    try:
        header = read_dicom(path, str(path), pixels=False)
        return _described(header, row, number, key)
    except BadImage as error:
        return _File([replace(row, problem=str(error))])
    except Exception as error:  # values that break the standard show only when they are read
        reason = " ".join(str(error).split())[:120]
        return _File([replace(row, problem=f"{path}: damaged or cut short ({reason})")])


def _described(header: "Dataset", row: SourceRow, number: int, key: bytes) -> _File:
    personal, others = not_copied(header)
    file = _File([], personal=personal, others=others)
    patient, count = patient_of(header, key), frame_count(header)
    if patient and is_missing(str(header.get("PatientID") or "")):
        file.notes.append(_NOBODY)
    row = _without_person(row, Person(header), number, patient, file.notes)
    row = _with_facts(row, facts_of(header, key), patient, file.notes)
    doubts = doubts_of(header)
    row = replace(row, frame=0, doubt="; ".join(filter(None, [row.doubt, *doubts])))
    file.notes += [_DOUBT.format(doubt) for doubt in doubts]
    file.rows = [row] if count == 1 else _frames(row, count)
    file.notes += [_FRAMES] if count > 1 else []
    return file


def _without_person(row: SourceRow, person: Person, number: int, patient: str, notes: list[str]) -> SourceRow:
    """The row without the patient's name, number or date of birth in its name, label, group and cells."""
    if person.is_named_by(PurePosixPath(row.image).stem) or person.is_named_by(row.image):
        row = replace(row, name=f"dicom_{number:04d}.dcm")
        notes.append(_NAMED)
    elif PurePosixPath(row.image).suffix.lower() not in DICOM_SUFFIXES:
        row = replace(row, name=f"{row.image}.dcm")
    if len(row.label) >= SHORTEST_NAME and person.is_named_by(row.label):
        row = replace(row, label="")
        notes.append(_LABEL)
    group = patient if person.is_number(row.group) or person.is_named_by(row.group) else row.group
    columns = {name: _neutral(value, person, patient) for name, value in row.columns.items()}
    if group != row.group or columns != row.columns:
        notes.append(_CELL)
    return replace(row, group=group, columns=columns)


def _neutral(cell: str, person: Person, patient: str) -> str:
    """A cell of a table without the patient: the hash for the number, nothing for what is or holds another name."""
    if person.is_number(cell):
        return patient
    return "" if len(cell) >= SHORTEST_NAME and person.is_named_by(cell) else cell


def _with_facts(row: SourceRow, facts: dict[str, str], patient: str, notes: list[str]) -> SourceRow:
    """The row with the file's facts where its table has none, and the patient as group, or beside another group."""
    given = {name: value for name, value in row.columns.items() if not is_missing(value)}
    notes += [_DIFFERS.format(name) for name, value in facts.items() if given.get(name, value) != value]
    notes += [OLD_NOTE] if facts.get("age") == str(OLDEST + 1) else []
    columns = {**row.columns, **facts, **given}
    if is_missing(row.group):
        return replace(row, columns=columns, group=patient)
    return replace(row, columns={**columns, **({PATIENT: patient} if patient and patient != row.group else {})})


def _frames(row: SourceRow, count: int) -> list[SourceRow]:
    name = PurePosixPath(row.name or row.image)
    problem = "a mask for several frames: of which?" if row.mask and not is_missing(row.mask, words=False) else ""
    return [
        replace(
            row, frame=number, name=str(name.with_name(f"{_stem(name)}_frame{number + 1}.dcm")), mask_problem=problem
        )
        for number in range(count)
    ]


def _stem(name: PurePosixPath) -> str:
    return name.stem if name.suffix.lower() in DICOM_SUFFIXES else name.name


def _notes(files: Sequence[_File], salt_file: Path | None) -> list[str]:
    read = [file for file in files if not file.rows[0].problem]
    if not read:
        return []
    counts = Counter(note for file in read for note in sorted(set(file.notes)))
    named = any(row.group for file in read for row in file.rows)
    notes = [_RANDOM if salt_file is None else _KEPT.format(salt_file.name)] if named else []
    notes += [f"{count} DICOM files{':' if note == OLD_NOTE else ''} {note}" for note, count in counts.items()]
    return notes + _left_behind(read)


def _left_behind(files: Sequence[_File]) -> list[str]:
    """What of the files was not copied, in words."""
    personal = sorted({keyword for file in files for keyword in file.personal})
    others = max(file.others for file in files)
    behind = [", ".join(personal)] if personal else []
    behind += [f"{others} attributes that are not of the patient"] if others else []
    return [f"not copied from DICOM files: {' and '.join(behind)}"] if behind else []
