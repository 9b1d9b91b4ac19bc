"""Checks before a training begins: the folder belongs to this run, and the family can train with this precision and batch."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dermsynth.errors import UserError
from dermsynth.locks import claim_folder
from dermsynth.models.base import Model, require_edition
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.training import checkpoints, distributed
from dermsynth.training.config import RunConfig, differences, read_config, validate
from dermsynth.training.memory import pieces_as_begun
from dermsynth.training.run_folder import CONFIG

logger = logging.getLogger(__name__)


def check_batch(batch: int, accumulate: int) -> None:
    """Raise UserError for a batch that processes and pieces cannot share evenly."""
    parts = distributed.count() * accumulate
    if batch % parts:
        raise UserError(f"`batch` {batch}: not divisible by processes x accumulate = {parts}")


def check_batches(model: Model, config: RunConfig) -> None:
    """Every batch size that will come must be divisible, not only the first."""
    settings = config.training
    moments = np.unique(np.linspace(0, settings.images - 1, 1000).astype(int))
    for size in sorted({model.batch_at(int(images), settings.batch) for images in moments}):
        check_batch(size, settings.accumulate)


def check_abilities(config: RunConfig) -> None:
    """Raise UserError for a precision, or pieces of a batch, that the family cannot train with."""
    kind, settings = family(config.family), config.training
    if settings.precision == "float16" and not kind.casts_itself:
        raise UserError(f"`precision` 'float16': {config.family} takes float32 or bfloat16")
    if settings.accumulate > 1 and kind.needs_whole_batches(validate(kind.config_type, config.model, "model")):
        raise UserError(
            f"`accumulate` {settings.accumulate}: {config.family} has statistics or a pool over a batch, which cannot be "
            "divided; use a smaller batch"
        )


def check_folder(run: Path, config: RunConfig) -> None:
    """Raise UserError unless the folder is new, empty, or holds a run with this configuration."""
    difference = partial(_difference, run, config)
    claim_folder(run, CONFIG, config.model_dump(mode="json"), kind="a run", difference=difference, write=False)


def as_begun(run: Path, config: RunConfig) -> RunConfig:
    """The configuration with which a run goes on: settings that did not exist when it began are what they were then.

    That is their default, also where a preset has another value by now. What differs from the preset was asked for, and stays.
    Pieces of a batch are those of the run, unless others were asked for.
    """
    if not (run / CONFIG).exists():
        return config
    began, kind = read_config(run), family(config.family)
    config = pieces_as_begun(began, config)
    if began.family != config.family or config.preset not in kind.presets:
        return config
    shape = Shape(config.data.height, config.data.width)
    preset = kind.presets[config.preset](shape, config.training.batch).model_dump()
    then = {name: value for name, value in _newer(began).items() if config.model.get(name) == preset.get(name)}
    changed = [f"{name} {value}" for name, value in then.items() if config.model.get(name) != value]
    if changed:
        logger.info(f"{run}: begun before these settings existed, and goes on without them: {', '.join(changed)}")
    return config.model_copy(update={"model": config.model | then})


def _newer(began: RunConfig) -> dict[str, Any]:
    """The defaults of those settings of a family that a run's configuration does not have."""
    fields = family(began.family).config_type.model_fields
    missing = {name: field for name, field in fields.items() if name not in began.model and not field.is_required()}
    return {name: field.get_default(call_default_factory=True) for name, field in missing.items()}


def _difference(run: Path, config: RunConfig, *_: Mapping[str, Any]) -> str:
    """In what a run's configuration differs; a run of another edition of its family is refused."""
    for checkpoint in checkpoints.checkpoints(run)[-1:]:
        if checkpoint.state.family == config.family:
            require_edition(family(config.family), config.family, checkpoint.state.edition, run)
    began = read_config(run)
    changed = differences(began.model_copy(update={"model": _newer(began) | began.model}), config)
    return f"holds a run with another configuration ({changed[0]})" if changed else ""
