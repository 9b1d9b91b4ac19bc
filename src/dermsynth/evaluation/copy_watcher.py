"""The copy gate while a generator is trained: it ends the training when samples begin to repeat training images."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.duplicates import image_fingerprints, twins_of
from dermsynth.data.training_set import Selection, TrainingSet, chosen_rows
from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import FALSE_ALARMS, CopyGate, gate_light
from dermsynth.training.config import DataSettings, RunConfig
from dermsynth.training.snapshot import Snapshot, Watcher

FEWEST = 20
"""Held-out images without which copies are not looked for."""
FLAGGED = "flagged as copies, %"
_log = logging.getLogger(__name__)


def copy_watcher(
    config: RunConfig, training: TrainingSet, seeds: Sequence[int], labels: Sequence[int]
) -> list[Watcher]:
    """A watcher that ends the training when the copy gate's light of the images of these seeds is red; none without a gate.

    The threshold is set by the images of the other splits, without near-duplicates of training images and without other
    photographs of their groups. Where fewer than 100 are left, it is the closest of them.
    """
    try:
        gate = _fit(config.data, training)
    except UserError as error:
        _log.warning(f"copies are not looked for while training: {error}")
        return []

    def measure(snapshot: Snapshot) -> Mapping[str, float]:
        return {FLAGGED: 100 * float(gate.check_planes(snapshot.generate(seeds, labels)).flagged.mean())}

    def alarm(figures: Mapping[str, float]) -> str | None:
        flagged = round(figures[FLAGGED] / 100 * len(seeds))
        if gate_light(flagged, len(seeds), gate.held_out, gate.false_alarms) != "red":
            return None
        return (
            f"copies: {flagged} of {len(seeds)} generated images lie closer to a training image than photographs do "
            f"({gate.false_alarms * len(seeds):.0f} by chance): training images are being learnt by heart; train on more images, "
            "or for a shorter time"
        )

    return [Watcher(measure, alarm=alarm)]


def _fit(settings: DataSettings, training: TrainingSet) -> CopyGate:
    """The gate of the training images as they are shown.

    Raises UserError where too few images are held out.
    """
    held_out = _held_out(settings, training)
    if len(held_out) < FEWEST:
        raise UserError(f"{settings.folder}: {len(held_out)} held-out images, at least {FEWEST} are needed")
    return CopyGate.fit_planes(
        np.asarray(training.images), held_out, false_alarms=max(FALSE_ALARMS, 1 / len(held_out)), fewest=FEWEST
    )


def _held_out(settings: DataSettings, training: TrainingSet) -> NDArray[np.uint8]:
    """Images uint8 [m, 3, h, w] of the other splits that are no relatives of training images."""
    data_set = open_data_set(Path(settings.folder))
    if not data_set.divided or settings.split == "all":
        return training.images[:0]
    selection = Selection("all", settings.exclude, bool(settings.classes))
    rows = chosen_rows(data_set, selection)
    rows = rows.part(~rows.in_split(settings.split))
    rows = rows.part(~np.isin(rows.groups.astype(str), _groups(data_set, settings)))
    if rows.table.empty:
        return training.images[:0]
    decoding = Decoding(settings.height, settings.width, settings.crop, settings.filter)
    images = np.asarray(decode_images(rows, decoding))
    twins = twins_of(image_fingerprints(images), image_fingerprints(np.asarray(training.images)))
    return np.delete(images, twins[:, 0], axis=0)


def _groups(data_set: DataSet, settings: DataSettings) -> list[str]:
    """The groups (patients, lesions) that were trained on."""
    return sorted({str(group) for group in data_set.groups[data_set.in_split(settings.split)]} - {""})
