from pathlib import Path

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.models.layers.resample import upsample
from dermsynth.models.layers.shapes import Shape, parse_shape
from dermsynth.models.registry import FAMILIES
from dermsynth.models.stylegan2_ada import Config, StyleGAN2ADA
from dermsynth.training import checkpoints
from dermsynth.training.config import RunConfig, earlier_data, read_config
from dermsynth.training.data import Plan, resolve
from dermsynth.training.loop import Trainer, train
from dermsynth.training.transfer import transfer
from tests.conftest import TINY, tiny_config
from tests.models.test_contract import make, steps


def _save(model: StyleGAN2ADA, classes: list[str], folder: Path, name: str = "stylegan2-ada") -> checkpoints.Checkpoint:
    state = checkpoints.CheckpointState(edition=model.edition, images=8, step=1, family=name, classes=tuple(classes))
    return checkpoints.save(folder, model.state_dict(), {}, state)


def _make(size: str, classes: int, **changes: object) -> StyleGAN2ADA:
    return StyleGAN2ADA(Config(**{**TINY, **changes}), parse_shape(size), classes)  # type: ignore[arg-type]


def _same_images(old: StyleGAN2ADA, new: StyleGAN2ADA, before: torch.Tensor, now: torch.Tensor) -> None:
    """The generator, its average and the discriminator do for the class `now` what they did for `before`."""
    z, noise = torch.randn(4, 8), [torch.randn(4, 1, *s) for s in old.generator.synthesis.noise_sizes()]
    with torch.no_grad():
        for mine, theirs in ((new.generator, old.generator), (new.average, old.average)):
            image = theirs(z, before.expand(4, -1), noise)
            assert torch.allclose(mine(z, now.expand(4, -1), noise), image, atol=1e-4)


def test_from_unconditional_to_conditional_the_image_stays(tmp_path: Path) -> None:
    """The class enters through columns of nought: every class begins as the images that there were."""
    old, new = _make("16", 0), _make("16", 2)
    line = transfer(new, "stylegan2-ada", ["a", "b"], _save(old, [], tmp_path))
    assert "in part" in line
    assert "goes on as" not in line
    for number in range(2):
        _same_images(old, new, torch.zeros(1, 0), torch.eye(2)[[number]])
    new.generator.mapping(torch.randn(4, 8), torch.eye(2)[[0, 1, 0, 1]]).square().sum().backward()
    assert float(new.generator.mapping.layers[0].weight.grad[:, 8:].abs().max()) > 0, "and learns"  # type: ignore[index]


@pytest.mark.parametrize(("only", "kept"), [("b", "the class b"), ("rare", "the mean of a, b, c"), ("", "the mean of")])
def test_a_generator_of_one_class_goes_on_with_that_class(only: str, kept: str, tmp_path: Path) -> None:
    old, new = _make("16", 3), _make("16", 0)
    steps(old, 0, 2)
    line = transfer(new, "stylegan2-ada", [], _save(old, ["a", "b", "c"], tmp_path), only)
    assert f"without classes it goes on as {kept}" in line
    if only == "b":
        label = torch.tensor([[0.0, 1, 0]])
        _same_images(old, new, label, torch.zeros(1, 0))
        image = torch.rand(4, 3, 16, 16) * 2 - 1
        with torch.no_grad():
            before = old.discriminator(image, label.expand(4, -1))
            assert torch.allclose(new.discriminator(image, torch.zeros(4, 0)), before, atol=1e-4)
    else:
        _same_images(old, new, torch.full((1, 3), 1 / 3), torch.zeros(1, 0))


def test_other_classes_do_what_they_did(tmp_path: Path) -> None:
    """Two of three classes, in another order: layers divide by the root of the number of classes."""
    old, new = _make("16", 3), _make("16", 2)
    steps(old, 0, 2)
    for mapping in (old.generator.mapping, old.average.mapping, old.discriminator.label_mapping):
        torch.nn.init.normal_(mapping.embed.bias)  # type: ignore[union-attr]
    transfer(new, "stylegan2-ada", ["c", "a"], _save(old, ["a", "b", "c"], tmp_path))
    _same_images(old, new, torch.eye(3)[[2]], torch.eye(2)[[0]])
    image, places = torch.rand(4, 3, 16, 16) * 2 - 1, (torch.eye(3)[[0]].expand(4, -1), torch.eye(2)[[1]].expand(4, -1))
    with torch.no_grad():
        found = new.discriminator(image, places[1])
        assert torch.allclose(found, old.discriminator(image, places[0]), atol=1e-4)


def test_the_one_label_of_a_training_is_known(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    """Trained on one class, a run that starts from one of several goes on with that class."""
    rows = phantom.part(phantom.labels == "melanoma")
    config, chosen = tiny_config(rows, initial=str(run))
    assert chosen.classes == ()
    assert chosen.label == "melanoma"
    trainer = Trainer(tmp_path, config, chosen, [], "cpu")
    trainer.prepare()
    old = checkpoints.find(run).network()
    classes = list(checkpoints.find(run).state.classes)
    label = torch.eye(len(classes))[[classes.index("melanoma")]]
    model = _make("16", len(classes))
    model.load_state_dict(old)
    _same_images(model, trainer.model, label, torch.zeros(1, 0))  # type: ignore[arg-type]


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    old, new = _make("16", 3), _make("16", 3)
    transfer(new, "stylegan2-ada", ["c", "new", "a"], _save(old, ["a", "b", "c"], tmp_path))
    for key in ("generator.mapping.embed.weight", "discriminator.label_mapping.embed.weight"):
        before, after = old.state_dict()[key], new.state_dict()[key]
        assert torch.equal(after[:, 0], before[:, 2])
        assert torch.equal(after[:, 2], before[:, 0])
        assert torch.allclose(after[:, 1], before.mean(1))


def test_other_resolutions_and_widths_share_what_fits(tmp_path: Path) -> None:
    old, new = _make("16", 0), _make("32", 0, channel_base=128, channel_max=16)
    transfer(new, "stylegan2-ada", [], _save(old, [], tmp_path))
    before = old.generator.synthesis.blocks["8"].convolution.weight
    after = new.generator.synthesis.blocks["8"].convolution.weight
    assert torch.equal(after[:8, :8], before)
    assert float(new.augmentation.p) == pytest.approx(TINY["ada_initial"])


def test_a_larger_generator_begins_with_the_images_of_the_smaller_one_enlarged(tmp_path: Path) -> None:
    old, new = _make("16", 0), _make("32", 0)
    steps(old, 0, 2)
    transfer(new, "stylegan2-ada", [], _save(old, [], tmp_path))
    z, noise = torch.randn(4, 8), [torch.randn(4, 1, *size) for size in new.generator.synthesis.noise_sizes()]
    none = torch.zeros(4, 0)
    with torch.no_grad():
        for mine, theirs in ((new.generator, old.generator), (new.average, old.average)):
            small = theirs(z, none, noise[: len(old.generator.synthesis.noise_sizes())])
            assert torch.allclose(mine(z, none, noise), upsample(small), atol=1e-5)
    new.generator(z, none, noise).square().sum().backward()
    assert float(new.generator.synthesis.blocks["32"].to_image.weight.grad.abs().max()) > 0, "and learns"  # type: ignore[union-attr]


def test_another_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a checkpoint of 'dcgan', not of 'stylegan2-ada'"):
        transfer(_make("16", 0), "stylegan2-ada", [], _save(_make("16", 0), [], tmp_path, "dcgan"))


def test_the_average_of_the_first_run_lives_on_in_one_that_starts_from_it(
    run: Path, phantom: DataSet, tmp_path: Path
) -> None:
    """One step from a run's weights: the average is still that run's, and every rate is multiplied."""
    data = tiny_config(phantom)[0].data
    plan = Plan("stylegan2-ada", "laptop", TINY, {"images": 8, "batch": 8, "initial": str(run), "rate": 0.5})
    model, training = resolve(plan, Shape(16, 16))
    config = RunConfig(family="stylegan2-ada", preset="laptop", model=model.model_dump(), data=data, training=training)
    first = checkpoints.find(run).network()
    trainer = Trainer(tmp_path / "new", config, tiny_config(phantom)[1], [], "cpu")
    trainer.prepare()
    trainer.step()
    after = trainer.model.state_dict()
    keys = [key for key in after if key.startswith("average.") and key in first]
    moved = sum(float((after[key] - first[key]).square().sum()) for key in keys) ** 0.5
    raw = [(after[key.replace("average", "generator", 1)], first[key]) for key in keys]
    assert moved < 0.2 * sum(float((a - b).square().sum()) for a, b in raw) ** 0.5
    rate = trainer.updater.optimisers["generator"].param_groups[0]["lr"]
    assert rate == pytest.approx(0.5 * 0.0025 * 4 / 5)


def test_frozen_layers_stay_as_they_were_loaded(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=16, initial=str(run))
    config = config.model_copy(update={"model": {**config.model, "freeze_discriminator": 1}})
    first, trained = checkpoints.find(run).network(), train(tmp_path / "new", config, chosen, device="cpu").network()
    same = {k for k in first if torch.equal(first[k], trained[k])}
    assert {k for k in first if k.startswith(("discriminator.from_image", "discriminator.blocks.16"))} <= same
    assert not any(k.startswith("discriminator.blocks.8.first") for k in same)


def test_too_many_frozen_blocks_are_refused() -> None:
    with pytest.raises(UserError, match="freeze_discriminator 9: the discriminator has 2 blocks"):
        _make("16", 0, freeze_discriminator=9)


def test_every_family_transfers_and_none_mixes_up_classes(tmp_path: Path) -> None:
    """The same classes: every weight; other ones: refused, unless the family knows which weights belong to a class."""
    for name in FAMILIES:
        old, new = make(name), make(name)
        steps(old, 0, 2)
        saved = _save(old, ["a", "b"], tmp_path / name, name)  # type: ignore[arg-type]
        transfer(new, name, ["a", "b"], saved)
        for key, value in old.named_parameters():
            assert torch.equal(value, new.state_dict()[key]), (name, key)
        for key in ("shown", "pool_target.filled"):
            assert key not in new.state_dict() or int(new.state_dict()[key]) == 0
        if not new.class_columns:
            with pytest.raises(UserError, match=r"classes a, b, now b, a; .* between the same classes"):
                transfer(new, name, ["b", "a"], saved)


def test_a_run_names_the_data_of_the_runs_it_began_with(run: Path) -> None:
    config = read_config(run)
    assert earlier_data(config) == []
    checkpoint = next((run / "checkpoints").iterdir())
    for place in (run, checkpoint):
        later = config.model_copy(update={"training": config.training.model_copy(update={"initial": str(place)})})
        assert earlier_data(later) == [{"run": run.name, "data_hash": config.data.content_hash, "split": "train"}]
    gone = config.model_copy(update={"training": config.training.model_copy(update={"initial": "/nowhere/ben"})})
    assert earlier_data(gone) == [{"run": "ben", "data_hash": "", "split": ""}]
