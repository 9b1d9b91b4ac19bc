"""What the page shows is what the generator makes; what it says of copies and scores is so; nonsense is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.explore.explorer import Explorer, Move, gate_of
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import (
    Direction,
    collect_directions,
    pca_directions,
    rename_direction,
    write_directions,
)
from dermsynth.latents.edits import move_points
from dermsynth.latents.space import Space, space_of
from dermsynth.models.sampler import sample_images
from dermsynth.sampling.generator import class_seed, load_generator
from dermsynth.training.loop import train
from tests.conftest import tiny_config


@pytest.fixture(scope="module")
def space(run: Path) -> Space:
    return space_of(load_generator(run, device="cpu"))


@pytest.fixture(scope="module")
def directions(space: Space) -> dict[str, Direction]:
    found = pca_directions(space.points(range(64), [0] * 64, None), 3)
    return {d.name: d for d in (found[0], replace(found[1], layers=(0, 1)), found[2])}


BRIGHTNESS = Scorer("brightness", 0.5, lambda images: images.mean(axis=(1, 2, 3)) / 255)


@pytest.fixture(scope="module")
def explorer(space: Space, directions: dict[str, Direction]) -> Explorer:
    return Explorer(space, directions, [BRIGHTNESS], None)


def of(space: Space, seed: int, *steps: tuple[str, float], truncation: float | None = None) -> Move:
    return Move(seed, space.generator.config.data.classes[1], truncation, steps)


def test_without_a_step_it_is_what_generate_makes(explorer: Explorer, space: Space) -> None:
    for truncation in (None, 0.5):
        shown = explorer.pair(of(space, 7, truncation=truncation))
        made = sample_images(space.generator.model, [class_seed(1, 7)], [1], truncation)[0]
        assert (shown.before == made.transpose(1, 2, 0)).all()
        assert (shown.after == shown.before).all()


def test_steps_along_several_directions_add_up(
    explorer: Explorer, space: Space, directions: dict[str, Direction]
) -> None:
    """Of which one moves two layers only."""
    shown = explorer.pair(of(space, 3, ("pca0", 2.0), ("pca1", -1.5)))
    point = move_points(space, space.points([3], [1], None), directions["pca0"], 2.0)
    spread = np.repeat(point[:, None], space.layers, axis=1)
    spread[:, :2] -= np.float32(1.5 * directions["pca1"].scale) * directions["pca1"].vector
    assert (shown.after == space.images(spread, [3], [1])[0].transpose(1, 2, 0)).all()
    assert (shown.after != shown.before).any()


def test_scores_are_those_of_the_two_images(explorer: Explorer, space: Space) -> None:
    shown = explorer.pair(of(space, 5, ("pca0", 3.0)))
    (score,) = shown.scores
    assert (score.before, score.after) == pytest.approx((shown.before.mean() / 255, shown.after.mean() / 255))
    assert score.threshold == 0.5


def test_the_gate_knows_a_training_image(space: Space, phantom: DataSet) -> None:
    assert "at least 100" in gate_of(space.generator)[1]
    gate, reason = gate_of(space.generator, fewest_held_out=20)
    assert gate is not None, reason
    training = phantom.select((phantom.table["split"] == "train").to_numpy())
    near = gate.near(np.asarray(decode_images(training, Decoding(16, 16)))[11])
    assert (near.nearest, near.flagged) == (training.table["file_name"].iloc[11], True)
    shown = Explorer(space, {}, [], gate).pair(of(space, 0)).nearness
    assert shown is not None
    assert shown.flagged == (shown.score < shown.threshold)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed": -1}, "seed -1: must be 0 to 999999999"),
        ({"label": "wart"}, "class 'wart': there are: "),
        ({"truncation": 9.0}, "truncation 9.0: stylegan2-ada takes psi between 0"),
        ({"truncation": float("nan")}, "truncation nan: stylegan2-ada takes psi"),
        ({"steps": (("pca9", 1.0),)}, "direction 'pca9': there are: pca0, pca1, pca2"),
        ({"steps": (("pca0", 50.0),)}, "pca0 50.0: a step must be -5 to 5"),
        ({"steps": (("pca0", float("nan")),)}, "pca0 nan: a step must be -5 to 5"),
    ],
)
def test_what_does_not_exist_is_refused(explorer: Explorer, space: Space, changes: dict, line: str) -> None:
    with pytest.raises(UserError) as refused:
        explorer.pair(replace(of(space, 0), **changes))
    assert str(refused.value).startswith(line)


def test_directions_of_one_name_are_told_apart(space: Space, directions: dict[str, Direction], tmp_path: Path) -> None:
    paths = [tmp_path / name / "directions.safetensors" for name in ("a", "b")]
    for path in paths:
        write_directions(path, space, list(directions.values()))
    assert list(collect_directions(paths[:1], space)) == ["pca0", "pca1", "pca2"]
    assert list(collect_directions(paths, space))[:4] == ["a/pca0", "a/pca1", "a/pca2", "b/pca0"]
    with pytest.raises(UserError, match="two directions are called a/pca0"):
        collect_directions([paths[0], paths[0]], space)
    rename_direction(paths[1], "pca0", "frames")
    assert {"pca0", "frames"} < set(collect_directions(paths, space))
    kept = collect_directions(paths[1:], space)["frames"]
    assert (kept.vector == directions["pca0"].vector).all()
    assert kept.facts == directions["pca0"].facts
    for old, new, line in (
        ("pca0", "x", "'pca0': "),
        ("frames", "pca2", "'pca2': is taken"),
        ("pca1", " ", "' ': cannot be a name"),
    ):
        with pytest.raises(UserError, match=line):
            rename_direction(paths[1], old, new)


def test_a_family_without_styles_is_moved_in_z(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="dcgan")
    train(tmp_path / "run", config, chosen, watchers=[], device="cpu")
    space = space_of(load_generator(tmp_path / "run", device="cpu"))
    found = pca_directions(space.points(range(64), [0] * 64, None), 1)
    write_directions(tmp_path / "d.safetensors", space, found)
    explorer = Explorer(space, collect_directions([tmp_path / "d.safetensors"], space), [BRIGHTNESS], None)
    label = (explorer.classes or ("",))[0]
    still, away = (explorer.pair(Move(2, label, None, steps)) for steps in ((), (("pca0", 3.0),)))
    assert (still.before == away.before).all()
    assert (away.after != away.before).any()
    assert explorer.recipe(Move(2, label, None, (("pca0", 3.0),))).space == "z"


def test_a_set_that_has_moved_means_no_gate(space: Space) -> None:
    data = space.generator.config.data.model_copy(update={"folder": "/nowhere"})
    elsewhere = replace(space.generator, config=space.generator.config.model_copy(update={"data": data}))
    gate, reason = gate_of(elsewhere)
    assert gate is None
    assert "/nowhere" in reason
