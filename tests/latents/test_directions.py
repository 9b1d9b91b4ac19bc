"""Directions: what was planted is found, what they say of themselves is so, and those of another run are refused."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.decomposition import PCA

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.latents.directions import (
    Direction,
    pca_directions,
    project_out,
    read_directions,
    sefa_directions,
    svm_direction,
    write_directions,
)
from dermsynth.latents.discovery import directions
from dermsynth.latents.edits import edit, move_points
from dermsynth.latents.samples import Samples
from dermsynth.latents.space import Space, space_of
from dermsynth.models.sampler import sample_images
from dermsynth.sampling.generator import class_seed, load_generator
from dermsynth.training.loop import train
from tests.conftest import tiny_config

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def space(run: Path) -> Space:
    return space_of(load_generator(run, device="cpu"))


def planted(count: int = 2000, width: int = 16, seed: int = 0) -> tuple[Samples, np.ndarray]:
    """Points whose score is their place along one direction, with noise."""
    random = np.random.default_rng(seed)
    points = random.normal(0, 2, (count, width)).astype(np.float32)
    truth = random.normal(size=width)
    truth /= np.linalg.norm(truth)
    scores = points @ truth + random.normal(0, 0.3, count)
    return Samples(points, np.arange(count), np.zeros(count, int), scores), truth


def test_a_planted_direction_is_found() -> None:
    samples, truth = planted()
    found = svm_direction(samples, 1.0, "frame", 0)
    assert found.vector @ truth > 0.98
    assert found.facts["balanced_accuracy"] > 0.9
    assert found.scale == pytest.approx(2, rel=0.05)
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-5)


def test_no_direction_is_found_where_there_is_none() -> None:
    samples, _ = planted()
    lots = replace(samples, scores=np.random.default_rng(1).normal(size=2000))
    assert svm_direction(lots, 0.0, "frame", 0).facts["balanced_accuracy"] < 0.58


def test_one_sided_labels_are_refused() -> None:
    samples, _ = planted()
    with pytest.raises(UserError, match="frame: 0 images show it and 2000 do not; at least 20 of each are needed"):
        svm_direction(samples, 1e9, "frame", 0)


def test_principal_directions_are_those_of_scikit_learn() -> None:
    samples, _ = planted()
    stretched = samples.points * np.linspace(3, 1, 16, dtype=np.float32)
    reference = PCA(4).fit(stretched)
    for mine, theirs, share in zip(
        pca_directions(stretched, 4), reference.components_, reference.explained_variance_ratio_, strict=True
    ):
        assert abs(mine.vector @ theirs) == pytest.approx(1, abs=1e-3)
        assert mine.facts["explained"] == pytest.approx(share, rel=1e-3)


def test_eigenvectors_of_the_weights_move_styles_most(space: Space) -> None:
    points = space.points(range(8), [0] * 8, None)
    found = sefa_directions(space, space.width, None, points)
    stacked = torch.cat(space.generator.model.style_weights()).numpy()
    stacked /= np.linalg.norm(stacked, axis=1, keepdims=True)
    lengths = [np.linalg.norm(stacked @ d.vector) for d in found]
    assert lengths == sorted(lengths, reverse=True)
    assert np.allclose([d.vector @ found[0].vector for d in found[1:]], 0, atol=1e-4)
    random = np.random.default_rng(0).normal(size=(200, space.width))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    assert lengths[0] >= np.linalg.norm(stacked @ random.T, axis=0).max()
    with pytest.raises(UserError, match="this generator has layers 0 to"):
        sefa_directions(space, 1, (0, 99), points)


@pytest.mark.parametrize("layers", [None, (0, 2), (3, 5)])
def test_eigenvectors_are_those_of_the_authors_program(space: Space, layers: tuple[int, int] | None) -> None:
    """Its steps once more: weights of every convolution and of the last image layer side by side, columns of unit length."""
    synthesis = space.generator.model.average.synthesis  # type: ignore[union-attr]
    blocks = list(synthesis.blocks.values())
    modules = [blocks[0].convolution]
    for block in blocks[1:]:
        modules += [block.up, block.convolution]
    modules += [blocks[-1].to_image]
    first, last = layers or (0, len(modules) - 1)
    chosen = [module.affine.weight.detach().numpy().T for module in modules[first : last + 1]]
    weight = np.concatenate(chosen, axis=1).astype(np.float64)
    weight = weight / np.linalg.norm(weight, axis=0, keepdims=True)
    values, vectors = np.linalg.eig(weight.dot(weight.T))
    order = np.argsort(-values.real)
    found = sefa_directions(space, space.width, layers, space.points(range(8), [0] * 8, None))
    assert len(found) == len(values)
    for mine, place in zip(found, order, strict=True):
        assert mine.facts["eigenvalue"] == pytest.approx(values.real[place], abs=1e-6)
        assert abs(mine.vector @ vectors.real[:, place]) == pytest.approx(1, abs=1e-3)
    assert sum(mine.facts["eigenvalue"] for mine in found) == pytest.approx(weight.shape[1]), "every style counts one"


def test_style_weights_are_those_that_each_layer_uses(space: Space) -> None:
    """A change of one layer's w that its weights send to nothing changes no pixel; any other does."""
    recipe, labels = space.generator.model, [0] * 2
    points = space.points([3, 4], labels, None)
    for layer, weights in enumerate(recipe.style_weights()):
        _, _, rows = np.linalg.svd(weights.double().numpy())
        spread = np.repeat(points[:, None], space.layers, axis=1)
        before = space.images(spread, [3, 4], labels)
        spread[:, layer] += 50 * rows[0].astype(np.float32)
        assert (space.images(spread, [3, 4], labels) != before).any()
        if weights.shape[0] < space.width:
            spread[:, layer] = points + 50 * rows[-1].astype(np.float32)
            assert np.abs(space.images(spread, [3, 4], labels).astype(int) - before).max() <= 1


def test_points_give_the_images_that_generate_makes(space: Space) -> None:
    labels, seeds = [0, 1, 1], [5, 6, 7]
    direct = sample_images(
        space.generator.model, [class_seed(n, s) for n, s in zip(labels, seeds, strict=True)], labels
    )
    assert (space.images(space.points(seeds, labels, None), seeds, labels) == direct).all()


def test_projecting_out_leaves_a_right_angle() -> None:
    samples, _ = planted()
    first, second, third = pca_directions(samples.points, 3)
    mixed = Direction("mixed", (first.vector + second.vector) / np.float32(np.sqrt(2)), 1.0, {})
    left = project_out(mixed, [second, third], samples.points)
    assert left.vector @ second.vector == pytest.approx(0, abs=1e-5)
    assert left.vector @ first.vector == pytest.approx(1, abs=1e-3)
    with pytest.raises(UserError, match="nothing is left of it"):
        project_out(mixed, [first, second], samples.points)


def test_files_keep_everything_and_know_their_run(space: Space, tmp_path: Path) -> None:
    points = space.points(range(8), [0] * 8, None)
    found = sefa_directions(space, 3, (0, 1), points)
    path = tmp_path / "directions.safetensors"
    write_directions(path, space, found)
    again = read_directions(path, space)
    for mine, theirs in zip(again, found, strict=True):
        assert (mine.name, mine.layers, mine.facts["method"]) == (theirs.name, (0, 1), "sefa")
        assert (mine.vector == theirs.vector).all()
    other = load_generator(space.generator.run, which="32", device="cpu")
    with pytest.raises(UserError, match="directions of checkpoint"):
        read_directions(path, space_of(other))
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="no directions"):
        read_directions(tmp_path / "no.safetensors", space)


def test_moves_go_as_far_as_they_say(space: Space) -> None:
    points = space.points(range(4), [0] * 4, None)
    direction = pca_directions(points, 1)[0]
    there = move_points(space, points, direction, np.array([1.0, -2.0, 0.0, 0.5]))
    along = (there - points) @ direction.vector
    assert along == pytest.approx(np.array([1.0, -2.0, 0.0, 0.5]) * direction.scale, rel=1e-4)
    some = move_points(space, points, replace(direction, layers=(1, 2)), 1.0)
    assert some.shape == (4, space.layers, space.width)
    assert (some[:, 0] == points).all()
    assert (some[:, 1] != points).any()


def test_edits_of_images_start_from_those_that_generate_makes(run: Path) -> None:
    generator = load_generator(run, device="cpu")
    (direction,) = directions(generator, "sefa", components=1)
    label = generator.config.data.classes[1]
    still = edit(generator, direction, range(3), 0.0, label=label)
    assert (still == generator.sample(3, label=label)).all()
    some = edit(generator, direction, range(3), [0.0, 2.0, -2.0], label=label)
    assert (some[0] == still[0]).all()
    assert (some[1:] != still[1:]).any(axis=(1, 2, 3)).all()
    with pytest.raises(UserError, match="`label` 'wart': the generator's classes are: "):
        edit(generator, direction, range(3), 0.0, label="wart")
    with pytest.raises(UserError, match="`layers` 5-90: this generator has layers 0 to"):
        directions(generator, "sefa", layers=(5, 90))


def test_through_the_shell(run: Path, shell: Shell, tmp_path: Path) -> None:
    """Samples go on where they stopped; a set is edited; every row says how far."""
    out = tmp_path / "bright"
    command = ["latents", "directions", "svm", run, "--count", "600", "--out", out, "--score"]
    one_sided = shell(*command, "frame@99", status=None)
    assert "0 images show it and 600 do not" in one_sided.stderr
    parts = sorted((out / "parts").iterdir())
    stamps = [part.stat().st_mtime_ns for part in parts]
    middle = float(np.median(np.concatenate([load_file(part)["scores"] for part in parts])))
    said = shell(*command, f"frame@{middle}").stdout
    assert "balanced_accuracy" in said
    assert [part.stat().st_mtime_ns for part in parts] == stamps
    shell("latents", "directions", "sefa", run, "--out", tmp_path / "sefa", "--components", "2")
    shell("latents", "directions", "pca", run, "--out", tmp_path / "pca", "--count", "64", "--components", "2")
    shell("generate", run, "--count", "nevus=6", "--out", tmp_path / "made")
    chosen = ["--directions", tmp_path / "sefa" / "directions.safetensors", "--direction", "sefa0"]
    shell("latents", "edit", tmp_path / "made", *chosen, "--steps", "2", "--out", tmp_path / "edited")
    edited = open_data_set(tmp_path / "edited")
    assert edited.synthetic
    assert set(edited.table["edit_step"]) == {"2.0"}
    before, after = (sorted((tmp_path / d / "images").rglob("*.png")) for d in ("made", "edited"))
    assert any(a.read_bytes() != b.read_bytes() for a, b in zip(before, after, strict=True))
    edit_two = ["latents", "edit", tmp_path / "made", *chosen, "--steps", 2, "--out"]
    shell(*edit_two, tmp_path / "coarse", "--layers", "0-0")
    coarse = sorted((tmp_path / "coarse" / "images").rglob("*.png"))
    assert any(a.read_bytes() != b.read_bytes() for a, b in zip(coarse, after, strict=True))
    assert "this generator has layers 0 to" in shell(*edit_two, tmp_path / "no", "--layers", "5-90", status=1).stderr
    twice = ["latents", "edit", tmp_path / "edited", *chosen, "--steps", 1, "--out", tmp_path / "twice"]
    assert "edited already" in shell(*twice, status=1).stderr
    shell("latents", "edit", tmp_path / "made", *chosen, "--until-gone", "frame", "--out", tmp_path / "gone")
    assert len(open_data_set(tmp_path / "gone").table) == 6


def test_a_family_without_w_is_edited_in_z(phantom: DataSet, shell: Shell, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="dcgan")
    train(tmp_path / "run", config, chosen, watchers=[], device="cpu")
    shell("generate", tmp_path / "run", "--count", "8", "--out", tmp_path / "made")
    shell(
        "latents",
        "directions",
        "pca",
        tmp_path / "run",
        "--out",
        tmp_path / "pca",
        "--count",
        "64",
        "--components",
        "2",
    )
    chosen_one = ["--directions", tmp_path / "pca" / "directions.safetensors", "--direction", "pca0"]
    edit_set = ["latents", "edit", tmp_path / "made", *chosen_one, "--out"]
    shell(*edit_set, tmp_path / "still", "--steps", 0)
    shell(*edit_set, tmp_path / "edited", "--steps", 2)
    made, still, edited = (open_data_set(tmp_path / name) for name in ("made", "still", "edited"))
    pixels = [np.stack([read_image(path) for path in one.paths]) for one in (made, still, edited)]
    assert (pixels[0] == pixels[1]).all()
    assert (pixels[0] != pixels[2]).any(axis=(1, 2, 3)).all()
    assert read_image(tmp_path / "edited" / "edits.png").shape[0] == 2 * 16 + 2
    refused = shell("latents", "directions", "sefa", tmp_path / "run", "--out", tmp_path / "no", status=1).stderr
    assert "is a dcgan run, which has no W" in refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("directions", "svm", "RUN", "--score", "tattoo", "--out", "OUT"), "write frame, hair"),
        (("directions", "svm", "RUN", "--score", "frame@x", "--out", "OUT"), "after @ comes a number"),
        (("directions", "sefa", "RUN", "--layers", "x", "--out", "OUT"), "write first and last"),
        (("edit", "SET", "--directions", "OUT", "--direction", "a", "--out", "OUT"), "say how far"),
        (
            ("edit", "SET", "--directions", "OUT", "--direction", "a", "--steps", "1", "--out", "OUT"),
            "there is no latent to edit",
        ),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], said: str, run: Path, phantom: object, shell: Shell, tmp_path: Path
) -> None:
    words = {"RUN": str(run), "OUT": str(tmp_path / "out"), "SET": str(phantom.folder)}  # type: ignore[attr-defined]
    done = shell("latents", *(words.get(word, word) for word in arguments), status=None)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
