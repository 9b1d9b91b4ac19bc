"""What makes the two sides of a comparison unlike in more than their origin, or alike beyond belief."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import near_duplicates
from dermsynth.images import thumbnail_hash
from dermsynth.segmentation.frame import frame

Images = NDArray[np.uint8]
Level = Literal["warning", "note"]
LOOKED_AT = 400
"""Images a side of which files and pixels are looked at."""
UNLIKE, CUT, ENLARGED = 0.1, 0.1, 0.02
"""Difference of shares, share of the area cut off, and share of enlarged images, from which on a side is warned of."""
FRAMED, FRAMES = 0.6, 0.2
"""Darkness of corners from which on an image has a frame, and difference of shares that is warned of."""
FLAT, COLOURLESS, DETAIL = 2.0, 3.0, 2.0
"""Deviation of grey levels of a blank image, mean spread of channels of a grey one, ratio of fine detail that is warned of."""
NOTHING = 0.02
"""Share of the floor below which a distance is that of one set to itself."""
ROTATED = range(5, 9)
ORIENTATION = 0x0112


@dataclass(frozen=True)
class Remark:
    """What differs, or is too alike: a warning puts the figures in doubt, a note is good to know."""

    about: str
    level: Level
    says: str


class Side(NamedTuple):
    """One side of a comparison: its rows, its images uint8 [n, 3, h, w] as they are compared, and how it is called."""

    rows: DataSet
    images: Images
    name: str


class Header(NamedTuple):
    """Size and format of an image file."""

    width: int
    height: int
    kind: str


def remarks(synthetic: Side, real: Side, decoding: Decoding, trained: bool) -> list[dict[str, str]]:
    """Everything that makes two sides unlike or too alike, warnings first.

    `trained` says whether the synthetic images' generator is known to have seen images cropped in the way of `decoding`.
    """
    sides = synthetic, real
    headers = [_headers(side) for side in sides]
    found = [*_alike(*sides), *_labels(*sides), *_masks(*sides), *_formats(headers[0], headers[1], decoding)]
    for side, files in zip(sides, headers, strict=True):
        found += [*_sizes(side, files, decoding, trained), *_repeats(side)]
    found += _pixels(*sides)
    return [asdict(one) for one in sorted(found, key=lambda one: one.level != "warning")]


def beyond_belief(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """A remark for each distance that is nothing beside that of real to real images: the sides are one set."""
    found = []
    for row in rows:
        name = str(row["metric"])
        if (name == "FID" or name.startswith(("FID-", "SWD mean"))) and row["value"] < NOTHING * row["floor"]:
            says = (
                f"{row['group']}: {name} is {row['value']:.2f}, two real sets have {row['floor']:.2f}: the same images"
            )
            found.append(asdict(Remark("alike", "warning", says)))
    return found


def shared_images(synthetic: Images, real: Images) -> int:
    """How many synthetic images are a real one, pixel for pixel; images of one colour do not count."""
    known = {image.tobytes() for image in real if not _blank(image)}
    return sum(image.tobytes() in known for image in synthetic if not _blank(image))


def fingerprints_of(images: Images) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Hashes [n] and thumbnails [n, 768] of images uint8 [n, 3, h, w]."""
    found = [thumbnail_hash(np.ascontiguousarray(image.transpose(1, 2, 0))) for image in images]
    return np.array([one[0] for one in found], np.uint64), np.stack([one[1] for one in found])


def _alike(synthetic: Side, real: Side) -> Iterator[Remark]:
    shared, count = shared_images(synthetic.images, real.images), len(synthetic.images)
    if shared:
        yield Remark(
            "alike", "warning", f"{shared} of {count} synthetic images are real ones of the other side, pixel for pixel"
        )
    rows = [index for index, image in enumerate(synthetic.images) if not _blank(image)]
    if not rows:
        return
    both = [fingerprints_of(synthetic.images[rows]), fingerprints_of(real.images)]
    pairs = near_duplicates(*(np.concatenate(parts) for parts in zip(*both, strict=True)))
    twins = len(np.unique(pairs[(pairs[:, 0] < len(rows)) & (pairs[:, 1] >= len(rows)), 0]))
    if twins > max(shared, 0.01 * count):
        yield Remark("alike", "warning", f"{twins} of {count} synthetic images are nearly a real one of the other side")


def _labels(synthetic: Side, real: Side) -> Iterator[Remark]:
    made, kept = (Counter(map(str, side.rows.labels)) for side in (synthetic, real))
    if set(made) == {""} or set(kept) == {""}:
        if set(made) != set(kept):
            without = "synthetic" if set(made) == {""} else "real"
            yield Remark(
                "classes",
                "warning",
                f"the {without} images have no labels, the others have them",
            )
        return
    names = sorted({*made, *kept})
    shares = [{name: side[name] / side.total() for name in names} for side in (made, kept)]
    missing = [f"{name or 'no label'} ({made[name]})" for name in names if made[name] and not kept[name]]
    if missing:
        yield Remark("classes", "warning", f"synthetic images of classes that no real image has: {', '.join(missing)}")
    if sum(abs(shares[0][name] - shares[1][name]) for name in names) / 2 > UNLIKE:
        both = "; ".join(f"{name or 'no label'} {shares[0][name]:.0%} and {shares[1][name]:.0%}" for name in names)
        yield Remark(
            "class shares", "warning",
            f"classes have other shares, synthetic and real: {both}; figures of all classes mix this in, those of one do not",
        )  # fmt: skip


def _masks(synthetic: Side, real: Side) -> Iterator[Remark]:
    has = [any(side.rows.table.get("mask_file_name", "")) for side in (synthetic, real)]
    if has[0] != has[1]:
        yield Remark(
            "masks", "note", f"only the {'synthetic' if has[0] else 'real'} images have masks; none is used here"
        )


def _headers(side: Side) -> list[Header]:
    return [_header(side.rows.paths[index]) for index in _some(len(side.rows.table))]


def _header(path: Any) -> Header:
    with Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION) in ROTATED:
            width, height = height, width
        return Header(width, height, str(image.format))


def _some(count: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.sort(np.random.default_rng(0).permutation(count)[:LOOKED_AT])
    return found


def _formats(made: list[Header], kept: list[Header], decoding: Decoding) -> Iterator[Remark]:
    lossy = [sum(one.kind in ("JPEG", "MPO") for one in side) / len(side) for side in (made, kept)]
    kinds = [", ".join(sorted({one.kind for one in side})) for side in (made, kept)]
    if abs(lossy[0] - lossy[1]) <= UNLIKE and kinds[0] == kinds[1]:
        return
    says = f"synthetic images are {kinds[0]}, real ones {kinds[1]}"
    if abs(lossy[0] - lossy[1]) <= UNLIKE:
        yield Remark("file format", "note", says)
        return
    side = made if lossy[0] > lossy[1] else kept
    reduced = float(np.median([min(one.width / decoding.width, one.height / decoding.height) for one in side]))
    if reduced < 2:
        yield Remark("file format", "warning", f"{says}: the traces of JPEG's compression are on one side only")
    else:
        yield Remark(
            "file format", "note", f"{says}; reduced {reduced:.1f} times, which takes most traces of JPEG away"
        )


def _sizes(side: Side, files: list[Header], decoding: Decoding, trained: bool) -> Iterator[Remark]:
    wanted = f"{decoding.width} x {decoding.height}"
    sizes = Counter((one.width, one.height) for one in files)
    common = ", ".join(f"{w} x {h} ({n})" for (w, h), n in sizes.most_common(3)) + (", ..." if len(sizes) > 3 else "")
    if set(sizes) == {(decoding.width, decoding.height)}:
        return
    made = side.name == "synthetic"
    how = f"{side.name} images of {len(sizes)} size{'s' * (len(sizes) > 1)}, {common}, are brought to {wanted}"
    why = f", that of the first synthetic image (crop {decoding.crop}, filter {decoding.filter})"
    yield Remark("size", "warning" if made else "note", how + why)
    small = np.mean([one.width < decoding.width or one.height < decoding.height for one in files])
    if small > ENLARGED:
        yield Remark(
            "enlarged", "warning", f"{small:.0%} of the {side.name} images are smaller than {wanted} and are enlarged"
        )
    cut = float(np.median([_lost(one, decoding) for one in files]))
    if cut > CUT:
        what = {
            "centre": f"{cut:.0%} of the area is cut off",
            "pad": "borders are added",
            "stretch": "the aspect is changed",
        }
        known = not made and trained
        says = f"{side.name} images have another aspect than {wanted}: {what[decoding.crop]}"
        yield Remark(
            "aspect", "note" if known else "warning", says + (", as for the generator's training" if known else "")
        )


def _lost(one: Header, decoding: Decoding) -> float:
    """Share of an image's area beyond the wanted aspect."""
    ratio = (one.width / one.height) / (decoding.width / decoding.height)
    return 1 - min(ratio, 1 / ratio)


def _repeats(side: Side) -> Iterator[Remark]:
    count = len(side.images)
    blank = sum(_blank(image) for image in side.images)
    if blank:
        yield Remark("blank", "warning", f"{blank} of {count} {side.name} images are of one colour")
    different = len({image.tobytes() for image in side.images})
    if different < count:
        level: Level = "warning" if different < 0.99 * count else "note"
        yield Remark(
            "repeated", level, f"{count} {side.name} images, of which {different} differ: the others are repeated"
        )


def _blank(image: Images) -> bool:
    return bool(image.reshape(image.shape[0], -1).std(axis=1).max() < FLAT)


def _pixels(synthetic: Side, real: Side) -> Iterator[Remark]:
    made, kept = (np.asarray(side.images[_some(len(side.images))]) for side in (synthetic, real))
    grey = [float(np.mean([np.ptp(image, axis=0).mean() < COLOURLESS for image in side])) for side in (made, kept)]
    if abs(grey[0] - grey[1]) > UNLIKE:
        yield Remark(
            "grey",
            "warning",
            f"{grey[0]:.0%} of the synthetic and {grey[1]:.0%} of the real images are without colour",
        )
    framed = [float(np.mean([_framed(image) for image in side])) for side in (made, kept)]
    if abs(framed[0] - framed[1]) > FRAMES:
        says = f"dark corners or a frame have {framed[0]:.0%} of the synthetic and {framed[1]:.0%} of the real images"
        yield Remark("frames", "warning", f"{says}: cropped or removed on one side, or not learned")
    fine = [float(np.median([_detail(image) for image in side])) for side in (made, kept)]
    ratio = fine[0] / max(fine[1], 1e-6)
    if not 1 / DETAIL < ratio < DETAIL:
        says = f"synthetic images have {ratio:.2g} times the fine detail of real ones"
        yield Remark("detail", "warning", f"{says}: noisy, blurred, enlarged or compressed on one side")


def _framed(image: Images) -> bool:
    return frame(np.ascontiguousarray(image.transpose(1, 2, 0)))[1] > FRAMED


def _detail(image: Images) -> float:
    """Mean size of what the finest level of a pyramid holds, in grey levels."""
    grey = image.mean(axis=0, dtype=np.float32)
    rough = cv2.pyrUp(cv2.pyrDown(grey), dstsize=(grey.shape[1], grey.shape[0]))
    return float(np.abs(grey - rough).mean())
