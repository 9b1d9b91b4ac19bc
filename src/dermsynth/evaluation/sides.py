"""Checks of the two sides of a comparison: differences other than their origin, and images that both share."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import image_fingerprints, twins_of
from dermsynth.errors import UserError
from dermsynth.images import image_size
from dermsynth.metrics.estimate import Estimate
from dermsynth.metrics.registry import METRICS
from dermsynth.models.registry import family
from dermsynth.records import Record
from dermsynth.segmentation.frame import frame

Images = NDArray[np.uint8]
Level = Literal["warning", "note"]
SAMPLE = 400
"""Images of each side whose files and pixels are inspected."""
UNLIKE, CUT, ENLARGED = 0.1, 0.1, 0.02
"""Limits of warnings: difference of shares between the sides, share of the area cut off, share of enlarged images."""
FRAMED, FRAMES = 0.6, 0.2
"""Darkness of the corners of an image with a frame, and the difference of shares that gives a warning."""
FLAT, COLOURLESS, DETAIL = 2.0, 3.0, 2.0
"""Largest deviation of grey levels of a blank image, largest mean spread of channels of a grey one, and the ratio of fine detail
that gives a warning."""
SAME_SET = 0.02
"""Share of the floor below which a distance is that of a set to itself."""
CROPS = {
    "centre": "other shapes cropped to their centre",
    "pad": "other shapes with borders",
    "stretch": "other shapes stretched",
}
ROTATED = range(5, 9)
ORIENTATION = 0x0112


@dataclass(frozen=True)
class Remark:
    """A difference between the sides, or a likeness: a warning puts the estimates in doubt, a note is good to know."""

    about: str
    level: Level
    says: str


class SizePolicy(Record):
    """How both sides were brought to one size, and the sizes that their files had, the most frequent first.

    `names` are what the sides are called: checked and training images where the copy gate stands alone.
    """

    width: int
    height: int
    crop: str
    filter: str
    chosen: bool
    reduced: bool = False
    synthetic: tuple[tuple[int, int], ...]
    real: tuple[tuple[int, int], ...]
    names: tuple[str, str] = ("synthetic", "real")

    def __str__(self) -> str:
        """The policy in words."""
        origin = (
            "as was chosen" if self.chosen else f"that of the first {self.names[0]} image{', reduced' * self.reduced}"
        )
        both = zip(self.names, (self.synthetic, self.real), strict=True)
        files = "; ".join(f"{name} files {_sizes_text(sizes)}" for name, sizes in both)
        return f"{self.width} x {self.height} pixels ({origin}), {CROPS[self.crop]}, filter {self.filter}; {files}"


def _sizes_text(sizes: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{w} x {h}" for w, h in sizes[:3]) + (", ..." if len(sizes) > 3 else "")


class Side(NamedTuple):
    """One side of a comparison: its rows, its images uint8 [n, 3, h, w] as they are compared, and its name."""

    rows: DataSet
    images: Images
    name: str


class Header(NamedTuple):
    """Size and format of an image file."""

    width: int
    height: int
    kind: str


def size_policy(
    synthetic: Side, real: Side, decoding: Decoding, *, chosen: bool = False, reduced: bool = False
) -> SizePolicy:
    """How two sides came to the size of `decoding`: `chosen`, or that of the first synthetic image, `reduced` perhaps."""
    sizes = [Counter((header.width, header.height) for header in _headers(side)) for side in (synthetic, real)]
    files = [tuple(size for size, _ in count.most_common()) for count in sizes]
    return SizePolicy(
        width=decoding.width, height=decoding.height, crop=decoding.crop, filter=decoding.filter,
        chosen=_chooses_size(synthetic, decoding, chosen), reduced=reduced, synthetic=files[0], real=files[1],
        names=(synthetic.name, real.name),
    )  # fmt: skip


def _chooses_size(synthetic: Side, decoding: Decoding, chosen: bool) -> bool:
    """Whether the choice is one of the size: a crop alone leaves that of the first synthetic image."""
    first = synthetic.rows.paths[:1]
    return chosen and [image_size(path) for path in first] != [(decoding.width, decoding.height)]


def remarks_on_claims(claim: str, sources: Sequence[str]) -> tuple[Remark, ...]:
    """What is claimed of a generator elsewhere, and a warning for the held-out `sources` that synthetic images were made from."""
    lines = []
    if sources:
        says = f"{len(sources)} synthetic images were made from held-out images of the set compared with, or of their patients"
        lines.append(
            Remark("conditioned", "warning", f"{says} (first: {sources[0]}): figures against these flatter them")
        )
    return (*lines, Remark("claimed", "note", claim)) if claim else tuple(lines)


def remarks_on_family(name: str) -> tuple[Remark, ...]:
    """What the family of the synthetic images' generator declares that a reader of figures must know; none of an unknown one."""
    try:
        caveats = family(name).caveats
    except UserError:
        return ()
    return tuple(Remark("training", "warning", f"{name}: {caveat}") for caveat in caveats)


def remarks(
    synthetic: Side, real: Side, decoding: Decoding, trained: bool, *, chosen: bool = False
) -> tuple[Remark, ...]:
    """All remarks on two sides, warnings first.

    `trained` says whether the synthetic images' generator is known to have seen images cropped in the way of `decoding`,
    `chosen` whether `decoding` was chosen.
    """
    sides = synthetic, real
    chosen = _chooses_size(synthetic, decoding, chosen)
    headers = [_headers(side) for side in sides]
    lines = [*_alike(*sides), *_labels(*sides), *_masks(*sides), *_formats(headers[0], headers[1], decoding)]
    for side, files in zip(sides, headers, strict=True):
        lines += [*_sizes(side, files, decoding, trained, chosen), *_repeats(side)]
    lines += _pixels(*sides)
    return tuple(sorted(lines, key=lambda remark: remark.level != "warning"))


def implausible_distances(estimates: Iterable[Estimate]) -> tuple[Remark, ...]:
    """A warning for each distance far below that of real to real images: both sides are the same images."""
    first: dict[tuple[str, str], Estimate] = {}
    for estimate in estimates:
        if METRICS[estimate.id].floor == "times" and METRICS[estimate.id].brief:
            first.setdefault((estimate.id, estimate.group), estimate)
    return tuple(
        Remark(
            "alike", "warning",
            f"{e.group}: {e.name} is {e.value:.2f}, two real sets have {e.floor:.2f}: the same images",
        )
        for e in first.values()
        if e.value < SAME_SET * e.floor
    )  # fmt: skip


def shared_images(synthetic: Images, real: Images) -> int:
    """How many synthetic images are a real one, pixel for pixel; images of one colour do not count."""
    real_bytes = {image.tobytes() for image in real if not _is_blank(image)}
    return sum(image.tobytes() in real_bytes for image in synthetic if not _is_blank(image))


def _alike(synthetic: Side, real: Side) -> Iterator[Remark]:
    shared, count = shared_images(synthetic.images, real.images), len(synthetic.images)
    if shared:
        yield Remark(
            "alike",
            "warning",
            f"{shared} of {count} synthetic images are real ones of the set compared with, pixel for pixel",
        )
    rows = [index for index, image in enumerate(synthetic.images) if not _is_blank(image)]
    if not rows:
        return
    pairs = twins_of(image_fingerprints(synthetic.images[rows]), image_fingerprints(real.images))
    twins = len(np.unique(pairs[:, 0]))
    if twins > max(shared, 0.01 * count):
        yield Remark(
            "alike", "warning", f"{twins} of {count} synthetic images are nearly a real one of the set compared with"
        )


def _labels(synthetic: Side, real: Side) -> Iterator[Remark]:
    counts = [Counter(map(str, side.rows.labels)) for side in (synthetic, real)]
    unlabelled = [set(count) == {""} for count in counts]
    if any(unlabelled):
        if not all(unlabelled):
            without = "synthetic" if unlabelled[0] else "real"
            yield Remark("classes", "warning", f"the {without} images have no labels, the others have them")
        return
    names = sorted({*counts[0], *counts[1]})
    missing = [f"{name or 'no label'} ({counts[0][name]})" for name in names if counts[0][name] and not counts[1][name]]
    if missing:
        yield Remark("classes", "warning", f"synthetic images of classes that no real image has: {', '.join(missing)}")
    yield from _label_shares(names, counts)


def _label_shares(names: Sequence[str], counts: Sequence[Counter[str]]) -> Iterator[Remark]:
    shares = [{name: count[name] / count.total() for name in names} for count in counts]
    if sum(abs(shares[0][name] - shares[1][name]) for name in names) / 2 > UNLIKE:
        both = "; ".join(f"{name or 'no label'} {shares[0][name]:.0%} and {shares[1][name]:.0%}" for name in names)
        yield Remark(
            "class shares", "warning",
            f"classes have other shares, synthetic and real: {both}; overall figures reflect this, figures of one class do not",
        )  # fmt: skip


def _masks(synthetic: Side, real: Side) -> Iterator[Remark]:
    has = [any(side.rows.table.get("mask_file_name", "")) for side in (synthetic, real)]
    if has[0] != has[1]:
        yield Remark(
            "masks", "note", f"only the {'synthetic' if has[0] else 'real'} images have masks; none is used here"
        )


def _headers(side: Side) -> list[Header]:
    paths = side.rows.paths
    return [_header(paths[index]) for index in _sample_rows(len(paths))]


def _header(path: Path) -> Header:
    with Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION) in ROTATED:
            width, height = height, width
        return Header(width, height, str(image.format))


def _sample_rows(count: int) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = np.sort(np.random.default_rng(0).permutation(count)[:SAMPLE])
    return chosen


def _formats(synthetic: list[Header], real: list[Header], decoding: Decoding) -> Iterator[Remark]:
    lossy = [sum(header.kind in ("JPEG", "MPO") for header in side) / len(side) for side in (synthetic, real)]
    kinds = [", ".join(sorted({header.kind for header in side})) for side in (synthetic, real)]
    alike = abs(lossy[0] - lossy[1]) <= UNLIKE
    if alike and kinds[0] == kinds[1]:
        return
    says = f"synthetic images are {kinds[0]}, real ones {kinds[1]}"
    if alike:
        yield Remark("file format", "note", says)
        return
    side = synthetic if lossy[0] > lossy[1] else real
    reduced = float(np.median([min(h.width / decoding.width, h.height / decoding.height) for h in side]))
    if reduced < 2:
        yield Remark("file format", "warning", f"{says}: the traces of JPEG's compression are on one side only")
    else:
        says += f": reduced {reduced:.1f} times, which takes most traces of JPEG away"
        yield Remark("file format", "note", says)


def _sizes(side: Side, files: list[Header], decoding: Decoding, trained: bool, chosen: bool) -> Iterator[Remark]:
    sizes = Counter((header.width, header.height) for header in files)
    if set(sizes) == {(decoding.width, decoding.height)}:
        return
    synthetic, target = side.name == "synthetic", f"{decoding.width} x {decoding.height}"
    common = ", ".join(f"{w} x {h} ({n})" for (w, h), n in sizes.most_common(3)) + (", ..." if len(sizes) > 3 else "")
    says = f"{side.name} images of {len(sizes)} size{'s' * (len(sizes) > 1)}, {common}, are brought to {target}, "
    says += "as was chosen" if chosen else "that of the first synthetic image"
    says += f" (crop {decoding.crop}, filter {decoding.filter})"
    yield Remark("size", "warning" if synthetic and not (chosen and len(sizes) == 1) else "note", says)
    small = np.mean([header.width < decoding.width or header.height < decoding.height for header in files])
    if small > ENLARGED:
        says = f"{small:.0%} of the {side.name} images are smaller than {target} and are enlarged"
        yield Remark("enlarged", "warning", says)
    yield from _aspects(side, files, decoding, trained and not synthetic)


def _aspects(side: Side, files: list[Header], decoding: Decoding, as_in_training: bool) -> Iterator[Remark]:
    """What becomes of images of another aspect, and whether the generator's training images were cut alike."""
    cut = float(np.median([_share_cut_off(header, decoding) for header in files]))
    if cut <= CUT:
        return
    happens = {
        "centre": f"{cut:.0%} of the area is cut off",
        "pad": "borders are added",
        "stretch": "the aspect is changed",
    }[decoding.crop]
    says = f"{side.name} images have another aspect than {decoding.width} x {decoding.height}: {happens}"
    says += ", as for the generator's training" if as_in_training else ""
    yield Remark("aspect", "note" if as_in_training else "warning", says)


def _share_cut_off(header: Header, decoding: Decoding) -> float:
    """Share of an image's area beyond the wanted aspect."""
    ratio = (header.width / header.height) / (decoding.width / decoding.height)
    return 1 - min(ratio, 1 / ratio)


def _repeats(side: Side) -> Iterator[Remark]:
    count = len(side.images)
    blank = sum(_is_blank(image) for image in side.images)
    if blank:
        yield Remark("blank", "warning", f"{blank} of {count} {side.name} images are of one colour")
    different = len({image.tobytes() for image in side.images})
    if different < count:
        level: Level = "warning" if different < 0.99 * count else "note"
        yield Remark(
            "repeated", level, f"{count} {side.name} images, of which {different} differ: the others are repeated"
        )


def _is_blank(image: Images) -> bool:
    return bool(image.reshape(image.shape[0], -1).std(axis=1).max() < FLAT)


def _pixels(synthetic: Side, real: Side) -> Iterator[Remark]:
    sides = [np.asarray(side.images[_sample_rows(len(side.images))]) for side in (synthetic, real)]
    grey = [float(np.mean([np.ptp(image, axis=0).mean() < COLOURLESS for image in side])) for side in sides]
    if abs(grey[0] - grey[1]) > UNLIKE:
        says = f"{grey[0]:.0%} of the synthetic and {grey[1]:.0%} of the real images are without colour"
        yield Remark("grey", "warning", says)
    framed = [float(np.mean([_has_frame(image) for image in side])) for side in sides]
    if abs(framed[0] - framed[1]) > FRAMES:
        says = f"{framed[0]:.0%} of the synthetic and {framed[1]:.0%} of the real images have dark corners or a frame"
        yield Remark("frames", "warning", f"{says}: cropped or removed on one side, or not learned")
    fine = [float(np.median([_detail(image) for image in side])) for side in sides]
    ratio = fine[0] / max(fine[1], 1e-6)
    if not 1 / DETAIL < ratio < DETAIL:
        says = f"synthetic images have {ratio:.2g} times the fine detail of real ones"
        yield Remark("detail", "warning", f"{says}: noisy, blurred, enlarged or compressed on one side")


def _has_frame(image: Images) -> bool:
    return frame(np.ascontiguousarray(image.transpose(1, 2, 0)))[1] > FRAMED


def _detail(image: Images) -> float:
    """Mean size of what the finest level of a pyramid holds, in grey levels."""
    grey = image.mean(axis=0, dtype=np.float32)
    rough = cv2.pyrUp(cv2.pyrDown(grey), dstsize=(grey.shape[1], grey.shape[0]))
    return float(np.abs(grey - rough).mean())
