"""What every family must keep, for each one in `FAMILIES`."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.training_set import Minibatch, MinibatchDomains
from dermsynth.models.base import Batch, DomainImages, Model, Progress
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import parse_shape
from dermsynth.models.registry import FAMILIES, family
from dermsynth.models.sampler import sample_images
from dermsynth.rng import Draws, seed_of
from dermsynth.training import checkpoints
from dermsynth.training.loop import train
from dermsynth.training.optimisation import Updater
from tests.conftest import SMALLER, tiny_config
from tests.warm import start, start_group

MAP_VALUES = 3


def make(name: str, size: str = "32", classes: int = 2) -> Model:
    torch.manual_seed(0)
    shape, kind = parse_shape(size), family(name)
    config = kind.presets["laptop"](shape, 8).model_copy(update=SMALLER.get(name, {}))
    kind.check_shape(shape, config)
    if kind.inputs.from_maps:
        return kind.create(config, shape, Conditions(map_values=MAP_VALUES, superpixels=True))
    return kind.create(config, shape, Conditions(classes=2 if kind.inputs.translates else classes))


def batch(model: Model, step: int, start: int = 0, count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(step)
    image = torch.rand(8, 3, model.shape.height, model.shape.width, generator=generator) * 2 - 1
    label = torch.eye(model.classes)[torch.arange(8) % model.classes] if model.classes else torch.zeros(8, 0)
    draws = Draws.for_step(torch.device("cpu"), seed_of(0, step), total=8, start=start, count=count)
    mine = slice(start, start + count)
    maps, domains = None, None
    if model.inputs.from_maps:
        maps = torch.randint(0, 2, (8, 2, *image.shape[2:]), generator=generator, dtype=torch.uint8)[mine]
    if model.inputs.translates:
        mask = (torch.rand(8, 1, *image.shape[2:], generator=generator) < 0.3).float()
        others = [torch.rand(image.shape, generator=generator) * 2 - 1 for _ in range(3)]
        domains = DomainImages(image[mine], *(other[mine] for other in others), mask[mine])
    return Batch(image[mine], label[mine], draws, maps, domains)


def inputs(model: Model, count: int) -> Minibatch | None:
    """Something to make images from, for families that do not start from noise; image i depends on i alone."""
    if model.inputs.from_noise:
        return None
    size = (model.shape.height, model.shape.width)
    pixels = np.stack([np.random.default_rng(i).integers(0, 255, (3, *size), np.uint8) for i in range(count)])
    maps = pixels[:, :2] % MAP_VALUES
    if model.inputs.from_maps:
        return Minibatch(pixels, np.zeros(count, np.int64), maps)
    domains = MinibatchDomains(pixels, pixels[:, :, ::-1].copy(), pixels, pixels, maps[:, :1])
    return Minibatch(pixels, np.zeros(count, np.int64), None, domains)


def steps(model: Model, first: int, last: int, updater: Updater | None = None) -> Updater:
    updater = updater or Updater(model)
    for step in range(first, last):
        updater.step([batch(model, step)], Progress(step, step * 8, 1, lambda t: t))
    return updater


@pytest.fixture(params=sorted(FAMILIES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("size", "classes"), [("32", 2), ("64", 0), ("48x32", 3)])
def test_trains_and_samples(name: str, size: str, classes: int) -> None:
    model = make(name, size, classes)
    updater = steps(model, 0, 2)
    assert all(torch.isfinite(torch.tensor(v)) for v in updater.losses().values())
    target = model.targets()[0]
    images = sample_images(model, [1, 2, 3], [target] * 3, inputs=inputs(model, 3))
    assert images.shape == (3, 3, model.shape.height, model.shape.width)
    assert images.std() > 0


def test_each_player_changes_only_its_own_parameters(name: str) -> None:
    model = make(name)
    players = model.players()
    owned = [id(p) for player in players.values() for p in player.parameters]
    assert len(owned) == len(set(owned))
    updater = Updater(model)
    generator = model.step(batch(model, 0), Progress(0, 0, 1, lambda t: t))
    for player, terms in generator:
        before = {k: v.detach().clone() for k, v in model.named_parameters()}
        mine = {id(p) for p in players[player].parameters}
        for parameter in players[player].parameters:
            parameter.grad = None
        sum(terms.values()).backward(inputs=players[player].parameters)  # type: ignore[union-attr]
        updater.optimisers[player].step()
        changed = {k for k, v in model.named_parameters() if not torch.equal(v, before[k])}
        assert changed
        assert changed <= {k for k, p in model.named_parameters() if id(p) in mine}


def test_the_same_seed_gives_the_same_weights_and_a_resumed_run_too(name: str, tmp_path: Path) -> None:
    """Also through a checkpoint on disk, where memory layouts are lost."""
    straight = make(name)
    steps(straight, 0, 20)
    broken = make(name)
    updater = steps(broken, 0, 9)
    state = checkpoints.CheckpointState(images=72, family=name, classes=("a", "b"))
    saved = checkpoints.save(tmp_path, broken.state_dict(), updater.optimisers, state)
    resumed = make(name)
    resumed.load_state_dict(saved.network())
    fresh = Updater(resumed)
    checkpoints.restore_optimisers(fresh.optimisers, saved.optimiser())
    steps(resumed, 9, 20, fresh)
    for key, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_a_sample_depends_on_seed_and_label_alone(name: str) -> None:
    model = make(name)
    steps(model, 0, 3)
    seeds, targets, given = list(range(40)), model.targets(), inputs(model, 40)
    labels = [targets[s % len(targets)] for s in seeds]

    def made(chosen: list[int], wanted: list[int]) -> np.ndarray:
        return sample_images(model, chosen, wanted, inputs=None if given is None else given.at(np.array(chosen)))

    together = made(seeds, labels)
    for index in (0, 7, 17, 33):
        assert (made([seeds[index]], [labels[index]])[0] == together[index]).all()
    if len(targets) > 1:
        assert (made([0], [targets[1]])[0] != together[0]).any()
    assert (made(seeds[::-1], labels[::-1]) == together[::-1]).all()
    assert len({image.tobytes() for image in together}) > 30


@pytest.mark.parametrize("name", sorted(name for name in FAMILIES if not family(name).whole_batches))
def test_pieces_of_a_batch_give_the_gradients_of_the_whole(name: str) -> None:
    """One update from two accumulated halves equals one from the whole batch, for every player.

    Not of families whose images of one batch depend on each other: the trainer refuses pieces there, see test_loop.
    """
    whole = make(name)
    for progress_step in (0, 1):
        gradients = []
        for cuts in ([(0, 8)], [(0, 4), (4, 4)]):
            model = copy.deepcopy(whole)
            updater = Updater(model)
            for optimiser in updater.optimisers.values():
                optimiser.step = lambda *a: None  # type: ignore[method-assign]
            found: dict[str, torch.Tensor] = {}
            pieces = [model.step(batch(model, 1, *cut), Progress(progress_step, 8, 1, lambda t: t)) for cut in cuts]
            first = [updater._backward(piece, share=1 / len(pieces), first=i == 0) for i, piece in enumerate(pieces)]
            for parameter_name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    found[f"{first[0]}.{parameter_name}"] = parameter.grad.clone()
            gradients.append(found)
        assert gradients[0].keys() == gradients[1].keys()
        assert gradients[0]
        for key, value in gradients[0].items():
            assert torch.allclose(value, gradients[1][key], rtol=1e-3, atol=1e-5), key


QUICK = ("stylegan2-ada", "dcgan", "cyclegan")
"""Families whose two processes are tried every time: styles, batch statistics, a pool of images."""


def _train(data: Path, folder: Path, name: str) -> None:
    config, chosen = tiny_config(open_data_set(data), recipe=name, images=48, snapshot=8, keep=9)
    train(folder, config, chosen, device="cpu")


@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES]
)
def test_two_processes_equal_one(name: str, phantom: DataSet, tmp_path: Path) -> None:
    """2-process gloo against one process with the same global batch, through the whole trainer.

    After one step nothing but rounding differs; Adam turns the rounding of gradients near zero into whole steps, in the
    first step of a few weights, later of more.
    """
    groups = (
        start(_train, phantom.folder, tmp_path / "one", name),
        *start_group(_train, phantom.folder, tmp_path / "two", name),
    )
    for process in groups:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors[-4000:]
    one, two = (checkpoints.find(tmp_path / folder, "8").network() for folder in ("one", "two"))
    for key, value in one.items():
        assert int(((value - two[key]).abs() > 2e-6).sum()) <= max(0.01 * value.numel(), 1), key
    one, two = (checkpoints.find(tmp_path / folder, "48").network() for folder in ("one", "two"))
    for key in ("augmentation.p", "shown"):
        assert key not in one or torch.equal(one[key], two[key])
    difference = sum(float((one[k] - two[k]).square().sum()) for k in one) ** 0.5
    assert difference / sum(float(v.square().sum()) for v in two.values()) ** 0.5 < 5e-2
