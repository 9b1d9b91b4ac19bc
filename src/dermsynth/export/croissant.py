"""A release described for programs: `croissant.json`, JSON-LD of Croissant with its vocabulary for responsible AI.

References
----------
Croissant Format Specification 1.1 and Croissant RAI 1.0, MLCommons: https://docs.mlcommons.org/croissant.
"""

from collections.abc import Sequence
from mimetypes import guess_type
from typing import Any

from dermsynth import __version__
from dermsynth.data.dataset import DataSet
from dermsynth.data.folder import METADATA
from dermsynth.evaluation.results import Evaluation
from dermsynth.export.features import Feature, features_of
from dermsynth.export.licences import Terms, licence_address
from dermsynth.export.origins import how_collected, personal_columns, what_labels_are, what_of_copies, what_they_are
from dermsynth.io import file_hash

CROISSANT = "croissant.json"
VERSION = "http://mlcommons.org/croissant/1.1"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
TERMS = """
citeAs column conformsTo equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset
jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source subField
transform
""".split()  # noqa: SIM905
"""Words of the Croissant vocabulary that stand without their prefix."""
TYPES = {"string": "sc:Text", "int64": "cr:Int64", "float64": "cr:Float64", "bool": "sc:Boolean"}
IMAGES = "image-files"


def croissant(data_set: DataSet, terms: Terms, evaluation: Evaluation | None, name: str) -> dict[str, Any]:
    """The JSON-LD of an exported set called `name`: its files, one record an image, and what is known of its making."""
    features = features_of(data_set.folder / METADATA)
    addresses = [licence_address(licence) for licence in terms.licence]
    facts = {
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI],
        "name": name,
        "description": f"{len(data_set.table)} {what_they_are(data_set)}.",
        "license": addresses if len(addresses) > 1 else addresses[0],
        "keywords": ["synthetic", "dermatology", "medical", *data_set.classes],
        "version": "1.0.0",
        "identifier": data_set.content_hash,
        "isLiveDataset": False,
        "distribution": _files(data_set),
        "recordSet": [_records(features)],
    }
    if terms.real.attribution:
        facts["creditText"] = "; ".join(terms.real.attribution)
    return {**facts, **responsible(data_set, terms, evaluation)}


def context() -> dict[str, Any]:
    """The words of the file and the vocabularies that they are of."""
    words: dict[str, Any] = {"conformsTo": "dct:conformsTo"}
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        **{term: words.get(term, f"cr:{term}") for term in TERMS},
    }


def _files(data_set: DataSet) -> list[dict[str, Any]]:
    """The table, and the image files that it names."""
    table = {
        "@type": "cr:FileObject",
        "@id": METADATA,
        "name": METADATA,
        "contentUrl": METADATA,
        "encodingFormat": "text/csv",
        "sha256": file_hash(data_set.folder / METADATA),
    }
    endings = sorted({path.suffix for path in data_set.paths})
    formats = sorted({guess_type(f"image{ending.lower()}")[0] or "image/*" for ending in endings})
    images = {
        "@type": "cr:FileSet",
        "@id": IMAGES,
        "name": IMAGES,
        "description": "One image a row of the table.",
        "encodingFormat": formats if len(formats) > 1 else formats[0],
        "includes": [f"images/{place}*{ending}" for place in ("", "**/") for ending in endings],
    }
    return [table, images]


def _records(features: Sequence[Feature]) -> dict[str, Any]:
    """One record a row of the table: the pixels of an image, and every column of the row that names it."""
    name = _field("file_name", "sc:Text", {
        "fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "fullpath"}, "transform": {"regex": "(.+)"},
    })  # fmt: skip
    name["references"] = _column("file_name")
    pixels = _field("image", "sc:ImageObject", {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "content"}})
    columns = [
        _field(feature.column, TYPES.get(feature.kind, "sc:Text"), _column(feature.column))
        for feature in features
        if feature.column != "file_name"
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "One record an image.",
        "key": {"@id": "images/file_name"},
        "field": [name, pixels, *columns],
    }


def _column(name: str) -> dict[str, Any]:
    return {"fileObject": {"@id": METADATA}, "extract": {"column": name}}


def _field(name: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"images/{name}", "name": name, "dataType": kind, "source": source}


def responsible(data_set: DataSet, terms: Terms, evaluation: Evaluation | None) -> dict[str, str]:
    """What is known of the making, the bounds and the use of the images, in the vocabulary for responsible AI."""
    personal = ", ".join(personal_columns(data_set))
    people = f"Columns {personal}, as the images came with them" if personal else "No column is about a patient"
    real = terms.real.source or "a source that is not known here"
    licence = ", ".join(terms.real.licence) or "not known"
    return {
        "rai:dataCollection": how_collected(data_set),
        "rai:dataCollectionType": "Software Collection",
        "rai:dataCollectionRawData": f"Real images from {real}; licence: {licence}.",
        "rai:dataPreprocessingProtocol": f"Copied by dermsynth {__version__}. {what_of_copies(data_set.provenance.history[-1])}",
        "rai:dataAnnotationProtocol": what_labels_are(data_set),
        "rai:dataBiases": "The shares and errors of the training images come along; rare findings and rare skin tones may be "
        "missing or wrong.",
        "rai:dataLimitations": _limits(evaluation),
        "rai:dataUseCases": "Research; training classifiers whose gain was measured on real images. Not for diagnosis.",
        "rai:dataSocialImpact": "A synthetic image is not anonymous because it is synthetic: it may repeat a training image.",
        "rai:personalSensitiveInformation": f"{people}; real patients stand behind the training images.",
    }  # fmt: skip


def _limits(evaluation: Evaluation | None) -> str:
    if evaluation is None or not evaluation.verdict:
        return "Not measured."
    return " ".join(f"{line.question}: {line.light} ({line.says})." for line in evaluation.verdict)
