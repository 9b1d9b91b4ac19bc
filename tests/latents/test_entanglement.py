"""Entanglement: a direction that changes nothing costs nothing; figures have their n; the ranking is by what stays."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.io import read_json
from dermsynth.latents.attributes import scorer
from dermsynth.latents.directions import Direction, sefa_directions, write_directions
from dermsynth.latents.entanglement import EntanglementRow, Figure, Observers, entanglement, figure, rank_directions
from dermsynth.latents.space import Space, space_of
from dermsynth.sampling.generator import load_generator

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def space(run: Path) -> Space:
    return space_of(load_generator(run, device="cpu"))


def test_what_no_layer_sees_changes_nothing(space: Space) -> None:
    points = space.points(range(8), [0] * 8, None)
    still = Direction("still", np.zeros(space.width, np.float32), 1.0, {})
    moving = sefa_directions(space, 1, None, points)[0]
    perceptual = PerceptualSpace("mean colours", "", lambda images: iter([images]))
    observers = Observers(scorer("bubble"), perceptual=perceptual)
    nothing, something = entanglement(space, [still, moving], observers, seeds=range(200), steps=[3.0])
    assert nothing.target.mean == 0
    assert nothing.dice.mean == 1
    assert something.dice.mean < 1
    known = [key for key in ("inside", "asymmetry", "skin_tone", "perceptual") if getattr(nothing, key) is not None]
    assert known
    for key in known:
        assert getattr(nothing, key).mean == pytest.approx(1 if key == "inside" else 0)
        assert getattr(nothing, key).n <= 200


def test_style_weights_of_this_run_have_no_blind_side(space: Space) -> None:
    stacked = torch.cat(space.generator.model.style_weights())
    assert int(torch.linalg.matrix_rank(stacked)) == space.width


def test_figures_are_means_of_what_could_be_measured() -> None:
    found = figure(np.array([1.0, 2.0, 3.0, np.nan]))
    assert found is not None
    assert (found.mean, found.n) == (2.0, 3)
    assert 1 <= found.low <= 2 <= found.high <= 3
    assert figure(np.array([np.nan])) is None


def row(direction: str, step: float, gone: float, kept: float) -> EntanglementRow:
    figures = {"gone": Figure(gone, 0, 1, 200), "dice": Figure(kept, 0, 1, 200)}
    return EntanglementRow(direction=direction, step=step, **figures)


def test_the_ranking_is_by_what_stays_of_the_lesion() -> None:
    rows = [
        row("a", -1, 0.6, 0.7),
        row("a", -2, 0.9, 0.5),
        row("b", -1, 0.2, 0.95),
        row("b", -2, 0.7, 0.9),
        row("c", -3, 0.3, 0.99),
    ]
    found = rank_directions(rows)
    assert [(one.direction, one.step) for one in found] == [("b", -2), ("a", -1), ("c", -3)]
    assert [one.enough for one in found] == [True, True, False]


def test_few_latents_are_refused(space: Space) -> None:
    still = Direction("still", np.zeros(space.width, np.float32), 1.0, {})
    with pytest.raises(UserError, match="`count` 10: at least 200 latents are needed"):
        entanglement(space, [still], Observers(scorer("frame")), seeds=range(10), steps=[1.0])


def test_a_page_of_all_directions(space: Space, run: Path, tmp_path: Path, shell: Shell) -> None:
    """Each once more without a third direction."""
    targets = space.generator.model.targets()
    points = space.points(range(1000), [targets[i % len(targets)] for i in range(1000)], None)
    first, second, third = sefa_directions(space, 3, None, points)
    write_directions(
        tmp_path / "directions.safetensors", space, [first, replace(second, vector=third.vector + second.vector)]
    )
    write_directions(tmp_path / "other.safetensors", space, [third])
    files = ["--directions", tmp_path / "directions.safetensors", "--without", tmp_path / "other.safetensors"]
    steps, out = ["--steps", -1, "--steps", 1], tmp_path / "compared"
    said = shell("latents", "compare", run, *files, "--target", "bubble", *steps, "--out", out).stdout
    assert "sefa0" in said
    result = read_json(out / "entanglement.json")
    assert [row["direction"] for row in result["rows"][::2]] == ["sefa0", "sefa1", "sefa0-only", "sefa1-only"]
    dice = {row["direction"]: row["dice"]["mean"] for row in result["rows"][::2]}
    assert dice["sefa0"] == pytest.approx(dice["sefa0-only"], abs=0.02), "it is at a right angle to the third already"
    assert (out / "entanglement.html").read_text().count("<figure>") == 4
    side = space.generator.model.shape.height
    assert read_image(out / "strip03.png").shape == (3 * side + 4, 7 * side + 12, 3)
