"""What is particular to a family: schedules, frozen layers, pyramids, games."""

import math
from pathlib import Path

import pytest
import scipy.stats
import torch
from safetensors.torch import save_file

from dermsynth.backbones.lpips import PerceptualDistance
from dermsynth.errors import UserError
from dermsynth.models import (
    cyclegan,
    dcgan,
    ddgan,
    frozen_pggan,
    lapgan,
    multiscale,
    pgan,
    pix2pixhd,
    r3gan,
    residual_translation,
)
from dermsynth.models.base import Condition, Progress, truncate_latent
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import FAMILIES, family
from dermsynth.rng import Draws
from dermsynth.training.optimisation import Updater
from tests.models.test_contract import batch, steps


@pytest.mark.parametrize(
    "game", ["bce", "non-saturating", "minimax", "least-squares", "wasserstein", "wasserstein-gp", "hinge"]
)
def test_dcgan_plays_every_game(game: str) -> None:
    torch.manual_seed(0)
    config = dcgan.Config(latent=8, features=8, features_max=16, game=game, critic_steps=2)  # type: ignore[arg-type]
    model = dcgan.DCGAN(config, Shape(16, 16), 2)
    updater = Updater(model)
    before = model.generator.to_image.weight.detach().clone()
    updater.step([batch(model, 0)], Progress(0, 0, 1, lambda t: t))
    assert torch.equal(before, model.generator.to_image.weight), "the generator moves in every second step"
    updater.step([batch(model, 1)], Progress(1, 8, 1, lambda t: t))
    assert not torch.equal(before, model.generator.to_image.weight)
    losses = updater.losses()
    assert all(math.isfinite(v) for v in losses.values())
    assert ("discriminator/gradient_penalty" in losses) == (game == "wasserstein-gp")
    largest = max(float(p.detach().abs().max()) for p in model.discriminator.parameters())
    assert (largest <= 0.01 + 1e-7) == (game == "wasserstein")


def test_growing_follows_its_phases() -> None:
    config = pgan.Config(fade_images=100, stable_images=50, latent=8, channel_base=64, channel_max=8)
    model = pgan.PGAN(config, Shape(32, 32), 0)
    found = [model.phase(images) for images in (0, 49, 50, 100, 149, 150, 199, 200, 250, 300, 350, 499, 10_000)]
    assert found == [
        (0, 1.0), (0, 1.0), (1, 0.0), (1, 0.5), (1, 0.99), (1, 1.0), (1, 1.0),
        (2, 0.0), (2, 0.5), (2, 1.0), (3, 0.0), (3, 1.0), (3, 1.0),
    ]  # fmt: skip


def test_the_minibatch_falls_with_the_resolution_as_published() -> None:
    shape = Shape(1024, 1024)
    config = pgan.paper(shape, 16).model_copy(update={"channel_base": 64, "channel_max": 8})
    model = pgan.PGAN(config, shape, 0)
    sizes = {shape.levels[model.phase(i)[0]]: model.batch_at(i, 16) for i in range(0, 16_000_000, 400_000)}
    assert sizes == {4: 16, 8: 16, 16: 16, 32: 16, 64: 16, 128: 16, 256: 14, 512: 6, 1024: 3}


def test_real_images_fade_with_the_network() -> None:
    model = pgan.PGAN(pgan.Config(latent=8, channel_base=64, channel_max=8), Shape(16, 16), 0)
    image = torch.randn(1, 3, 16, 16)
    coarse = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(image, 2), scale_factor=2)
    torch.testing.assert_close(model.downscale(image, 2, 0.25), 0.75 * coarse + 0.25 * image)
    assert torch.equal(model.downscale(image, 2, 1.0), image)
    assert model.downscale(image, 0, 1.0).shape[-1] == 4


def test_finished_phases_are_frozen_and_the_last_one_is_lunagariyas_dcgan() -> None:
    torch.manual_seed(0)
    config = frozen_pggan.Config(latent=8, features=8, features_max=64, phases=3, phase_images=16)
    model = frozen_pggan.FrozenPGGAN(config, Shape(64, 64), 0)
    updater = Updater(model)
    seen = []
    for step in range(6):
        before = {k: v.detach().clone() for k, v in model.named_parameters()}
        updater.step([batch(model, step)], Progress(step, step * 8, 1, lambda t: t))
        seen.append({k.rsplit(".", 1)[0] for k, v in model.named_parameters() if not torch.equal(v, before[k])})
    first, second, third = seen[0] | seen[1], seen[2] | seen[3], seen[4] | seen[5]
    assert not first & second
    assert not second & third
    assert not first & third
    assert {"generator.start.0", "generator.blocks.0.0", "to_image.0"} <= first
    assert {"discriminator.output", "discriminator.blocks.3.0", "from_image.0.0"} <= first
    assert {"generator.blocks.1.0", "to_image.1", "discriminator.blocks.2.0"} <= second
    assert {"generator.blocks.2.0", "generator.to_image", "discriminator.blocks.0.0"} <= third
    full = dcgan.Generator(Shape(64, 64), 100, 0, 64, 1024)
    ours = frozen_pggan.FrozenPGGAN(frozen_pggan.Config(), Shape(64, 64), 0).generator
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in full.parameters())


def test_losses_of_frozen_phases_are_logged_phase_by_phase() -> None:
    config = frozen_pggan.Config(latent=8, features=8, features_max=16, phases=2, phase_images=8)
    model = frozen_pggan.FrozenPGGAN(config, Shape(16, 16), 0)
    updater = Updater(model)
    updater.step([batch(model, 0)], Progress(0, 0, 1, lambda t: t))
    assert set(updater.losses()) == {"discriminator 8/real", "discriminator 8/fake", "generator 8/adversarial"}
    updater.step([batch(model, 1)], Progress(1, 8, 1, lambda t: t))
    assert set(updater.losses()) == {"discriminator 16/real", "discriminator 16/fake", "generator 16/adversarial"}


def test_a_pyramid_of_silent_residuals_is_the_enlarged_lowest_level() -> None:
    torch.manual_seed(0)
    model = lapgan.LAPGAN(lapgan.Config(latent=8, levels=3, features=8, features_max=16), Shape(32, 32), 0).eval()
    for generator in model.generators[1:]:
        torch.nn.init.zeros_(generator.layers[-1].weight)  # type: ignore[index, union-attr]
    noise, label = [torch.randn(2, *shape) for shape in model.noise_shapes()], torch.zeros(2, 0)
    lowest = model.generators[0](noise[0], label)
    up = torch.nn.functional.interpolate(lowest, scale_factor=2, mode="bilinear")
    up = torch.nn.functional.interpolate(up, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(model.sample(noise, Condition(label), None), up)


@pytest.mark.parametrize(("schedule", "players"), [("together", 6), ("in-turn", 2)])
def test_levels_train_together_or_in_turn(schedule: str, players: int) -> None:
    config = lapgan.Config(latent=8, levels=3, features=8, features_max=16, schedule=schedule, level_images=16)  # type: ignore[arg-type]
    model = lapgan.LAPGAN(config, Shape(32, 32), 0)
    for images, expected in ((0, "8"), (16, "16"), (32, "32"), (900, "32")):
        named = [player for player, _ in model.step(batch(model, 1), Progress(1, images, 1, lambda t: t))]
        assert len(named) == players
        assert schedule == "together" or all(name.endswith(f" {expected}") for name in named)


def test_every_resolution_has_its_discriminator_and_moves_the_generator() -> None:
    torch.manual_seed(0)
    model = ddgan.DDGAN(ddgan.Config(latent=8, levels=3, features=8, features_max=32), Shape(32, 32), 0)
    updates = dict(model.step(batch(model, 0), Progress(0, 0, 1, lambda t: t)))
    assert set(updates["generator"]) == {"adversarial 32", "adversarial 16", "adversarial 8"}
    for size, term in updates["generator"].items():
        (gradient,) = torch.autograd.grad(term, [model.generator.start[0].weight], retain_graph=True)
        assert gradient.abs().sum() > 0, size


def test_schedules_run_along_a_cosine() -> None:
    model = r3gan.R3GAN(r3gan.Config(channel_base=64, channel_max=8, burn_in=1000), Shape(16, 16), 0)
    assert model.scheduled_value((2.0, 0.2), 0) == pytest.approx(2.0)
    assert model.scheduled_value((2.0, 0.2), 500) == pytest.approx(1.1)
    assert model.scheduled_value((2.0, 0.2), 5000) == pytest.approx(0.2)
    updater = Updater(model)
    updater.step([batch(model, 0)], Progress(0, 500, 1, lambda t: t))
    group = updater.optimisers["generator"].param_groups[0]
    assert group["lr"] == pytest.approx((0.0002 + 0.00005) / 2)
    assert group["betas"] == (0.0, pytest.approx(0.945))


def test_truncation_gives_the_distribution_of_drawing_again() -> None:
    """Against a literal transcription: components above the threshold are drawn again until they are below."""
    threshold, generator = 0.7, torch.Generator().manual_seed(0)
    z = torch.randn(20_000, generator=generator)
    literal = z.clone()
    while (literal.abs() > threshold).any():
        again = torch.randn(20_000, generator=generator)
        literal = torch.where(literal.abs() > threshold, again, literal)
    ours = truncate_latent(z, threshold)
    assert ours.abs().max() <= threshold
    assert scipy.stats.ks_2samp(ours.numpy(), literal.numpy()).pvalue > 0.01
    assert (ours.argsort() == z.argsort()).float().mean() > 0.99
    assert truncate_latent(z, None) is z


@pytest.mark.parametrize(
    ("name", "changes", "size", "text"),
    [
        ("lapgan", {"levels": 4}, (16, 16), "levels 4: at 16 pixels there can be at most 2"),
        ("ddgan", {"levels": 9}, (16, 16), "levels 9"),
        ("frozen-pggan", {"phases": 5}, (32, 32), "phases 5"),
        ("multiscale", {"stages": 4}, (100, 100), "`resolution` 100: with 4 stages both sides must be multiples of 16"),
        ("dcgan", {}, (100, 100), "nearest: 88, 96, 104"),
    ],
)
def test_sizes_that_cannot_be_made_are_refused(
    name: str, changes: dict[str, int], size: tuple[int, int], text: str
) -> None:
    kind = family(name)
    config = kind.config_type(**changes)
    with pytest.raises(UserError, match=text):
        kind.check_shape(Shape(*size), config)


def test_furgers_presets() -> None:
    presets = multiscale.MultiScale.presets
    rows = {name: presets[name](Shape(128, 128), 16).model_dump() for name in presets}
    table = {
        "hands": (5, 512, 32),
        "healthy-patches": (4, 1024, 128),
        "eczema-patches": (4, 1024, 256),
        "lesions": (5, 512, 64),
    }
    for name, (stages, generator, discriminator) in table.items():
        row = rows[name]
        assert (row["stages"], row["generator_features"], row["discriminator_features"]) == (
            stages,
            generator,
            discriminator,
        )
        assert (row["latent"], row["learning_rate"], row["beta1"]) == (100, 5e-5, 0.9)


def test_every_family_has_a_laptop_preset_and_batch_sizes_for_all() -> None:
    for name in FAMILIES:
        kind = family(name)
        assert "laptop" in kind.presets
        assert all(preset.batch >= 1 for preset in kind.presets.values())


def test_the_pool_exchanges_half_and_keeps_what_it_saw() -> None:
    """Filled with the first images; later ones change places with pool images about every second time."""
    torch.manual_seed(0)
    pool = cyclegan.Pool(4, Shape(8, 8))
    exchanged = 0
    for step in range(200):
        made = torch.full((2, 3, 8, 8), float(step)) + torch.tensor([0.0, 0.5]).reshape(2, 1, 1, 1)
        draws = Draws.for_step(torch.device("cpu"), step, total=2, start=0, count=2)
        before = {float(v) for v in pool.images[:, 0, 0, 0]}
        shown = pool.exchange(made, draws, lambda t: t)
        for i in range(2):
            value = float(shown[i, 0, 0, 0])
            if value != float(made[i, 0, 0, 0]):
                exchanged += 1
                assert step >= 2
                assert value in before or value == float(made[0, 0, 0, 0])
    assert 0.4 < exchanged / 396 < 0.6
    assert pool.exchange(made, draws, lambda t: t).shape == made.shape


def test_two_halves_of_a_batch_see_the_pool_that_one_would() -> None:
    whole, first, second = (cyclegan.Pool(3, Shape(8, 8)) for _ in range(3))
    for step in range(6):
        made = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        shown = whole.exchange(made, Draws.for_step(torch.device("cpu"), step, total=4, start=0, count=4), lambda t: t)
        parts = []
        for pool, start in ((first, 0), (second, 2)):
            draws = Draws.for_step(torch.device("cpu"), step, total=4, start=start, count=2)
            parts.append(pool.exchange(made[start : start + 2], draws, lambda t, whole_batch=made: whole_batch.clone()))
        assert torch.equal(torch.cat(parts), shown)
    assert torch.equal(first.images, whole.images)
    assert torch.equal(second.images, whole.images)


def test_coarse_to_fine_goes_through_its_stages() -> None:
    torch.manual_seed(0)
    config = pix2pixhd.Config(
        features=8, downs=2, blocks=1, enhancer_blocks=1, discriminator_features=4, coarse_images=8, enhancer_images=8
    )
    model = pix2pixhd.Pix2PixHD(config, Shape(36, 52), 0, 3, True)
    updater, moved = Updater(model), []
    for step in range(3):
        before = {k: v.detach().clone() for k, v in model.generator.named_parameters()}
        updater.step([batch(model, step)], Progress(step, step * 8, 1, lambda t: t))
        changed = {k for k, v in model.generator.named_parameters() if not torch.equal(v, before[k])}
        moved.append({k.split(".")[0] + (".image" if ".image." in k else "") for k in changed})
    assert moved[0] == {"coarse", "coarse.image"}
    assert moved[1] == {"fine"}
    assert moved[2] == {"coarse", "fine"}


def test_any_size_is_made_from_maps_and_boundaries_count() -> None:
    torch.manual_seed(0)
    config = pix2pixhd.Config(
        features=8, downs=3, blocks=1, enhancer_blocks=1, discriminator_features=4, coarse_images=0
    )
    model = pix2pixhd.Pix2PixHD(config, Shape(45, 61), 0, 4, True).eval()
    maps = torch.randint(0, 2, (2, 2, 45, 61), dtype=torch.uint8)
    planes = model.planes(maps)
    assert planes.shape == (2, 5, 45, 61)
    assert (planes[:, :4].sum(dim=1) == 1).all()
    assert torch.equal(planes[:, 4], maps[:, 1].float())
    made = model.sample([], Condition(torch.zeros(2, 0), map=maps), None)
    assert made.shape == (2, 3, 45, 61)
    other = maps.clone()
    other[:, 1] = 0
    assert not torch.equal(made, model.sample([], Condition(torch.zeros(2, 0), map=other), None))


def test_a_residual_is_added_and_paste_keeps_what_is_outside_the_mask() -> None:
    torch.manual_seed(0)
    config = residual_translation.Config(features=4, blocks=1, discriminator_features=4, paste=True)
    model = residual_translation.ResidualTranslation(config, Shape(32, 48), 2).eval()
    image, mask = torch.rand(2, 3, 32, 48) * 2 - 1, torch.zeros(2, 1, 32, 48)
    mask[:, :, 8:20, 10:30] = 1
    made = model.sample([], Condition(torch.zeros(2, 2), image=image, mask=mask), None)
    outside = mask.expand_as(image) == 0
    assert torch.equal(made[outside], image[outside])
    assert not torch.equal(made[~outside], image[~outside])
    torch.nn.init.zeros_(model.generator.end[1].weight)
    torch.testing.assert_close(model.generator(image, mask), image)


@pytest.mark.parametrize("gamma", [0.0, 3.0])
def test_the_translations_r1_is_that_of_its_mean_logit_on_real_targets(gamma: float) -> None:
    torch.manual_seed(0)
    config = residual_translation.Config(features=4, blocks=1, discriminator_features=4, r1_gamma=gamma)
    model = residual_translation.ResidualTranslation(config, Shape(32, 32), 2)
    shown = batch(model, 0)
    _, terms = next(iter(model.step(shown, Progress(0, 0, 1, lambda t: t))))
    assert ("r1" in terms) == (gamma > 0)
    if gamma:
        assert shown.domains is not None
        expected = []
        for image in shown.domains.real_target.clone():
            image = image[None].requires_grad_()
            maps = model.discriminator.logits(image)
            (slope,) = torch.autograd.grad(sum(part.mean() for part in maps) / len(maps), image)
            expected.append(slope.square().sum())
        torch.testing.assert_close(terms["r1"], gamma / 2 * torch.stack(expected).mean())


def test_furgers_translations_are_as_wide_as_the_table_says() -> None:
    for kind, preset in ((residual_translation.ResidualTranslation, "targeted"), (cyclegan.CycleGAN, "untargeted")):
        config = kind.presets[preset](Shape(128, 128), 16)
        assert 4 * config.features == 1024  # type: ignore[attr-defined]
        assert config.discriminator_features == 256  # type: ignore[attr-defined]
        assert config.blocks == 4  # type: ignore[attr-defined]


def test_the_perceptual_term_needs_named_weights(tmp_path: Path) -> None:
    shape = Shape(32, 32)
    assert (
        "none (no weights were named)" in pix2pixhd.Pix2PixHD(pix2pixhd.laptop(shape, 4), shape, 0, 2, False).notes()[0]
    )
    for place, text in (("vgg", "write timm:NAME=FILE"), (f"timm:vgg11={tmp_path / 'no.safetensors'}", "no such file")):
        config = pix2pixhd.laptop(shape, 4).model_copy(update={"perceptual": place})
        model = pix2pixhd.Pix2PixHD(config, shape, 0, 2, False)
        with pytest.raises(UserError, match=text):
            model.notes()


def test_the_perceptual_term_sees_layers_and_is_no_part_of_a_checkpoint(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    path = tmp_path / "resnet10t.safetensors"
    save_file(timm.create_model("resnet10t", num_classes=0).state_dict(), path)
    distance = PerceptualDistance(f"timm:resnet10t={path}")
    assert not distance.state_dict()
    assert not list(distance.parameters())
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    other = (image + 0.3 * torch.randn_like(image)).requires_grad_(True)
    assert distance(image, image).item() == 0
    value = distance(image, other)
    (gradient,) = torch.autograd.grad(value, other)
    assert value > 0
    assert gradient.abs().sum() > 0


def test_at_the_end_of_a_phase_its_own_layers_are_sampled() -> None:
    """A checkpoint at the boundary must not go through layers that no step has trained yet."""
    config = frozen_pggan.Config(latent=8, features=8, features_max=16, phases=2, phase_images=8)
    model = frozen_pggan.FrozenPGGAN(config, Shape(16, 16), 0)
    steps(model, 0, 1)
    assert int(model.shown) == 8
    image = model.eval().sample([torch.randn(1, 8)], Condition(torch.zeros(1, 0)), None)
    assert torch.equal(image[:, :, ::2, ::2], image[:, :, 1::2, 1::2]), "8 pixels, each doubled"
    assert model.statistics() == {"phase": 1.0}
    small = pix2pixhd.Config(
        features=8, downs=1, blocks=1, enhancer_blocks=1, discriminator_features=4, coarse_images=8
    )
    translator = pix2pixhd.Pix2PixHD(small, Shape(32, 32), 0, 3, True)
    steps(translator, 0, 1)
    assert translator.statistics() == {"stage": 1.0}


def test_levels_whose_turn_has_not_come_only_enlarge() -> None:
    config = lapgan.Config(latent=8, levels=2, features=8, features_max=16, schedule="in-turn", level_images=16)
    model = lapgan.LAPGAN(config, Shape(16, 16), 0)
    steps(model, 0, 2)
    noise = [torch.randn(1, *shape) for shape in model.noise_shapes()]
    model.eval()
    image = model.sample(noise, Condition(torch.zeros(1, 0)), None)
    lowest = model.generators[0](noise[0], torch.zeros(1, 0))
    torch.testing.assert_close(image, torch.nn.functional.interpolate(lowest, scale_factor=2, mode="bilinear"))


def test_only_log_odds_are_called_confidence() -> None:
    image, label = torch.randn(2, 3, 16, 16), torch.zeros(2, 0)
    for game in ("bce", "minimax"):
        assert make_dcgan(game).logits(image, label) is not None
    for game in ("hinge", "wasserstein", "wasserstein-gp", "least-squares"):
        assert make_dcgan(game).logits(image, label) is None


def make_dcgan(game: str) -> dcgan.DCGAN:
    return dcgan.DCGAN(dcgan.Config(latent=8, features=8, features_max=16, game=game), Shape(16, 16), 0)  # type: ignore[arg-type]


def test_a_latent_of_one_length_cannot_be_truncated() -> None:
    assert not pgan.PGAN.accepts_truncation(0.5)
    assert dcgan.DCGAN.accepts_truncation(0.5)
    model = pgan.PGAN(pgan.Config(latent=8, channel_base=64, channel_max=8), Shape(16, 16), 0)
    z, label = torch.randn(2, 8), torch.zeros(2, 0)
    torch.testing.assert_close(
        model.generator(z, label, 1, 1.0), model.generator(z * 0.01, label, 1, 1.0), atol=1e-3, rtol=1e-3
    )


def _one_by_one(
    images: torch.Tensor, filled: int, batch: torch.Tensor, coin: torch.Tensor, place: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """A pool as Shrivastava et al. 2017 describe it, with decisions on the host."""
    images, answers = images.clone(), batch.clone()
    for i, image in enumerate(batch):
        if filled < len(images):
            images[filled] = image
            filled += 1
        elif coin[i] < 0.5:
            answers[i] = images[place[i]]
            images[place[i]] = image
    return images, answers, filled


def test_the_pool_exchanges_as_one_by_one() -> None:
    """Also where two images of a batch go to the same place."""
    shape, size = Shape(4, 4), 5
    pool, images, filled, exchanged = cyclegan.Pool(size, shape), torch.zeros(size, 3, 4, 4), 0, 0
    for step in range(12):
        made = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(step))
        draws = [Draws.for_step(torch.device("cpu"), step, total=8, start=0, count=8) for _ in range(2)]
        coin, place = draws[0].uniform(), (draws[0].uniform() * size).long()
        images, expected, filled = _one_by_one(images, filled, made, coin, place)
        answers = pool.exchange(made, draws[1], lambda t: t)
        assert torch.equal(answers, expected)
        assert torch.equal(pool.images, images)
        assert int(pool.filled) == filled
        exchanged += int((answers != made).flatten(1).any(1).sum())
    assert exchanged > 20


def test_a_growing_family_knows_its_stage_from_a_checkpoint() -> None:
    config = pgan.Config(fade_images=100, stable_images=50, latent=8, channel_base=64, channel_max=8)
    one, other = (pgan.PGAN(config, Shape(32, 32), 0) for _ in range(2))
    one.shown.fill_(60)
    one._remember(one.stage(60))
    assert other.restarts(60)
    other.load_state_dict(one.state_dict())
    assert not other.restarts(60), "the loaded stage is that of 60 images"
    assert other.restarts(160)
