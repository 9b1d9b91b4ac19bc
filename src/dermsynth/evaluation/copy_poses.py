"""Copies in any pose: training images that an image repeats shifted, turned, zoomed, mirrored, or in part."""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.metrics.keypoints import KeypointIndex, Luma, agreed_pose, keypoints, local_contrast, luma_of
from dermsynth.metrics.registration import Matrix, agreement, refined
from dermsynth.metrics.similar_images import Images
from dermsynth.parallel import parallel_map

CANDIDATES, CHUNK = 2, 16
"""Training images that are laid onto an image, of either reflection; images that travel together to a worker."""
NOWHERE = "not found in any pose"
PALE = 0.25
"""How much of its darkness a place of a picture keeps that does not agree."""
SAME = 0.05
"""Distance of whole images below which two photographs show the same lesion. Of 1,152 dermoscopic photographs at 64 px against
1,000 others, 21 lay at 0.001 to 0.031; the next lay at 0.088. Of 2,145 photographs 46 pairs lay below it, with half as many
keypoints, that hashes do not find; all of them show one lesion."""


class PoseMatch(NamedTuple):
    """The training image that an image repeats most: its number, distance (0 to 1), and how it would have to be moved.

    In words, and as the matrix [2, 3] from the image's pixels to the training image's. `whole` is the distance of the image as a
    whole, of whichever training image it is the least.
    """

    number: int
    distance: float
    pose: str
    matrix: Matrix | None = None
    whole: float = 1.0


@dataclass(frozen=True)
class PoseSearch:
    """Looks for training images in images, wherever they lie in them.

    Attributes
    ----------
    index
        The keypoints of the training images.
    contrasts
        Their local contrast, [n, h, w].
    """

    index: KeypointIndex
    contrasts: Luma

    @classmethod
    def of(cls, training: Images, jobs: int | None = None) -> "PoseSearch":
        """The search among images uint8 [n, 3, h, w], `jobs` of which are worked on at once."""
        found = parallel_map(keypoints, list(training), label="places of photographs", chunk=CHUNK, jobs=jobs)
        return cls(KeypointIndex.of(found), np.stack([local_contrast(luma_of(image)) for image in training]))

    def nearest(self, images: Images) -> list[PoseMatch]:
        """The closest training image of each image uint8 [n, 3, h, w], in its best pose."""
        return parallel_map(partial(_nearest, self), list(images), label="copies in any pose", chunk=CHUNK)


def _nearest(search: PoseSearch, image: NDArray[np.uint8]) -> PoseMatch:
    height, width = search.contrasts.shape[1:]
    if image.shape[1:] != (height, width):
        image = cv2.resize(image.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    found = _found(search, image)
    nearest = min(found, key=lambda match: match.distance, default=PoseMatch(0, 1.0, NOWHERE))
    return nearest._replace(whole=min((match.whole for match in found), default=1.0))


def lesion_pairs(images: Images, jobs: int | None = None) -> NDArray[np.int64]:
    """Pairs [k, 2] of images uint8 [n, 3, h, w] that show the same lesion: photographed twice, cut, turned, in another light."""
    search, numbered = PoseSearch.of(images, jobs), list(enumerate(images))
    found = parallel_map(partial(_same, search), numbered, label="same lesions", chunk=CHUNK, jobs=jobs)
    pairs = sorted({(min(i, j), max(i, j)) for i, others in enumerate(found) for j in others})
    return np.array(pairs, np.int64).reshape(-1, 2)


def _same(search: PoseSearch, numbered: tuple[int, NDArray[np.uint8]]) -> list[int]:
    """Numbers of the other images that show the lesion of one of the search's own."""
    number, image = numbered
    return [match.number for match in _found(search, image, without=number) if match.whole < SAME]


def _found(search: PoseSearch, image: NDArray[np.uint8], without: int = -1) -> list[PoseMatch]:
    """The candidates for an image as it is and mirrored, but for the image `without`, each laid onto it."""
    found = _laid_onto(search, image, "", without)
    mirrored = _laid_onto(search, np.ascontiguousarray(image[:, :, ::-1]), "mirrored, ", without)
    return found + [match._replace(matrix=_mirrored_first(match.matrix, image.shape[2])) for match in mirrored]


def _mirrored_first(matrix: Matrix | None, width: int) -> Matrix | None:
    """The matrix for pixels of an image that is then mirrored left to right."""
    return None if matrix is None else matrix @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def _laid_onto(search: PoseSearch, image: NDArray[np.uint8], reflection: str, without: int) -> list[PoseMatch]:
    """The candidates, each laid onto the image.

    The distance is 1 / (1 + weight of the keypoints that agree), so that a lesion on other skin is found; what held-out images
    reach by few places that look alike is for the gate's threshold. That of whole images counts the share of the image that
    agrees, too: 1 / (1 + weight x share).
    """
    here, contrast = keypoints(image), local_contrast(luma_of(image))
    matches = []
    for match in search.index.matches(here, CANDIDATES + (without >= 0)):
        if match.number == without:
            continue
        pose = agreed_pose(here, search.index.image(match.number), match, min(contrast.shape))
        if pose is None:
            continue
        matrix = refined(pose.matrix, contrast, search.contrasts[match.number])
        share = float(agreement(matrix, contrast, search.contrasts[match.number]).mean())
        text = reflection + pose_text(matrix, contrast.shape, share)
        whole = 1 / (1 + pose.weight * share)
        matches.append(PoseMatch(match.number, 1 / (1 + pose.weight), text, matrix, whole))
    return matches


def laid_picture(image: NDArray[np.uint8], original: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """A training image laid onto an image as the matrix says, pale where the two do not agree: uint8 [3, h, w] each."""
    height, width = image.shape[1:]
    moved = cv2.warpAffine(
        np.ascontiguousarray(original.transpose(1, 2, 0)), matrix, (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=(255, 255, 255),
    )  # fmt: skip
    agrees = agreement(matrix, local_contrast(luma_of(image)), local_contrast(luma_of(original)))
    shown = np.where(agrees[:, :, None], moved.astype(np.float64), 255 - (255 - moved.astype(np.float64)) * PALE)
    return np.ascontiguousarray(shown.round().astype(np.uint8).transpose(2, 0, 1))


def pose_text(matrix: Matrix, shape: tuple[int, int], share: float) -> str:
    """How a training image is moved to lie as it does in an image [h, w], and the share of that which agrees.

    `matrix` [2, 3] brings the image's pixels to the training image's.
    """
    linear, offset = np.linalg.inv(matrix[:, :2]), matrix[:, 2]
    centre = (np.array([shape[1], shape[0]]) - 1) / 2
    moved = (linear @ (centre - offset) - centre) / [shape[1], shape[0]]
    zoom = math.sqrt(abs(float(np.linalg.det(linear))))
    angle = math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    return (
        f"turned {round(angle)} degrees, zoomed {zoom:.2f}, shifted {round(100 * moved[0])} % and {round(100 * moved[1])} %; "
        f"{100 * share:.0f} % agrees"
    )
