"""From what is asked for to the complete configuration of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import UserError
from dermsynth.networks.shapes import Shape
from dermsynth.recipes import family
from dermsynth.training.settings import RunConfig, TrainingSettings, validated
from dermsynth.training.showing import Wanted, shown_images


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
        raise UserError(f"--preset {plan.preset!r}: unknown; {plan.recipe} has: {', '.join(kind.presets)}")
    asked = plan.training.get("batch")
    batch = kind.batch_sizes[plan.preset] if asked is None else int(asked)
    if batch < 1:
        raise UserError(f"--batch {batch}: must be at least 1")
    training = validated(TrainingSettings, {**plan.training, "batch": batch}, "train")
    preset = kind.presets[plan.preset](shape, batch)
    otherwise = kind.fine_tuning(preset) if training.initial else {}
    values = preset.model_dump() | otherwise | dict(plan.choices)
    chosen = validated(kind.config_type, values, "--set")
    kind.check_shape(shape, chosen)
    return chosen, training


def configured(plan: Plan, data_set: DataSet, wanted: Wanted) -> tuple[RunConfig, TrainingSet]:
    """The complete configuration of a run, and the decoded images it is shown."""
    chosen, training = resolved(plan, Shape(wanted.decoding.height, wanted.decoding.width))
    settings, images = shown_images(plan.recipe, data_set, wanted, training.seed)
    model = chosen.model_dump()
    return RunConfig(recipe=plan.recipe, preset=plan.preset, model=model, data=settings, training=training), images
