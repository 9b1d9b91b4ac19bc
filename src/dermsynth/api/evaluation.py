"""Judging synthetic images: features, evaluation, copies, use for a classifier; and handing them on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.api.data import Data, open_dataset
from dermsynth.backbones.extractors import Extractor, Resizer
from dermsynth.backbones.lpips import load_perceptual
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation import copy_detection
from dermsynth.evaluation.evaluate import evaluate as evaluate_briefly
from dermsynth.evaluation.evaluate import evaluate_fully
from dermsynth.evaluation.generator_metrics import judge_of, trained_on, with_run
from dermsynth.export.huggingface import export as write_release
from dermsynth.io import parse_count
from dermsynth.training.distributed import keep_freed_memory
from dermsynth.utility.arms import Arm, arms_of
from dermsynth.utility.classifier import Training, backbone, load_extractor
from dermsynth.utility.datasets import Classes, Material, gathered
from dermsynth.utility.experiment import Plan, carry_out

Images = NDArray[np.uint8]


def extractor(specification: str = "embedded", *, resizer: Resizer = "tensorflow") -> Extractor:
    """A network that turns images into features, for FID, KID and the other metrics.

    Parameters
    ----------
    specification : str
        ``embedded`` (random filters; needs no weights, and figures made with it compare with nothing published),
        ``inception=FILE`` (the FID Inception-v3), ``inception=download``, ``mobilenet=FILE``, ``timm:NAME=FILE`` (DINOv2, CLIP
        and others), or ``classifier=DIR`` (the folder of a utility experiment).
    resizer : {"tensorflow", "antialiased"}
        How images reach the network's size; published FID uses the first.

    Returns
    -------
    Extractor
        A function from uint8 [n, 3, h, w] to float32 [n, d]; ``name`` and ``comparable`` say what its figures are worth.

    Raises
    ------
    UserError
        The name or the file of weights is not understood.

    References
    ----------
    Heusel et al. (2017), GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium.

    Examples
    --------
    >>> import dermsynth as ds
    >>> features = ds.extractor("embedded")
    >>> features.name, features.comparable
    ('embedded', False)
    """
    return load_extractor(specification, resizer=resizer)


def evaluate(
    synthetic: Data,
    *,
    against: Data | None = None,
    extractor: Extractor | str = "embedded",
    split: str = "all",
    by: Sequence[str] = (),
    perceptual: str = "",
    path_lengths: int = 0,
    brief: bool = False,
    run: Path | str | None = None,
    seed: int = 0,
) -> Any:
    """Say whether a synthetic set is faithful, diverse and not copied."""
    keep_freed_memory()
    if path_lengths < 0:
        raise UserError(f"`path_lengths` {path_lengths}: must be at least 0")
    rows = with_run(open_dataset(synthetic), None if run is None else Path(run))
    real = real_set(rows, against)
    features = load_extractor(extractor) if isinstance(extractor, str) else extractor
    if brief:
        return evaluate_briefly(rows, real, features, split=split, seed=seed)
    return evaluate_fully(
        rows,
        real,
        features,
        split=split,
        columns=by,
        judge=judge_of(rows),
        perceptual=load_perceptual(perceptual) if perceptual else None,
        paths=path_lengths,
        seed=seed,
    )


def real_set(synthetic: DataSet, against: Data | None) -> DataSet:
    """The real set a synthetic one is compared with: by default what its generator was trained on."""
    return open_dataset(trained_on(synthetic) if against is None else against)


@dataclass(frozen=True)
class CopyCheck:
    """What the copy gate says of n images.

    Attributes
    ----------
    score : ndarray of float [n]
        Distance to the nearest training image; 1 is the distance below which 1 % of held-out real images lie.
    nearest : ndarray of int [n]
        Row of the nearest training image.
    flagged : ndarray of bool [n]
        Whether the image is a copy, or too close to tell.
    """

    score: NDArray[np.float64]
    nearest: NDArray[np.int64]
    flagged: NDArray[np.bool_]

    def to_frame(self) -> pd.DataFrame:
        """A row an image: score, nearest, flagged."""
        return pd.DataFrame({"score": self.score, "nearest": self.nearest, "flagged": self.flagged})


class CopyGate:
    """Finds images that lie closer to a training image than real images never trained on do.

    It sees exact, compressed, mirrored, turned, blurred and recoloured copies; not shifted, zoomed or framed ones, nor parts.

    Examples
    --------
    >>> import dermsynth as ds
    >>> data = ds.open_dataset("data")
    >>> training, held_out = data.images((32, 32))[:120], data.images((32, 32))[120:]
    >>> gate = ds.CopyGate.fit(training, held_out)
    >>> gate.check(training[:3]).flagged.tolist()
    [True, True, True]
    """

    def __init__(self, gate: copy_detection.CopyGate) -> None:
        self._gate = gate

    @property
    def threshold(self) -> float:
        """The score below which an image is flagged."""
        return self._gate.threshold

    @classmethod
    def fit(
        cls, training: Images, held_out: Images, *, false_alarms: float = copy_detection.FALSE_ALARMS
    ) -> "CopyGate":
        """Learn from held-out images how close real images come to the training images by chance.

        Parameters
        ----------
        training : ndarray of uint8 [n, height, width, 3]
            The images that the generator was trained on, RGB.
        held_out : ndarray of uint8 [m, height, width, 3]
            Real images that it has not seen, of other patients, at least 100.
        false_alarms : float
            Share of held-out images that are flagged, between 0 and 1.

        Returns
        -------
        CopyGate
            The gate.

        Raises
        ------
        UserError
            Too few held-out images, or held-out images that are copies of training images themselves.

        Examples
        --------
        >>> import dermsynth as ds
        >>> images = ds.open_dataset("data").images((32, 32))
        >>> ds.CopyGate.fit(images[:120], images[120:]).threshold > 0
        True
        """
        return cls(copy_detection.CopyGate.fitted(_planar(training), _planar(held_out), false_alarms))

    def check(self, images: Images) -> CopyCheck:
        """Score images and flag copies.

        Parameters
        ----------
        images : ndarray of uint8 [n, height, width, 3]
            RGB images.

        Returns
        -------
        CopyCheck
            Score, nearest training image and flag of each.

        Raises
        ------
        UserError
            The array does not hold RGB images.

        Examples
        --------
        >>> import dermsynth as ds
        >>> images = ds.open_dataset("data").images((32, 32))
        >>> gate = ds.CopyGate.fit(images[:120], images[120:])
        >>> gate.check(images[:1, :, ::-1]).nearest.tolist()  # mirrored
        [0]
        """
        result = self._gate.check(_planar(images))
        return CopyCheck(result.score, result.index, self._gate.flags(result))


def _planar(images: Images) -> Images:
    """[n, h, w, 3] -> [n, 3, h, w].

    Raises UserError for anything else than RGB images of uint8.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise UserError(f"images: {images.dtype} {list(images.shape)}; must be uint8 [n, height, width, 3]")
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def utility(
    synthetic: Data,
    *,
    real: Data,
    out: Path | str,
    positive: str,
    negative: Sequence[str],
    model: str = "small",
    arms: Sequence[str] = (),
    repeats: int = 5,
    images: int | str = "8k",
    batch: int = 32,
    learning_rate: float = 0.0003,
    test: Sequence[Data] = (),
    drop_overlap: bool = False,
    variants: Mapping[str, Data] | None = None,
    by: Sequence[str] = (),
    seed: int = 0,
) -> Any:
    """Train classifiers with and without synthetic images, and test them on real images that nobody has seen."""
    training = _classifier_training(model, repeats, images, batch, learning_rate)
    further = {name: open_dataset(place) for name, place in (variants or {}).items()}
    chosen = _arms(arms, further)
    material = gathered(
        open_dataset(real),
        open_dataset(synthetic),
        Classes(positive, tuple(negative)),
        [open_dataset(place) for place in test],
        drop_overlap=drop_overlap,
        columns=tuple(by),
        variants=further,
    )
    plan = Plan(chosen if arms else _possible(chosen, material), repeats, training, seed)
    return carry_out(material, plan, Path(out))


def _classifier_training(model: str, repeats: int, images: int | str, batch: int, learning_rate: float) -> Training:
    """How classifiers are trained; what is wrong with it is said before any image is read."""
    if not 1 <= repeats <= 1000:
        raise UserError(f"`repeats` {repeats}: must be 1 to 1000")
    if batch < 2:
        raise UserError(f"`batch` {batch}: must be at least 2")
    if learning_rate <= 0:
        raise UserError(f"`learning_rate` {learning_rate}: must be above 0")
    keep_freed_memory()
    backbone(model)
    return Training(model, parse_count(images), batch, learning_rate)


def _arms(names: Sequence[str], variants: Mapping[str, DataSet]) -> tuple[Arm, ...]:
    copies = sorted(name for name, rows in variants.items() if not rows.synthetic)
    return arms_of(tuple(names), [name for name in variants if name not in copies], copies)


def _possible(arms: Sequence[Arm], material: Material) -> tuple[Arm, ...]:
    """The usual arms; without those of synthetic images alone where these show one class only."""
    return tuple(arm for arm in arms if arm.real or material.both_made)


def export(synthetic: Data, *, out: Path | str, with_flagged: bool = False) -> DataSet:
    """Copy a synthetic set without the images flagged as copies, and write a data card for it.

    Parameters
    ----------
    synthetic : DataSet, Path or str
        A synthetic set that the copy gate has seen (by `generate` or `evaluate`).
    out : Path or str
        New folder, as Hugging Face reads it: ``metadata.csv``, images, and the card ``README.md``.
    with_flagged : bool
        Whether images that were flagged as copies, or never checked, are copied too.

    Returns
    -------
    DataSet
        The exported set.

    Raises
    ------
    UserError
        A set of real images, one that was changed since, was never checked for copies, or has nothing but copies.

    Examples
    --------
    >>> import dermsynth as ds
    >>> released = ds.export("synthetic", out="released")
    >>> (released.folder / "README.md").exists()
    True
    """
    return write_release(open_dataset(synthetic), Path(out), with_flagged=with_flagged)
