"""The images that a run is trained on, from its settings; and its complete configuration, from a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.training_set import Selection, TrainingSet
from dermsynth.data.verification import verify
from dermsynth.errors import UserError, require_whole
from dermsynth.models.inputs import DataRequest
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.training.config import DataSettings, RunConfig, TrainingSettings, validate
from dermsynth.training.pretrained import pretrained, trained_on

FINE_TUNE = "fine-tune"
"""Preset for trainings that start from a generator of the same widths."""

SNAPSHOT, SLOW_SNAPSHOT = 4_000, 16_000
"""Images shown between two checkpoints where nothing was asked for; the second of families that sample slowly."""


def load_training_images(
    name: str, data_set: DataSet, request: DataRequest, seed: int
) -> tuple[DataSettings, TrainingSet]:
    """The decoded images of a data set that a family is trained on, and the settings that describe them.

    Parameters
    ----------
    name
        The family.
    data_set
        Where the images are.
    request
        Which of them, and how they are decoded.
    seed
        Of the order in which they are shown.

    Raises
    ------
    UserError
        The data set lacks what the family takes, or its files are others than it was written with.
    """
    verify(data_set)
    inputs, selection, decoding = family(name).inputs, request.selection, request.decoding
    inputs.check(name, request)
    images = inputs.training_set(data_set, request, seed)
    settings = DataSettings(
        folder=str(data_set.folder.resolve()),
        content_hash=data_set.whole_hash,
        rows_hash=images.rows_hash,
        split=selection.split,
        exclude=selection.exclude,
        classes=images.classes,
        map_layers=images.map_layers,
        superpixels=request.superpixels,
        temperature=request.temperature,
        height=decoding.height,
        width=decoding.width,
        crop=decoding.crop,
        filter=decoding.filter,
    )
    return settings, images


def data_trained_on(settings: DataSettings, place: Path | None = None) -> DataSet:
    """The data set that a run was trained on: in the folder `place`, by default where it was at that time.

    Raises UserError when it is gone, or another set is in its place.
    """
    folder = place or Path(settings.folder)
    if place is None and not folder.is_dir():
        raise UserError(_where_data_is(settings))
    data_set = open_data_set(folder)
    if data_set.whole_hash != settings.content_hash:
        hashes = f"content hash {data_set.whole_hash[:16]}, that of the run's set is {settings.content_hash[:16]}"
        raise UserError(f"{folder}: no longer holds the images that were trained on, or is another set ({hashes})")
    return data_set


def _where_data_is(settings: DataSettings) -> str:
    known = trained_on(settings.content_hash)
    if known is None:
        return f"{settings.folder}: no such folder; if the data set was moved, name it with `data` DIR"
    return (
        f"{known.name!r} comes with dermsynth without the photographs it was trained on; what the copy gate found among its "
        f"images is in {known.card}"
    )


def same_images(name: str, settings: DataSettings, seed: int = 0, place: Path | None = None) -> TrainingSet:
    """The images that a run was shown, from the folder `place` if their data set was moved.

    Raises UserError when the data set is gone or has changed.
    """
    return similar_images(name, settings, data_trained_on(settings, place), seed)


def similar_images(name: str, settings: DataSettings, data_set: DataSet, seed: int = 0) -> TrainingSet:
    """Images of another data set, selected and decoded as the training images of a run were.

    Raises UserError when it lacks the labels, masks or map values that the family takes.
    """
    own, images = load_training_images(name, data_set, _request(name, settings), seed)
    if own.map_layers != settings.map_layers:
        raise UserError(
            f"{data_set.folder}: maps of {', '.join(own.map_layers)}; the run knows {', '.join(settings.map_layers)}"
        )
    return images


def unseen_images(name: str, settings: DataSettings) -> TrainingSet | None:
    """Validation images of the same kind; None where there are too few, or the family's input has none."""
    data_set = open_data_set(Path(settings.folder))
    return family(name).inputs.held_out(data_set, _request(name, settings), settings.classes)


def _request(name: str, settings: DataSettings) -> DataRequest:
    """The request that led to these settings."""
    translates = family(name).inputs.translates
    source, target = settings.classes if translates else ("", "")
    return DataRequest(
        Decoding(settings.height, settings.width, settings.crop, settings.filter),
        Selection(settings.split, settings.exclude, bool(settings.classes) and not translates),
        settings.temperature,
        settings.superpixels,
        source,
        target,
    )


@dataclass(frozen=True)
class Plan:
    """A family with a preset, the choices that differ from it, and the settings of the loop.

    Without `images` the length is the family's own number of passes through the training images, if it has one. Without a preset
    it is `laptop`, or `fine-tune` where training starts from a generator of this package and the family has it.
    """

    family: str
    preset: str | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


def resolve(plan: Plan, shape: Shape) -> tuple[BaseModel, TrainingSettings]:
    """Every choice of a plan at an image size: the family's configuration and the loop's settings.

    Raises UserError for a family, a preset, a choice or a size that is not known.
    """
    kind = family(plan.family)
    preset, asked = kind.presets[chosen_preset(plan)], plan.training.get("batch")
    batch = preset.batch if asked is None else require_whole(asked, "batch", 1)
    asked_for = {name: value for name, value in plan.training.items() if value is not None}
    if "images" not in asked_for and kind.passes is None:
        raise UserError(f"`images` is missing: how many images {plan.family} is shown, for example 40k")
    usual = {"images": 1, "snapshot": SLOW_SNAPSHOT if kind.samples_slowly else SNAPSHOT}
    training = validate(TrainingSettings, {**usual, **asked_for, "batch": batch}, "train")
    config = preset(shape, batch)
    fine_tuning = kind.fine_tuning(config) if training.initial else {}
    config = validate(kind.config_type, config.model_dump() | fine_tuning | dict(plan.choices), "`options`")
    kind.check_shape(shape, config)
    return config, training


def chosen_preset(plan: Plan) -> str:
    """The preset of a plan, or the one that is meant where it names none.

    Raises UserError for a preset that the family does not have.
    """
    presets = family(plan.family).presets
    if plan.preset is None:
        return FINE_TUNE if plan.training.get("initial") in pretrained() and FINE_TUNE in presets else "laptop"
    if plan.preset not in presets:
        raise UserError(f"`preset` {plan.preset!r}: unknown; {plan.family} has: {', '.join(presets)}")
    return plan.preset


def configure(plan: Plan, data_set: DataSet, request: DataRequest) -> tuple[RunConfig, TrainingSet]:
    """The complete configuration of a run, and the decoded images it is shown."""
    config, training = resolve(plan, Shape(request.decoding.height, request.decoding.width))
    settings, images = load_training_images(plan.family, data_set, request, training.seed)
    passes = family(plan.family).passes
    if plan.training.get("images") is None and passes is not None:
        training = training.model_copy(update={"images": passes * len(images.images)})
    run = RunConfig(
        family=plan.family, preset=chosen_preset(plan), model=config.model_dump(), data=settings, training=training
    )
    return run, images
