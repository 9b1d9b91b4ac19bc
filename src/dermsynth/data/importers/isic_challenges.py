"""The challenges of the ISIC, 2018 and 2019, as they are unpacked: images, masks, attributes, one-hot diagnoses, lesions."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from dermsynth.data.importers.source_files import SourceFiles, looks_like_mask
from dermsynth.data.importers.sources import Source, SourceRow, column_name, command_of
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.images import SUFFIXES
from dermsynth.values import flags, plain_identifier

ATTRIBUTES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst", "globules")
"""The five dermoscopic attributes of ISIC 2018 task 2, in the names of its files."""


def from_isic2018(folder: Path, *, roots: Sequence[Path] = ()) -> Source:
    """ISIC 2018, tasks 1 to 3 (lesion masks, attribute masks, diagnoses), and ISIC 2019, whatever of them is there.

    Image folders end in `_Input`, mask folders in `_GroundTruth*`, the diagnoses are a CSV with one-hot columns; images
    of one lesion are a group by `*LesionGroupings.csv` or by `lesion_id` in `*Metadata.csv`, whose other columns are kept.
    """
    files, notes = SourceFiles(folder, tuple(roots)), list[str]()
    images, masks = _images_by_name(files), {PurePosixPath(p).stem: p for p in files.images if looks_like_mask(p)}
    labels, unclear = _one_hot_labels(folder, notes)
    lesions, columns = _lesion_groups(folder), _image_columns(folder)
    rows = [
        SourceRow(
            image,
            labels.get(name, ""),
            masks.get(f"{name}_segmentation", ""),
            lesions.get(name, ""),
            columns=columns.get(name, {}),
            more_masks=_attribute_masks(name, masks),
            doubt=unclear.get(name, ""),
        )
        for name, image in sorted(images.items())
    ]
    used = {name for row in rows for name in (row.image, row.mask, *row.more_masks.values())}
    files.unused.extend((name, "a mask or superpixels without use") for name in masks.values() if name not in used)
    missing = sorted(set(labels) - set(images))
    rows += [SourceRow(f"{name}.jpg", problem="a diagnosis without an image") for name in missing]
    unused = [(name, reason) for name, reason in files.unused if not name.endswith((".csv", ".txt", ".md"))]
    year = "2019" if any("2019" in image for image in images.values()) else "2018"
    facts = {"source": f"ISIC {year}", "licence": ["CC-BY-NC-4.0"]}
    return Source(folder, rows, facts, command_of("isic2018", folder), unused, notes)


def _images_by_name(files: SourceFiles) -> dict[str, str]:
    """Id -> path of the photographs; a second one of an id is not used."""
    images: dict[str, str] = {}
    for path in files.images:
        name = PurePosixPath(path).stem
        if not looks_like_mask(path) and images.setdefault(name, path) != path:
            files.unused.append((path, f"another image of the name of {images[name]}"))
    return images


def _attribute_masks(name: str, masks: Mapping[str, str]) -> dict[str, str]:
    """Attribute -> path of its mask, for those that an image has."""
    stems = {attribute: f"{name}_attribute_{attribute}" for attribute in ATTRIBUTES}
    return {attribute: masks[stem] for attribute, stem in stems.items() if stem in masks}


def _stem(name: str) -> str:
    """An image's id, also where the table has its ending."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else name


def _lesion_groups(folder: Path) -> dict[str, str]:
    """Which images show one lesion: `*LesionGroupings.csv` of 2018, `*Metadata.csv` of 2019."""
    groups: dict[str, str] = {}
    for path in sorted([*folder.rglob("*LesionGroupings.csv"), *folder.rglob("*[Mm]etadata.csv")]):
        table = read_table(path)
        if "lesion_id" not in table and "etadata" in path.name:
            continue
        require_columns(table, ["image", "lesion_id"], path)
        for image, lesion in zip(table["image"].map(_stem), table["lesion_id"], strict=True):
            if plain_identifier(groups.setdefault(image, lesion)) != plain_identifier(lesion):
                raise UserError(
                    f"{path}: {image} is of lesion {lesion!r} and of {groups[image]!r}; correct one of them"
                )
    return groups


def _image_columns(folder: Path) -> dict[str, dict[str, str]]:
    """What `*Metadata.csv` says of each image: age, sex, site."""
    columns: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob("*[Mm]etadata.csv")):
        table = read_table(path)
        if "image" in table:
            for record in table.to_dict("records"):
                columns[_stem(record["image"])] = {
                    column_name(str(c)): v for c, v in record.items() if c not in ("image", "lesion_id")
                }
    return columns


NO_CLASSES = ("image", "score_weight", "validation_weight")


def _one_hot_labels(folder: Path, notes: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The class of every image by the one column that is 1, and in words why where there is none."""
    labels: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for path in sorted(folder.rglob("*GroundTruth*.csv")):
        for image, classes in _marked_classes(path, notes):
            label = classes[0] if len(classes) == 1 else ""
            if labels.setdefault(image, label) != label:
                unclear[image] = f"no label: {labels[image] or 'none'} and {label or 'none'} in two rows"
                labels[image] = ""
            elif len(classes) != 1:
                several = f"diagnoses {' and '.join(classes)} at once"
                unclear[image] = f"no label: {several if classes else 'none of the diagnoses is 1'}"
    if unclear:
        notes.append(
            f"{len(unclear)} images have several diagnoses or none, and get no label (first: {next(iter(unclear))})"
        )
    return labels, unclear


def _marked_classes(path: Path, notes: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Id of every row of a table, and the names of the columns that are 1."""
    table = read_table(path, notes=notes)
    require_columns(table, ["image"], path)
    names = [c for c in table.columns if c not in NO_CLASSES]
    try:
        columns = {name: flags(table, name) == 1 for name in names}
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    for row, image in enumerate(table["image"].map(_stem)):
        yield image, [name for name in names if columns[name][row]]
