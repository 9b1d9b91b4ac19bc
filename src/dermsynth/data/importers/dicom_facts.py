"""What a DICOM file says of its patient: what a table may hold of it, under which pseudonym, and what is not copied."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dermsynth.values import is_missing, plain_identifier

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

OLDEST = 89
"""Older people are few enough to be recognised by their age (HIPAA, safe harbour)."""
OLD_NOTE = f"ages above {OLDEST} made {OLDEST + 1}"
SEX = {"M": "male", "F": "female", "O": "other"}
SIDES = {"R": "right", "L": "left", "U": "unpaired", "B": "both"}
DERMOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.7"
"""Dermoscopic Photography Image Storage."""
_PUBLIC = re.compile(r"(ISIC|IP|IL)_\d{7}", re.IGNORECASE)
"""Numbers that the ISIC Archive gives to images, patients and lesions."""
PHOTOGRAPHS = ("1.2.840.10008.5.1.4.1.1.77.1", "1.2.840.10008.5.1.4.1.1.7")
"""Beginnings of the kinds of visible light images, and of secondary captures, as which older systems store photographs."""
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_FITZPATRICK = {name: str(number) for number, name in enumerate(("I", "II", "III", "IV", "V", "VI"), 1)}
_COPIED = ("PatientID", "PatientAge", "PatientSex", "AnatomicRegionSequence", "BodyPartExamined", "ImageLaterality",
           "Laterality", "Modality", "TrackingUID", "SOPClassUID", "BurnedInAnnotation", "RecognizableVisualFeatures",
           "PatientIdentityRemoved")  # fmt: skip
_TECHNICAL_GROUPS = (0x0002, 0x0028, 0x7FE0)
_PERSONAL_KINDS = ("PN", "DA", "DT")
"""Value representations of names and dates."""


def pseudonym(key: bytes, text: str) -> str:
    """A name that nobody traces back without the key: HMAC-SHA256 of the identifier in one spelling, 64 bits."""
    digest = hmac.new(key, plain_identifier(text).encode(), hashlib.sha256).hexdigest()
    return f"p{digest[:16]}"


def patient_of(header: "Dataset", key: bytes) -> str:
    """Pseudonym of the patient; where none is named that of the study, else of a file of several frames, else nothing."""
    number, birth = _text(header, "PatientID"), _text(header, "PatientBirthDate")
    name = _text(header, "PatientName").replace("^", " ").strip()
    if not is_missing(number):
        return pseudonym(key, number)
    if birth and not is_missing(name):
        return pseudonym(key, f"{name} {birth}")
    study = _text(header, "StudyInstanceUID") or _text(header, "SOPInstanceUID")
    return pseudonym(key, study) if study else ""


def facts_of(header: "Dataset", key: bytes) -> dict[str, str]:
    """Columns of a table that a file fills."""
    region = _coded(header, "AnatomicRegionSequence") or _text(header, "BodyPartExamined").lower()
    side = _text(header, "ImageLaterality") or _text(header, "Laterality")
    dermoscopic = _text(header, "SOPClassUID") == DERMOSCOPY or _text(header, "Modality") == "DMS"
    lesion = _text(header, "TrackingUID")
    columns = {
        "age": age_of(header),
        "sex": SEX.get(_text(header, "PatientSex").upper(), ""),
        "site": region,
        "laterality": SIDES.get(side.upper(), ""),
        "image_type": "dermoscopic" if dermoscopic else "",
        "fitzpatrick": _skin_type(header),
        "lesion_id": pseudonym(key, lesion) if lesion else "",
    }
    return {name: value for name, value in columns.items() if value}


def age_of(header: "Dataset") -> str:
    """Age in years, as the file has it or by two of its dates, at most 90; nothing where it is not known."""
    found = _AGE.fullmatch(_text(header, "PatientAge").upper())
    years = int(found[1]) * _YEARS[found[2]] if found else _years_by_dates(header)
    if years is None:
        return ""
    return f"{min(years, OLDEST + 1):.3g}"


def _years_by_dates(header: "Dataset") -> int | None:
    born = _text(header, "PatientBirthDate")
    seen = next((t for n in ("AcquisitionDate", "ContentDate", "StudyDate") if (t := _text(header, n))), "")
    if not (re.fullmatch(r"\d{8}", born) and re.fullmatch(r"\d{8}", seen)) or seen < born:
        return None
    return int(seen[:4]) - int(born[:4]) - (seen[4:] < born[4:])


def _skin_type(header: "Dataset") -> str:
    """Fitzpatrick's skin type, 1 to 6, where the context of the acquisition names it."""
    for item in header.get("AcquisitionContextSequence") or []:
        meaning = _coded(item, "ConceptCodeSequence") or _text(item, "TextValue")
        if "fitzpatrick" in f"{_coded(item, 'ConceptNameCodeSequence')} {meaning}".casefold():
            found = re.search(r"\b(VI|IV|V|I{1,3}|[1-6])\b", meaning)
            return _FITZPATRICK.get(found[1], found[1]) if found else ""
    return ""


def _coded(header: "Dataset", keyword: str) -> str:
    """The meaning of the first code of a sequence."""
    items = header.get(keyword) or []
    return _text(items[0], "CodeMeaning") if items else ""


def _text(header: "Dataset", keyword: str) -> str:
    value: Any = header.get(keyword)
    return "" if value is None else str(value).strip()


def doubts_of(header: "Dataset") -> list[str]:
    """What the pixels themselves may say of a patient, and whether they are a photograph."""
    doubts = []
    kind = header.get("SOPClassUID")
    if kind is not None and not str(kind).startswith(PHOTOGRAPHS):
        doubts.append(f"no photograph by its kind ({' '.join(str(getattr(kind, 'name', kind)).split())})")
    if _text(header, "BurnedInAnnotation").upper() == "YES":
        doubts.append("its pixels may show the patient's name (BurnedInAnnotation)")
    if _text(header, "RecognizableVisualFeatures").upper() == "YES":
        doubts.append("its pixels may show a face (RecognizableVisualFeatures)")
    return doubts


def not_copied(header: "Dataset") -> tuple[list[str], int]:
    """Keywords of names, dates and everything of the patient that a file holds, and how many other attributes stay behind."""
    personal, others = [], 0
    for element in header:
        if element.tag.group in _TECHNICAL_GROUPS or element.keyword in _COPIED:
            continue
        of_patient = element.tag.group == 0x0010 or element.VR in _PERSONAL_KINDS or "Institution" in element.keyword
        if of_patient and element.keyword and element.value:
            personal.append(element.keyword)
        else:
            others += 1
    return personal, others


class Person:
    """The texts by which a file names its patient: number, names, accession, date of birth, and its own identifiers."""

    def __init__(self, header: "Dataset") -> None:
        declared = _text(header, "PatientIdentityRemoved").upper() == "YES" or "DeidentificationMethod" in header
        number = _text(header, "PatientID")
        self.number = "" if declared or _PUBLIC.fullmatch(number) else plain_identifier(number)
        self._words = set() if declared else set(_names(header)) - {""}
        self._long = [word for word in self._words if len(word) >= 5]

    def is_number(self, cell: str) -> bool:
        """Whether a cell is the patient's number."""
        plain = plain_identifier(cell)
        return bool(plain) and bool(self.number) and plain.lstrip("0") == self.number.lstrip("0")

    def is_named_by(self, text: str) -> bool:
        """Whether a text, such as a file's name, holds the patient's name or number, or the date of birth."""
        plain = _plain(text)
        words = set(re.split(r"[\W_]+", plain))
        return not self._words.isdisjoint({plain, *words}) or any(word in _squeezed(plain) for word in self._long)


def _names(header: "Dataset") -> Iterator[str]:
    """Every text by which somebody who knows the patient, or has the hospital's archive, finds the file."""
    for keyword in ("PatientID", "AccessionNumber", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        text = _text(header, keyword)
        yield "" if is_missing(text) or _PUBLIC.fullmatch(text) else _squeezed(_plain(text))
    name = _text(header, "PatientName")
    for part in re.split(r"[\W_]+", "" if _PUBLIC.fullmatch(name) else _plain(name)):
        yield part if len(part) > 2 and not is_missing(part) else ""
    born = _text(header, "PatientBirthDate")
    yield from (born, f"{born[6:]}{born[4:6]}{born[:4]}") if len(born) == 8 else ()


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)
