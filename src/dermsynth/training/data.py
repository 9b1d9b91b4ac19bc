"""From the settings of a run to the images it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.paired_sets import domain_set, map_set
from dermsynth.data.training_set import Selection, TrainingSet, held_out, training_set
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.training.config import DataSettings, RunConfig, TrainingSettings, validated


@dataclass(frozen=True)
class Wanted:
    """What a user asks to be shown; `source` and `target` for families that translate, `superpixels` for those with maps."""

    decoding: Decoding
    selection: Selection
    temperature: float = 1.0
    superpixels: bool = False
    source: str = ""
    target: str = ""


def shown_images(recipe: str, data_set: DataSet, wanted: Wanted, seed: int) -> tuple[DataSettings, TrainingSet]:
    """The settings that describe what is shown, and the decoded images.

    Raises UserError when the data set does not have what the family takes, or its files are others than it was written with.
    """
    verify(data_set)
    takes, selection, decoding = family(recipe).takes, wanted.selection, wanted.decoding
    _check_options(recipe, takes, wanted)
    if takes == "domains":
        masks = family(recipe).masked
        chosen = domain_set(
            data_set, decoding, wanted.source, wanted.target, masks=masks, split=selection.split, seed=seed
        )
    elif takes == "maps":
        chosen = map_set(data_set, decoding, selection, superpixels=wanted.superpixels, seed=seed)
    else:
        chosen = training_set(data_set, decoding, selection, temperature=wanted.temperature, seed=seed)
    settings = DataSettings(
        folder=str(data_set.folder.resolve()),
        content_hash=data_set.content_hash,
        rows_hash=chosen.rows_hash,
        split=selection.split,
        exclude=selection.exclude,
        classes=chosen.classes,
        map_layers=chosen.map_layers,
        superpixels=wanted.superpixels,
        temperature=wanted.temperature,
        height=decoding.height,
        width=decoding.width,
        crop=decoding.crop,
        filter=decoding.filter,
    )
    return settings, chosen


def _check_options(recipe: str, takes: str, wanted: Wanted) -> None:
    if takes == "domains" and not (wanted.source and wanted.target):
        raise UserError(f"{recipe} translates between two labels: name them with `source` LABEL `target` LABEL")
    if takes != "images" and wanted.temperature != 1:
        raise UserError(f"`imbalance`: {recipe} is not shown classes in turn; leave it out")
    if takes == "domains" and wanted.selection.exclude:
        raise UserError(f"`exclude`: {recipe} is shown the labels of `source` and `target` alone; leave it out")
    if takes != "domains" and (wanted.source or wanted.target):
        raise UserError(f"`source`, `target`: {recipe} does not translate; leave them out")
    if takes != "maps" and wanted.superpixels:
        raise UserError(f"`superpixels`: {recipe} takes no maps; leave it out")


def data_trained_on(settings: DataSettings, place: Path | None = None) -> DataSet:
    """The data set that a run was trained on: in the folder `place`, by default where it was then.

    Raises UserError when it is not there, or another set is.
    """
    folder = place or Path(settings.folder)
    if place is None and not folder.is_dir():
        raise UserError(f"{folder}: no such folder; if the data set was moved, name it with `data` DIR")
    data_set = open_data_set(folder)
    if data_set.content_hash != settings.content_hash:
        hashes = f"content hash {data_set.content_hash[:16]}, that of the run's set is {settings.content_hash[:16]}"
        raise UserError(f"{folder}: no longer holds the images that were trained on, or is another set ({hashes})")
    return data_set


def same_images(recipe: str, settings: DataSettings, seed: int = 0, place: Path | None = None) -> TrainingSet:
    """The images that a run was shown, from the folder `place` if their data set was moved.

    Raises UserError when the data set is gone or has changed.
    """
    return similar_images(recipe, settings, data_trained_on(settings, place), seed)


def similar_images(recipe: str, settings: DataSettings, data_set: DataSet, seed: int = 0) -> TrainingSet:
    """Images of another data set, chosen and decoded as those were that a run was shown.

    Raises UserError when it has not the labels, masks or map values that the family takes.
    """
    found, chosen = shown_images(recipe, data_set, _wanted(recipe, settings), seed)
    if found.map_layers != settings.map_layers:
        raise UserError(
            f"{data_set.folder}: maps of {', '.join(found.map_layers)}; the run knows {', '.join(settings.map_layers)}"
        )
    return chosen


def unseen_images(recipe: str, settings: DataSettings) -> TrainingSet | None:
    """Validation images of the same kind, for families of plain images; None where there are too few."""
    if family(recipe).takes != "images":
        return None
    wanted = _wanted(recipe, settings)
    return held_out(open_data_set(Path(settings.folder)), wanted.decoding, wanted.selection, settings.classes)


def _wanted(recipe: str, settings: DataSettings) -> Wanted:
    domains = family(recipe).takes == "domains"
    return Wanted(
        Decoding(settings.height, settings.width, settings.crop, settings.filter),
        Selection(settings.split, settings.exclude, bool(settings.classes) and not domains),
        settings.temperature,
        settings.superpixels,
        settings.classes[0] if domains else "",
        settings.classes[1] if domains else "",
    )


@dataclass(frozen=True)
class Plan:
    """A family with a preset, what of it is chosen otherwise, and the settings of the loop, of which `images` is needed."""

    recipe: str
    preset: str = "laptop"
    choices: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


def resolved(plan: Plan, shape: Shape) -> tuple[BaseModel, TrainingSettings]:
    """Every choice of a plan at an image size: the family's configuration and the loop's settings.

    Raises UserError for a family, a preset, a choice or a size that is not known.
    """
    kind = family(plan.recipe)
    if plan.preset not in kind.presets:
        raise UserError(f"`preset` {plan.preset!r}: unknown; {plan.recipe} has: {', '.join(kind.presets)}")
    asked = plan.training.get("batch")
    batch = kind.batch_sizes[plan.preset] if asked is None else int(asked)
    if batch < 1:
        raise UserError(f"`batch` {batch}: must be at least 1")
    training = validated(TrainingSettings, {**plan.training, "batch": batch}, "train")
    preset = kind.presets[plan.preset](shape, batch)
    otherwise = kind.fine_tuning(preset) if training.initial else {}
    values = preset.model_dump() | otherwise | dict(plan.choices)
    chosen = validated(kind.config_type, values, "`set`")
    kind.check_shape(shape, chosen)
    return chosen, training


def configured(plan: Plan, data_set: DataSet, wanted: Wanted) -> tuple[RunConfig, TrainingSet]:
    """The complete configuration of a run, and the decoded images it is shown."""
    chosen, training = resolved(plan, Shape(wanted.decoding.height, wanted.decoding.width))
    settings, images = shown_images(plan.recipe, data_set, wanted, training.seed)
    model = chosen.model_dump()
    return RunConfig(recipe=plan.recipe, preset=plan.preset, model=model, data=settings, training=training), images
