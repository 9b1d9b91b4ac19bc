"""Steps and schedules as the references have them, and runs of earlier editions refused in one line."""

import json
import re
from pathlib import Path

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.models import cyclegan, pgan, pix2pixhd, residual_translation
from dermsynth.models.base import Progress
from dermsynth.models.layers import multiscale
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.pix2pixhd import ImageTranslator
from dermsynth.models.registry import family
from dermsynth.sampling.generator import load_generator
from dermsynth.training import checkpoints
from dermsynth.training.loop import train
from dermsynth.training.optimisation import Updater
from dermsynth.training.transfer import transfer
from tests.conftest import tiny_config
from tests.models.test_contract import batch, make, steps


def alone(step: int, images: int) -> Progress:
    return Progress(step, images, 1, lambda t: t)


# FURGER


def test_furgers_translations_have_the_documents_discriminators() -> None:
    shape = Shape(128, 128)
    for kind, preset, judge in (
        (residual_translation.ResidualTranslation, "targeted", "discriminator"),
        (cyclegan.CycleGAN, "untargeted", "judge_target"),
    ):
        config = kind.presets[preset](shape, 16)
        with torch.device("meta"):
            model = kind(config, shape, 2)  # type: ignore[arg-type]
        network = getattr(model, judge)
        assert isinstance(network, multiscale.MultiScaleDiscriminator)
        assert sum(p.numel() for p in network.parameters()) == 88_284_162
        assert model.needs_whole_batches(config), "batch norm: a batch cannot be computed in pieces"
    patches = residual_translation.laptop(shape, 8)
    assert not residual_translation.ResidualTranslation.needs_whole_batches(patches)


def test_dense_discriminators_train_and_give_log_odds() -> None:
    torch.manual_seed(0)
    small = {"features": 4, "blocks": 1, "discriminator_features": 4, "discriminator_layers": 3}
    for kind, config in (
        (residual_translation.ResidualTranslation, residual_translation.Config(discriminator="dense", **small)),
        (cyclegan.CycleGAN, cyclegan.Config(discriminator="dense", game="non-saturating", pool=4, **small)),
    ):
        kind.check_shape(Shape(32, 48), config)
        model = kind(config, Shape(32, 48), 2)  # type: ignore[arg-type]
        updater = steps(model, 0, 2)
        assert all(map(torch.isfinite, map(torch.tensor, updater.losses().values())))
        shown = batch(model, 0)
        logits = model.eval().logits(shown.image, torch.eye(2)[torch.ones(8, dtype=torch.int64)])
        assert logits is not None
        assert logits.shape == (8,)
        with pytest.raises(
            UserError, match=r"`resolution` 20: both sides must be multiples of 8, at least 16; next: 24x24"
        ):
            kind.check_shape(Shape(20, 20), config)
        with pytest.raises(UserError, match="scales 3: discriminator=dense is a pair"):
            kind.check_shape(Shape(32, 32), config.model_copy(update={"scales": 3}))


def test_a_dense_discriminator_refuses_pieces_before_anything_is_written(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="residual-translation", accumulate=2)
    dense = config.model_copy(update={"model": {**config.model, "discriminator": "dense", "discriminator_layers": 3}})
    with pytest.raises(UserError, match="`accumulate` 2: residual-translation has statistics"):
        train(tmp_path / "run", dense, chosen, device="cpu")
    assert not (tmp_path / "run").exists()


# Zhu et al.


def test_the_zhu_preset_is_theirs() -> None:
    for side, blocks in ((128, 6), (256, 9)):
        shape = Shape(side, side)
        config = cyclegan.zhu(shape, 1)
        with torch.device("meta"):
            model = cyclegan.CycleGAN(config, shape, 2)
        assert isinstance(model.to_target, ImageTranslator)
        assert config.blocks == blocks
        assert sum(p.numel() for p in model.judge_target.parameters()) == 2_764_737 - 896
        assert (config.game, config.cycle_norm, config.cycle_weight, config.identity_weight) == (
            "least-squares",
            "l1",
            10,
            5,
        )
        assert (config.pool, config.learning_rate, config.beta1, config.decay) == (50, 0.0002, 0.5, 0.5)
    assert cyclegan.CycleGAN.presets["zhu"].batch == 1
    with pytest.raises(UserError, match="at least 32"):
        cyclegan.CycleGAN.check_shape(Shape(28, 28), cyclegan.zhu(Shape(28, 28), 1))
    small = cyclegan.zhu(Shape(32, 32), 1).model_copy(update={"features": 4, "blocks": 1, "discriminator_features": 4})
    model = cyclegan.CycleGAN(small, Shape(32, 32), 2)
    assert all(map(torch.isfinite, map(torch.tensor, steps(model, 0, 2).losses().values())))


@pytest.mark.parametrize("name", ["cyclegan", "pix2pixhd"])
def test_the_rate_falls_linearly_to_zero_in_the_second_half(name: str) -> None:
    model = make(name)
    model.config = model.config.model_copy(update={"decay": 0.5, "learning_rate": 0.002})
    model.length = 1000
    assert model.notes()[-1] == "learning rate: falls linearly to zero from 500 to 1000 images shown"
    updater = Updater(model)
    for step, (images, rate) in enumerate([(0, 0.002), (500, 0.002), (600, 0.0016), (992, 0.000032), (1200, 0.0)]):
        updater.step([batch(model, step)], alone(step, images))
        for optimiser in updater.optimisers.values():
            assert optimiser.param_groups[0]["lr"] == pytest.approx(rate)
    assert family(name).presets["zhu" if name == "cyclegan" else "bissoto"](Shape(64, 64), 1).decay == 0.5  # type: ignore[attr-defined]


def test_the_length_of_a_training_reaches_its_schedule(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="cyclegan", images=16)
    decaying = config.model_copy(update={"model": {**config.model, "decay": 1.0}})
    train(tmp_path / "run", decaying, chosen, device="cpu")
    assert load_generator(tmp_path / "run", device="cpu").model.length == 16


# PGAN


def test_optimisers_forget_where_a_level_is_added_and_where_it_has_faded_in() -> None:
    """As the authors' training loop does; a run that is resumed at the very step forgets as well."""
    torch.manual_seed(0)
    config = pgan.Config(fade_images=16, stable_images=16, latent=8, channel_base=64, channel_max=8)
    model = pgan.PGAN(config, Shape(16, 16), 0)
    updater, counts = Updater(model), []
    for step in range(10):
        if step == 4:
            resumed = pgan.PGAN(config, Shape(16, 16), 0)
            resumed.load_state_dict(model.state_dict())
            fresh = Updater(resumed)
            for name, optimiser in updater.optimisers.items():
                fresh.optimisers[name].load_state_dict(optimiser.state_dict())
            model, updater = resumed, fresh
        updater.step([batch(model, step)], alone(step, step * 8))
        state = updater.optimisers["generator"].state[model.generator.start.weight]
        counts.append(int(state["step"]))
    phases = [model.phase(step * 8) for step in range(10)]
    assert phases == [(0, 1), (0, 1), (1, 0), (1, 0.5), (1, 1), (1, 1), (2, 0), (2, 0.5), (2, 1), (2, 1)]
    assert counts == [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]


# pix2pixHD


def test_the_losses_of_pix2pixhd_against_a_literal_transcription() -> None:
    """Adversarial terms are sums over scales; features are matched as a mean over scales of 4 / 4 of the sum over layers."""
    torch.manual_seed(0)
    config = pix2pixhd.Config(
        features=8, downs=1, blocks=1, enhancer_blocks=1, discriminator_features=4, coarse_images=0, enhancer_images=0
    )
    model = pix2pixhd.Pix2PixHD(config, Shape(48, 48), 0, 3, True)
    shown = batch(model, 0)
    assert shown.map is not None
    update = iter(model.step(shown, alone(0, 0)))
    maps = model.planes(shown.map)
    made = model.generator(maps)
    real, fake = (model.discriminator(torch.cat([maps, image], 1)) for image in (shown.image, made))
    _, terms = next(update)
    literal_real = sum(((scale[-1] - 1) ** 2).mean() for scale in real) * 0.5
    literal_fake = sum((scale[-1] ** 2).mean() for scale in fake) * 0.5
    torch.testing.assert_close(terms["real"], literal_real)
    torch.testing.assert_close(terms["fake"], literal_fake)
    _, terms = next(update)
    torch.testing.assert_close(terms["adversarial"], sum(((scale[-1] - 1) ** 2).mean() for scale in fake))
    layers_of_the_authors, scales = 3, 3
    literal = 0.0
    for i in range(scales):
        for j in range(len(fake[i]) - 1):
            literal += 1 / scales * 4 / (layers_of_the_authors + 1) * (fake[i][j] - real[i][j]).abs().mean() * 10
    torch.testing.assert_close(terms["feature_matching"], literal)


# Editions


CHANGED = ["cyclegan", "pgan", "pix2pixhd", "r3gan", "residual-translation"]


@pytest.mark.parametrize("name", CHANGED)
def test_a_run_of_an_earlier_edition_is_refused_in_one_line(name: str, phantom: DataSet, tmp_path: Path) -> None:
    """Its weights might fit, and make other images: neither training, nor generating, nor a transfer takes it."""
    config, chosen = tiny_config(phantom, recipe=name, images=8)
    run = tmp_path / "run"
    saved = train(run, config, chosen, device="cpu")
    place = saved.path / checkpoints.STATE
    state = json.loads(place.read_text())
    assert state["edition"] == 2
    del state["edition"]
    place.write_text(json.dumps(state))
    line = rf"made by edition 1 of {name}, this program has edition 2, .* train anew"
    with pytest.raises(UserError, match=rf"^{re.escape(str(run))}: {line}") as refused:
        train(
            run,
            config.model_copy(update={"training": config.training.model_copy(update={"images": 16})}),
            chosen,
            device="cpu",
        )
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match=line):
        load_generator(run, device="cpu")
    with pytest.raises(UserError, match=line):
        transfer(make(name), name, chosen.classes, checkpoints.find(run))


def test_other_families_go_on_with_their_runs() -> None:
    for name in ("dcgan", "lapgan", "ddgan", "frozen-pggan", "multiscale"):
        assert family(name).edition == 1
