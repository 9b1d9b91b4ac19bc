"""What a training will cost, before it begins."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dermsynth.api.training import IMAGES, LOOP, ImageChoices, LoopChoices, configure, with_choices
from dermsynth.data.dataset import Data
from dermsynth.training import cost, distributed
from dermsynth.training.arithmetic import chosen_precision
from dermsynth.training.cost import TrainingCost


def training_cost(
    family: str,
    data: Data | None = None,
    *,
    images: int | str | None = None,
    resolution: int | str | tuple[int, int] = 64,
    preset: str | None = None,
    options: Mapping[str, Any] | None = None,
    batch: int | None = None,
    device: str = "auto",
    selection: ImageChoices = IMAGES,
    loop: LoopChoices = LOOP,
    **choices: Any,
) -> TrainingCost:
    """Measure the time and memory that a training will take, by some steps on noise. Nothing is written.

    Every choice is checked as `train` checks it, and the images are read.

    Parameters
    ----------
    family : str
        The family: ``stylegan2-ada``, ``diffusion``, ``dcgan``, ...
    data : DataSet, Path, str or None
        The data set to learn from; by default a phantom of 2,000 images.
    images : int, str or None
        Length of the training in real images shown, as in `train`.
    resolution : int, str, or tuple of two int
        Size in pixels.
    preset : str or None
        The preset, as in `train`.
    options : mapping of str to value, or None
        Settings of the family that differ from the preset.
    batch : int or None
        Images a step; the preset's own by default.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    selection : ImageChoices
        Which images are learnt from and how they are brought to size.
    loop : LoopChoices
        How the training is carried out: ``accumulate`` and ``precision`` change what it costs.
    choices : values
        Single fields of `selection` and `loop` by their names.

    Returns
    -------
    TrainingCost
        ``seconds`` of all steps, ``seconds_per_image``, ``peak_bytes`` of memory, ``checkpoint_bytes``; ``text()`` has them for a
        person. Snapshots, and what is measured of them, come on top.

    Raises
    ------
    UserError
        A value or the data set cannot be used.

    Examples
    --------
    >>> import dermsynth as ds
    >>> cost = ds.training_cost("dcgan", "data", images=64, resolution=16, batch=16, device="cpu")
    >>> cost.images, cost.seconds > 0, cost.peak_bytes > cost.checkpoint_bytes
    (64, True, True)
    """
    selection, loop = with_choices(selection, loop, choices)
    where = distributed.choose_device(device)
    loop = replace(loop, precision=chosen_precision(loop.precision, Path(), where))
    config, _ = configure(
        family, data, images, resolution=resolution, preset=preset, options=options, batch=batch, selection=selection,
        loop=loop,
    )  # fmt: skip
    return cost.training_cost(config, where)
