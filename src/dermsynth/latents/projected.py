"""What is kept of a projection: the point with its noise, and a strip of photograph, projection and edits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from dermsynth.errors import UserError
from dermsynth.images import Pixels, encode_png, grid, read_image
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import moved
from dermsynth.latents.projection import Projection, as_shown
from dermsynth.latents.space import Space
from dermsynth.recipes.sampler import to_bytes
from dermsynth.runs import replacing, write_bytes


def refuse_written(out: Path, photographs: Sequence[Path]) -> None:
    """Raise UserError where two photographs have one name, or a file would be written over."""
    stems = [photograph.stem for photograph in photographs]
    twice = [stem for stem in stems if stems.count(stem) > 1]
    if twice:
        raise UserError(f"{twice[0]}: two photographs have this name; project them into folders of their own")
    for stem in stems:
        for path in (out / f"{stem}.png", out / f"{stem}.safetensors"):
            if path.exists():
                raise UserError(f"{path}: is there already and would be written over; choose another --out")


def write_projection(
    out: Path, photograph: Path, space: Space, found: Projection, direction: Direction | None, steps: Sequence[float]
) -> None:
    """NAME.safetensors and NAME.png in `out`; that neither is there is for `refuse_written` to see."""
    before = as_shown(space, read_image(photograph))
    edits = [] if direction is None else [edited(space, found, direction, step) for step in steps]
    strip = grid(np.stack([before, found.image, *edits]), 2 + len(edits))
    text = {"Software": "dermsynth", "checkpoint": space.generator.checkpoint.hash}
    write_bytes(out / f"{photograph.stem}.png", encode_png(strip, text=text, synthetic=True))
    arrays = {"point": found.point} | {f"noise{i:02d}": one for i, one in enumerate(found.noise)}
    with replacing(out / f"{photograph.stem}.safetensors") as temporary:
        save_file(arrays, temporary, {"checkpoint": space.generator.checkpoint.hash, "photograph": photograph.name})


def edited(space: Space, found: Projection, direction: Direction, step: float) -> Pixels:
    """The projection moved by so many deviations along a direction, with its own noise."""
    recipe = space.generator.recipe
    device = next(recipe.parameters()).device
    point = moved(space, found.point[None], direction, step)
    with torch.inference_mode():
        noise = [torch.from_numpy(one)[None].to(device) for one in found.noise]
        made = recipe.of_style(torch.from_numpy(point).to(device), noise)
    return np.asarray(to_bytes(made)[0].transpose(1, 2, 0))
