"""Where a GPU's memory is too small for a batch: the batch in more pieces, whose gradients add up."""

import logging
from pathlib import Path

import torch

from dermsynth.errors import UserError
from dermsynth.models.registry import family
from dermsynth.training import distributed
from dermsynth.training.config import RunConfig, validate

_log = logging.getLogger(__name__)


def in_more_pieces(run: Path, config: RunConfig) -> RunConfig:
    """The configuration with every batch in twice as many pieces, after memory ran out; a line says so.

    Raises UserError where a batch cannot be divided any further, or several processes would have to agree.
    """
    settings, kind = config.training, family(config.family)
    pieces = 2 * settings.accumulate
    where = f"{run}: the GPU's memory is too small for {settings.batch // settings.accumulate} images at a time"
    if kind.needs_whole_batches(validate(kind.config_type, config.model, "model")):
        raise UserError(f"{where}, and {config.family} cannot divide a batch; choose a smaller `batch` or size")
    if settings.batch % (pieces * distributed.count()):
        raise UserError(f"{where}, and the batch cannot be halved again; choose a smaller `batch`, size or network")
    if distributed.count() > 1:
        raise UserError(
            f"{where} in each of {distributed.count()} processes; repeat the command with `accumulate` {pieces}"
        )
    _log.warning(
        f"{where}; the run goes on from its last checkpoint with each batch in {pieces} pieces (`accumulate` {pieces})"
    )
    torch.cuda.empty_cache()
    return config.model_copy(update={"training": settings.model_copy(update={"accumulate": pieces})})


def pieces_as_begun(began: RunConfig, config: RunConfig) -> RunConfig:
    """The configuration with the pieces of the run that it goes on with, where none were asked for."""
    pieces = began.training.accumulate
    if config.training.accumulate != 1 or pieces == 1:
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"accumulate": pieces})})
