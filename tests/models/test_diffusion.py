"""What is particular to the diffusion family: what the network is told, dropout, truncation, sizes, lengths."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.models import diffusion
from dermsynth.models.base import Batch, Condition, Progress
from dermsynth.models.diffusion_networks import Attention, ResidualBlock, UNet, drop_out
from dermsynth.models.edm import loss_weight
from dermsynth.models.layers.augmentation import PARAMETERS
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.sampler import sample_images, to_bytes
from dermsynth.report.run_report import write_run_report
from dermsynth.rng import Draws
from dermsynth.sampling.contact_sheets import run_images
from dermsynth.sampling.generator import load_generator
from dermsynth.training.loop import train
from dermsynth.training.optimisation import Updater
from tests.conftest import tiny_config
from tests.models.test_contract import batch, steps


def make(classes: int = 2, side: int = 16, **choices: Any) -> diffusion.Diffusion:
    torch.manual_seed(0)
    config = diffusion.Config(**{"channels": 16, "multipliers": (1, 2), "steps": 4, "rate_rampup": 0, **choices})
    return diffusion.Diffusion(config, Shape(side, side), classes)


def shaken(model: diffusion.Diffusion) -> diffusion.Diffusion:
    """Every weight moved, so that none is zero by its start."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def alone(step: int, images: int) -> Progress:
    return Progress(step, images, 1, lambda t: t)


def test_the_laptop_network_has_the_documented_size() -> None:
    shape = Shape(64, 64)
    with torch.device("meta"):
        model = diffusion.Diffusion(diffusion.laptop(shape, 16), shape, 3)
    assert sum(p.numel() for p in model.denoiser.parameters()) == 5_555_724
    attending = [name for name, module in model.denoiser.named_modules() if isinstance(module, Attention)]
    assert attending == ["encoder.4.attention", "middle.0.attention", "decoder.0.attention", "decoder.1.attention"]


def test_the_loss_is_the_papers() -> None:
    """E[lambda(sigma) |D(y + n; sigma) - y|^2], a mean over pixels, ln sigma ~ N(-1.2, 1.2^2): the same draws, literally."""
    model = shaken(make(dropout=0.0, augmentation="none", label_dropout=0.0))
    given = batch(model, 3)
    (player, terms), *_ = model.step(given, alone(0, 0))
    draws = batch(model, 3).draws
    draws.uniform()
    sigma = (-1.2 + 1.2 * draws.normal()).exp()
    total = torch.zeros(())
    for i, level in enumerate(sigma):
        noisy = given.image[i] + level * batch_noise(model, 3)[i]
        c = level**2 + 0.25
        inner = model.denoiser(noisy[None] / c.sqrt(), level.log()[None] / 4, given.label[i : i + 1])
        clean = 0.25 / c * noisy + level * 0.5 / c.sqrt() * inner[0]
        total = total + loss_weight(level, 0.5) * (clean - given.image[i]).square().mean() / len(sigma)
    assert player == "denoiser"
    torch.testing.assert_close(terms["denoising"], total, rtol=1e-4, atol=0)


def batch_noise(model: diffusion.Diffusion, step: int) -> Tensor:
    draws = batch(model, step).draws
    draws.uniform()
    draws.normal()
    return draws.normal(3, 16, 16)


def test_an_untrained_denoiser_has_a_loss_of_about_one() -> None:
    """The network starts as zero, and lambda makes every noise level's loss the variance of a target of unit variance."""
    model = make(dropout=0.0, augmentation="none")
    losses = []
    for step in range(10):
        given = batch(model, step)
        normal = 0.5 * torch.randn(given.image.shape, generator=torch.Generator().manual_seed(step))
        (_, terms), *_ = model.step(Batch(normal, given.label, given.draws), alone(step, 0))
        losses.append(float(terms["denoising"].detach()))
    assert np.mean(losses) == pytest.approx(1.0, abs=0.02)


def told(model: diffusion.Diffusion, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Labels and parameters that the network is given in some steps, and the true labels."""
    labels, parameters, truth = [], [], []
    inner = model.denoiser.forward

    def watched(image: Tensor, noise: Tensor, label: Tensor, augmentation: Tensor, draws: Draws) -> Tensor:
        labels.append(label)
        parameters.append(augmentation)
        return inner(image, noise, label, augmentation, draws)

    model.denoiser.forward = watched  # type: ignore[method-assign]
    for step in range(steps):
        given = batch(model, step)
        truth.append(given.label)
        list(model.step(given, alone(step, 0)))
    return torch.cat(labels), torch.cat(parameters), torch.cat(truth)


def test_a_tenth_of_the_labels_is_dropped() -> None:
    label, _, truth = told(make(label_dropout=0.1), 60)
    dropped = label.sum(dim=1) == 0
    assert 0.06 < dropped.float().mean() < 0.14
    assert torch.equal(label[~dropped], truth[~dropped])
    assert not (told(make(label_dropout=0.0), 3)[0].sum(dim=1) == 0).any()


def test_the_network_is_told_of_the_augmentation_and_of_none_when_it_samples() -> None:
    model = make(augmentation="blit", augmentation_p=0.3)
    _, parameters, _ = told(model, 30)
    assert parameters.shape == (240, PARAMETERS)
    changed = (parameters != 0).any(dim=1).float().mean()
    assert 0.4 < changed < 0.8, "flip (a half of 0.3), quarter turns (three quarters) and shifts"
    assert model.augmentation_limit() is None
    model = shaken(make())
    plain = [torch.zeros(1), torch.eye(2)[:1]]
    image = torch.randn(1, 3, 16, 16)
    silent = model.denoiser(image, *plain)
    assert torch.equal(silent, model.denoiser(image, *plain, torch.zeros(1, PARAMETERS)))
    assert not torch.equal(silent, model.denoiser(image, *plain, torch.ones(1, PARAMETERS)))


def test_augmentations_that_cannot_be_told_are_refused() -> None:
    with pytest.raises(ValueError, match="there are: none, blit, bg, bgc, skin"):
        diffusion.Config(augmentation="bgcfnc")


def test_dropout_is_of_the_share_and_keeps_the_mean() -> None:
    draws = Draws.for_step(torch.device("cpu"), 0, total=8, start=0, count=8)
    ones = torch.ones(8, 16, 20, 20)
    dropped = drop_out(ones, 0.25, draws)
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert dropped.mean() == pytest.approx(1.0, abs=0.01)
    assert drop_out(ones, 0.25, None) is ones
    assert drop_out(ones, 0.0, draws) is ones


def test_dropout_depends_on_the_draws_alone() -> None:
    model = shaken(make(dropout=0.5))
    given = [torch.zeros(4), torch.eye(2)[[0, 1, 0, 1]], None]
    image = torch.randn(4, 3, 16, 16)

    def once(seed: int, start: int = 0, count: int = 4) -> Tensor:
        draws = Draws.for_step(torch.device("cpu"), seed, total=4, start=start, count=count)
        part = slice(start, start + count)
        return model.denoiser(image[part], given[0][part], given[1][part], None, draws)  # type: ignore[index]

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))
    torch.testing.assert_close(torch.cat([once(1, 0, 2), once(1, 2, 2)]), once(1))
    assert not torch.allclose(model.denoiser(image, *given), once(1)), "without draws nothing is dropped"  # type: ignore[arg-type]


def test_a_residual_block_starts_as_the_identity() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(16, 16, 8, 0.0)
    x = torch.randn(2, 16, 4, 4)
    torch.testing.assert_close(block(x, torch.randn(2, 8), None), x * 0.5**0.5)
    attention = Attention(16)
    torch.testing.assert_close(attention(x), x * 0.5**0.5)


def test_halving_and_doubling_follow_the_levels() -> None:
    network = UNet([8, 16, 24], blocks=2, attention=1, patch=2, dropout=0.0, classes=0, augmentation=0)
    sizes = []
    for stage in [*network.encoder, *network.middle, *network.decoder]:
        stage.register_forward_hook(lambda module, inputs, output: sizes.append((output.shape[1], output.shape[2])))
    made = network(torch.randn(1, 3, 32, 48), torch.zeros(1), torch.zeros(1, 0))
    assert made.shape == (1, 3, 32, 48)
    assert sizes == [
        (8, 16), (8, 16), (16, 8), (16, 8), (16, 8), (24, 4), (24, 4), (24, 4),
        (24, 4), (24, 4),
        (24, 4), (24, 4), (24, 4), (16, 8), (16, 8), (16, 8), (16, 8), (8, 16), (8, 16), (8, 16), (8, 16),
    ]  # fmt: skip


def test_truncation_is_guidance_by_one_over_it() -> None:
    model = shaken(make()).eval()
    noise, label = [torch.randn(2, 768)], torch.eye(2)
    plain, guided = (model.sample(noise, Condition(label), value) for value in (None, 0.5))
    assert torch.equal(plain, model.sample(noise, Condition(label), 1.0))
    assert not torch.equal(plain, guided)
    default = shaken(make(guidance=2.0)).eval()
    assert torch.equal(guided, default.sample(noise, Condition(label), None))
    assert [model.accepts_truncation(value) for value in (-1.0, 0.0, 0.01, 1.0, 1.1)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(UserError, match=r"`truncation` 0\.5: diffusion guides"):
        model.truncate(noise[0], 0.5)
    assert model.truncate(noise[0], None) is noise[0]


def test_without_classes_there_is_nothing_to_guide_to() -> None:
    model = shaken(make(classes=0)).eval()
    noise, label = [torch.randn(2, 768)], torch.zeros(2, 0)
    assert torch.equal(model.sample(noise, Condition(label), None), model.sample(noise, Condition(label), 0.3))


def test_a_label_of_zeros_is_an_image_of_any_class() -> None:
    model = shaken(make()).eval()
    noise = [torch.randn(1, 768)]
    untold, first, second = (
        model.sample(noise, Condition(label), None) for label in (torch.zeros(1, 2), torch.eye(2)[:1], torch.eye(2)[1:])
    )
    assert not torch.equal(untold, first)
    assert not torch.equal(first, second)
    guided = model.sample(noise, Condition(torch.zeros(1, 2)), 0.5)
    torch.testing.assert_close(guided, untold)


def test_gradients_flow_from_images_to_noise() -> None:
    model = shaken(make(steps=2)).eval()
    noise = torch.randn(1, 768, requires_grad=True)
    image = model.sample([noise], Condition(torch.eye(2)[:1]), None)
    (gradient,) = torch.autograd.grad(image[0, 0, 3, 5], noise)
    moved = noise.detach() + 1e-3 * gradient / gradient.norm()
    change = model.sample([moved], Condition(torch.eye(2)[:1]), None)[0, 0, 3, 5] - image[0, 0, 3, 5]
    assert float(change.detach()) == pytest.approx(1e-3 * float(gradient.norm()), rel=0.05)
    assert not model.sample([noise.detach()], Condition(torch.eye(2)[:1]), None).requires_grad


def test_it_learns_the_colour_of_each_class() -> None:
    """Two classes of one colour each are what samples show after some steps; untrained they are far from it."""
    model = make(dropout=0.0, augmentation="none", learning_rate=0.01, ema_images=200.0, steps=8)
    colours = torch.tensor([[0.6, -0.4, 0.1], [-0.5, 0.2, 0.7]])

    def distance() -> float:
        label = torch.eye(2).repeat(8, 1)
        noise = [torch.randn(16, 768, generator=torch.Generator().manual_seed(0))]
        with torch.no_grad():
            made = model.sample(noise, Condition(label), None)
        mean = torch.stack([made[first::2].mean(dim=(0, 2, 3)) for first in (0, 1)])
        return float((mean - colours).abs().mean())

    before, updater = distance(), Updater(model)
    for step in range(140):
        given = batch(model, step)
        image = (given.label @ colours)[:, :, None, None].expand(-1, -1, 16, 16)
        updater.step([Batch(image, given.label, given.draws)], alone(step, step * 8))
    assert before > 0.3
    assert distance() < before / 2


def test_bfloat16_samples_are_near_those_of_float32() -> None:
    model = make()
    steps(model, 0, 3)
    plain = sample_images(model, [1, 2], [0, 1]).astype(float)
    model.dtype = torch.bfloat16
    assert torch.equal(*(torch.from_numpy(sample_images(model, seeds, [0])) for seeds in ([1], [1])))
    assert abs(sample_images(model, [1, 2], [0, 1]) - plain).mean() < 8


@pytest.mark.parametrize(
    ("side", "patch", "levels"),
    [((16, 16), 2, 3), ((20, 20), 2, 2), ((64, 64), 2, 3), ((96, 72), 2, 3), ((128, 96), 4, 3), ((256, 256), 8, 3)],
)
def test_laptop_works_at_about_32_places_whatever_the_size(side: tuple[int, int], patch: int, levels: int) -> None:
    shape = Shape(*side)
    config = diffusion.laptop(shape, 16)
    diffusion.Diffusion.check_shape(shape, config)
    assert (config.patch, len(config.multipliers)) == (patch, levels)


def test_sizes_that_do_not_fold_are_refused() -> None:
    with pytest.raises(UserError, match=r"`resolution` 36: with patch 2 and 3 levels .* multiples of 8; next: 40"):
        diffusion.Diffusion.check_shape(Shape(36, 36), diffusion.Config())


def test_a_run_is_sampled_moved_in_and_reported(phantom: DataSet, tmp_path: Path) -> None:
    """The whole chain with one player: training, images, latents, a page."""
    config, chosen = tiny_config(phantom, images=32, recipe="diffusion")
    train(tmp_path / "run", config, chosen, watchers=[], device="cpu")
    generator = load_generator(tmp_path / "run", device="cpu")
    label = generator.labels[0]
    images = generator.sample(3, label=label, seed=4)
    assert not np.array_equal(images, generator.sample(3, label=label, seed=4, truncation=0.4))
    points = generator.latents(2, label=label, seed=5)
    assert points.shape == (2, 3 * 16 * 16)
    same = generator.synthesise(points, label=label, seed=5)
    assert np.array_equal(to_bytes(same).transpose(0, 2, 3, 1), images[1:])
    with pytest.raises(UserError, match=r"`truncation` 0\.4: diffusion guides"):
        generator.latents(2, label=label, truncation=0.4)
    with pytest.raises(UserError, match=r"`truncation` 1\.5: diffusion takes a number above 0 up to 1"):
        generator.sample(1, label=label, truncation=1.5)
    assert write_run_report(generator, run_images(generator), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Losses" in page
    assert "Penalties" not in page


def test_the_papers_network() -> None:
    shape = Shape(64, 64)
    config = diffusion.paper(shape, 256)
    diffusion.Diffusion.check_shape(shape, config)
    with torch.device("meta"):
        model = diffusion.Diffusion(config, shape, 0)
    attending = [name for name, module in model.denoiser.named_modules() if isinstance(module, Attention)]
    assert len([name for name in attending if name.startswith("encoder")]) == 8, "four blocks at 16 and four at 8 px"
    assert sum(p.numel() for p in model.denoiser.parameters()) == 70_313_091
