"""The rows of a layout as rows of a source: image, mask, boxes, group, split, and columns of one meaning."""

from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

from dermsynth.data.importers.boxes import boxes_file, read_boxes
from dermsynth.data.importers.generic import located_row
from dermsynth.data.importers.layout_labels import LabelReader
from dermsynth.data.importers.layout_records import KIND, LayoutFiles, Record, first_value, fits, path_fits
from dermsynth.data.importers.layout_table import Layout
from dermsynth.data.importers.meanings import first_understood, image_kind, with_meanings
from dermsynth.data.importers.sources import SourceRow, column_name
from dermsynth.errors import UserError


def filtered_records(records: list[Record], place: LayoutFiles) -> list[Record]:
    """The records that no filter leaves out; how many it did is noted."""
    for rule in place.layout.filters:
        kept, dropped = list[Record](), dict[str, list[Record]]()
        for record in records:
            cell = first_value(record.cells, rule.columns)
            out = fits(cell, rule.drop) or (bool(rule.keep) and not fits(cell, rule.keep))
            (dropped.setdefault(cell, []) if out else kept).append(record)
        if dropped:
            place.aside.extend(_file_of(record, place) for rows in dropped.values() for record in rows)
            counts = ", ".join(f"{cell!r} {len(rows)}" for cell, rows in sorted(dropped.items()))
            why = f" ({rule.why})" if rule.why else ""
            place.notes.append(f"left out by {' or '.join(rule.columns)}{why}: {counts}")
        records = kept
    if not records:
        raise UserError(f"{place.place}: {place.layout.name}: no row is left")
    return records


def _file_of(record: Record, place: LayoutFiles) -> str:
    """The image that a record means, as far as it can be told."""
    return located_row(place.images, SourceRow(_image_name(record.image, place))).image


def layout_row(record: Record, place: LayoutFiles, labels: LabelReader) -> SourceRow:
    """A record as a row of a source, with the files that it means; its columns are still the source's."""
    layout = place.layout
    label, doubt = labels.read(record)
    named = {*labels.used, *layout.mask.columns, *layout.split.columns}
    named |= set(layout.group) if len(layout.group) == 1 else set()
    row = located_row(
        place.images,
        SourceRow(
            image=_image_name(record.image, place),
            label=label,
            mask=_mask_name(record, layout),
            group=first_value(record.cells, layout.group),
            columns={name: cell for name, cell in record.cells.items() if name not in named},
            doubt=doubt,
        ),
    )
    return _with_boxes(replace(row, split=_split_of(record, row.image, layout)), place)


def _image_name(name: str, place: LayoutFiles) -> str:
    """The image's name in the spelling that its file has: with or without an ending such as `_downsampled`."""
    for ending in place.layout.images.endings:
        path = PurePosixPath(name)
        other = path.stem.removesuffix(ending) if path.stem.endswith(ending) else f"{path.stem}{ending}"
        if not place.images.knows(name) and place.images.knows(other):
            return other
    return name


def _mask_name(record: Record, layout: Layout) -> str:
    if layout.mask.pattern:
        return layout.mask.pattern.replace("{stem}", PurePosixPath(record.image).stem)
    return first_value(record.cells, layout.mask.columns)


def _split_of(record: Record, image: str, layout: Layout) -> str:
    written = record.split or first_value(record.cells, layout.split.columns)
    by_folder = (split for pattern, split in layout.split.folders.items() if path_fits(image, [f"{pattern}/*"]))
    return layout.split.names.get(written, written) or next(by_folder, "")


def _with_boxes(row: SourceRow, place: LayoutFiles) -> SourceRow:
    """The row with the boxes of the file beside its image, where the layout has such."""
    name = boxes_file(row.image, place.layout.boxes) if place.layout.boxes else ""
    if not name or row.problem or not place.images.has(name):
        return row  # an image of a part without boxes, or one of which nobody says that it shows none
    try:
        boxes = read_boxes(place.images.folder / name)
    except UserError as error:
        return replace(row, mask_problem=str(error))
    return replace(row, boxes=boxes, columns={**row.columns, "boxes": str(len(boxes))})


def with_columns(rows: list[SourceRow], layout: Layout, notes: list[str]) -> list[SourceRow]:
    """The rows with the columns of one meaning, and none of the source's that shadows one of ours."""
    kinds = layout.images.types
    meaning = layout.meaning.model_copy(update={"image_type": (KIND,)}) if kinds else layout.meaning
    if len(kinds) == 1:
        rows = [replace(row, columns={KIND: kinds[0], **row.columns}) for row in rows]
    coded, of_meaning = with_meanings([row.columns for row in rows], meaning)
    notes.extend(of_meaning)
    return [
        replace(row, columns={column_name(name): cell for name, cell in columns.items() if name != KIND})
        for row, columns in zip(rows, coded, strict=True)
    ]


def records_of_kind(records: list[Record], kind: str, place: LayoutFiles) -> list[Record]:
    """The records of one kind of images; without a choice, that there are several is noted."""
    kinds = [_kind_of(record, place.layout) for record in records]
    counts = Counter(kinds)
    words = ", ".join(f"{name or 'of unknown kind'} {count}" for name, count in sorted(counts.items()))
    if not kind:
        if len(counts) > 1:
            place.notes.append(f"several kinds of images are mixed: {words}; `image_type` takes one of them")
        return records
    wanted = image_kind(kind)
    if not wanted or not counts[wanted]:
        raise UserError(f"`image_type` {kind!r}: no such images in {place.place}; there are: {words}")
    place.notes.append(f"images of the kind {wanted} are taken, of {words}")
    place.aside.extend(_file_of(record, place) for record, is_of in zip(records, kinds, strict=True) if is_of != wanted)
    return [record for record, is_of in zip(records, kinds, strict=True) if is_of == wanted]


def _kind_of(record: Record, layout: Layout) -> str:
    """Kind of an image by its layout, or by its row."""
    kinds = layout.images.types
    if len(kinds) == 1:
        return image_kind(kinds[0])
    return image_kind(first_understood(record.cells, (KIND,) if kinds else layout.meaning.image_type, image_kind))
