"""One whole step of StyleGAN2-ADA against its papers written down once more, and what changes where it starts from weights."""

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from bench.textbook import as_textbook
from torch import Tensor

from dermsynth.models.base import Batch, Progress
from dermsynth.models.layers.augmentation import PRESETS
from dermsynth.models.layers.shapes import Shape, parse_shape
from dermsynth.models.stylegan2_ada import StyleGAN2ADA, auto, laptop
from dermsynth.rng import Draws
from dermsynth.training.data import Plan, resolve
from dermsynth.training.optimisation import Updater, scale_rate
from tests.models.test_contract import make, steps

COUNT, SHOWN = 8, 40_000


def _recipe(size: str, classes: int) -> StyleGAN2ADA:
    torch.manual_seed(5)
    shape = parse_shape(size)
    small = {
        "latent": 16,
        "channel_base": 256,
        "channel_max": 16,
        "label_layers": 2,
        "ada_initial": 0.7,
        "augmentation": PRESETS["bgc"],
    }
    model = StyleGAN2ADA(auto(shape, COUNT).model_copy(update=small), shape, classes)
    for name, parameter in model.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.mean_path_length += 0.3
    return model


def _draws() -> Draws:
    return Draws.for_step(torch.device("cpu"), 3, total=COUNT, start=0, count=COUNT)


class Literal:
    """A step with plain networks: losses from their formulas, Adam from its own, one update after the other."""

    def __init__(self, model: StyleGAN2ADA, label: Tensor) -> None:
        self.model, self.label, self.draws = model, label, _draws()
        self.squares: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def generated(self, every: int = 1) -> tuple[Tensor, Tensor]:
        """Images and their ws; from a random layer on, in nine of ten, another w."""
        model, draws = self.model, self.draws
        layers = model.generator.synthesis.layers
        w = model.generator.mapping(draws.normal(16), self.label)
        start, chosen = 1 + (draws.uniform() * (layers - 1)).floor(), draws.uniform() < 0.9
        other = model.generator.mapping(draws.normal(16), self.label)
        ws = torch.stack(
            [torch.where((chosen & (layer >= start))[:, None], other, w) for layer in range(layers)], dim=1
        )
        noise = [draws.normal(1, *size) for size in model.generator.synthesis.noise_sizes()]
        ws = ws[::every]
        return model.generator.synthesis(ws, [one[::every] for one in noise]), ws

    def logits(self, image: Tensor) -> Tensor:
        return self.model.discriminator(self.model.augmentation(image, self.draws), self.label)

    def update(self, player: str, loss: Tensor, interval: int) -> None:
        """Adam (Kingma & Ba 2015) without momentum, with c = k / (k + 1); a parameter out of reach has a gradient of zero."""
        c = interval / (interval + 1)
        rate, decay = 0.0025 * c, 0.99**c
        parameters = dict(getattr(self.model, player).named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
            g = torch.zeros_like(parameter) if gradient is None else gradient
            key = f"{player}.{name}"
            self.counts[key] = self.counts.get(key, 0) + 1
            self.squares[key] = decay * self.squares.get(key, torch.zeros_like(g)) + (1 - decay) * g * g
            known = self.squares[key] / (1 - decay ** self.counts[key])
            parameter.data -= rate * g / (known.sqrt() + 1e-8)

    def step(self, real: Tensor) -> None:
        model, config = self.model, self.model.config
        image, _ = self.generated()
        self.update("generator", torch.log1p(torch.exp(-self.logits(image))).mean(), 4)

        image, ws = self.generated(every=2)
        height, width = image.shape[2:]
        direction = self.draws.normal(3, height, width)[::2] / (height * width) ** 0.5
        (slope,) = torch.autograd.grad((image * direction).sum(), ws, create_graph=True)
        lengths = (slope**2).sum(dim=2).mean(dim=1).sqrt()
        average = 0.99 * model.mean_path_length + 0.01 * lengths.mean()  # the gradient passes through it
        self.update("generator", ((lengths - average) ** 2).mean() * config.path_weight * 4, 4)
        model.mean_path_length.copy_(average.detach())

        with torch.no_grad():
            image, _ = self.generated()
        on_real, on_fake = self.logits(real), self.logits(image)
        loss = torch.log1p(torch.exp(-on_real)).mean() + torch.log1p(torch.exp(on_fake)).mean()
        model.augmentation.signs += torch.stack([on_real.detach().sign().sum(), torch.tensor(float(COUNT))])
        self.update("discriminator", loss, 16)

        image = real.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.logits(image).sum(), image, create_graph=True)
        self.update("discriminator", (slope**2).sum(dim=(1, 2, 3)).mean() * config.r1_gamma / 2 * 16, 16)

        half_life = min(config.ema_images, 0.05 * SHOWN)
        for mine, raw in zip(model.average.parameters(), model.generator.parameters(), strict=True):
            beta = 0.5 ** (COUNT / half_life)
            mine.data = beta * mine + (1 - beta) * raw.detach()


@pytest.mark.parametrize(("size", "classes"), [("32", 3), ("24x32", 0), ("64", 2), ("64", 0)])
def test_a_whole_step_is_that_of_the_papers(size: str, classes: int) -> None:
    """Generator, path length, discriminator, R1, both optimisers, the moving averages and the counter of r_t."""
    fast = _recipe(size, classes)
    literal = Literal(
        as_textbook(copy.deepcopy(fast)),  # type: ignore[arg-type]
        torch.eye(classes)[torch.arange(COUNT) % classes] if classes else torch.zeros(COUNT, 0),
    )
    first = copy.deepcopy(fast)
    image = (
        torch.rand(COUNT, 3, fast.shape.height, fast.shape.width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    )
    updater = Updater(fast)
    updater.step([Batch(image, literal.label, _draws())], Progress(0, SHOWN, 1, lambda t: t))
    literal.step(image)
    book = literal.model.state_dict()
    for key, value in fast.state_dict().items():
        moved = (value - first.state_dict()[key]).abs().max()
        difference = (value - book[key]).abs()
        if key in dict(fast.named_parameters()):
            # Adam's first steps turn the rounding of gradients near zero into whole steps, of a few weights
            assert (difference > 0.02 * moved + 1e-6 * value.abs().max()).float().mean() < 0.02, key
        else:
            assert difference.max() <= 2e-5 * value.abs().max(), key
    for player, optimiser in updater.optimisers.items():
        names = [name for name, parameter in getattr(fast, player).named_parameters() if parameter.requires_grad]
        largest = max(float(literal.squares[f"{player}.{name}"].norm()) for name in names)
        for name, parameter in zip(names, optimiser.param_groups[0]["params"], strict=True):
            expected, found = literal.squares[f"{player}.{name}"], optimiser.state[parameter]["exp_avg_sq"]
            assert int(optimiser.state[parameter]["step"]) == literal.counts[f"{player}.{name}"] == 2
            assert (found - expected).norm() < 2e-3 * max(float(expected.norm()), 1e-4 * largest), name


@pytest.mark.parametrize("decay", [0.01, 0.5])
def test_the_gradient_of_the_path_penalty_passes_through_the_average(decay: float) -> None:
    model = _recipe("32", 0)
    model.config = model.config.model_copy(update={"path_decay": decay})
    lengths = torch.rand(6, requires_grad=True)
    average = torch.lerp(torch.tensor(0.3), lengths.mean(), decay)
    (expected,) = torch.autograd.grad((lengths - average).square().mean(), lengths)
    penalty = model._path_penalty(lengths, Progress(0, 0, 1, lambda t: t))
    (found,) = torch.autograd.grad(penalty, lengths)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(penalty, (lengths - average).square().mean())
    assert float(model.mean_path_length) == pytest.approx(float(average))
    assert not model.mean_path_length.requires_grad


def test_two_processes_have_the_path_penalty_of_one() -> None:
    lengths, gradients = torch.rand(8), []
    for parts in ([lengths], [lengths[:4], lengths[4:]]):
        leaves = [part.clone().requires_grad_() for part in parts]
        total = torch.stack([lengths.sum(), torch.tensor(8.0)])
        for leaf in leaves:
            model = _recipe("32", 0)
            (
                model._path_penalty(leaf, Progress(0, 0, len(parts), lambda t, total=total: total)) / len(parts)
            ).backward()
        gradients.append(torch.cat([leaf.grad for leaf in leaves if leaf.grad is not None]))
    torch.testing.assert_close(*gradients)


def test_what_an_update_does_not_reach_has_a_gradient_of_zero() -> None:
    """Adam's mean square fades there and its counter goes on, as in the authors' loop; the parameter stays."""
    model = make("stylegan2-ada", "32")
    assert isinstance(model, StyleGAN2ADA)
    updater = steps(model, 0, 1)
    bias = model.discriminator.output.bias  # R1 knows only slopes
    state = updater.optimisers["discriminator"].state[bias]
    assert int(state["step"]) == 2
    assert all(int(one["step"]) == 2 for optimiser in updater.optimisers.values() for one in optimiser.state.values())
    before = state["exp_avg_sq"].clone()
    value = bias.detach().clone()
    bias.grad = None
    updater._fill("discriminator")
    updater.optimisers["discriminator"].step()
    torch.testing.assert_close(state["exp_avg_sq"], before * 0.99 ** (16 / 17))
    assert torch.equal(bias, value)


@pytest.mark.parametrize(("preset", "images"), [(auto, 100_000), (laptop, 50_000)])
def test_from_other_weights_the_start_up_schedules_are_left_out(preset: Callable[..., object], images: int) -> None:
    shape, name = Shape(64, 64), preset.__name__
    fresh, _ = resolve(Plan("stylegan2-ada", name, {}, {"images": 100}), shape)
    tuned, training = resolve(Plan("stylegan2-ada", name, {}, {"images": 100, "initial": "runs/x", "rate": 0.5}), shape)
    changed = {key for key, value in fresh.model_dump().items() if tuned.model_dump()[key] != value}
    assert changed == ({"ema_rampup", "ada_images"} if name == "auto" else {"ema_rampup"})
    assert (tuned.ema_rampup, tuned.ada_images, training.rate) == (None, images, 0.5)  # type: ignore[attr-defined]
    assert not StyleGAN2ADA(fresh, Shape(16, 16), 0).notes()  # type: ignore[arg-type]
    told = StyleGAN2ADA(tuned, Shape(16, 16), 0).notes()  # type: ignore[arg-type]
    assert f"p can rise to 1 within {images:,}" in told[0]
    asked, _ = resolve(
        Plan("stylegan2-ada", name, {"ema_rampup": 0.1, "ada_images": 7}, {"images": 100, "initial": "x"}), shape
    )
    assert (asked.ema_rampup, asked.ada_images) == (0.1, 7)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("rampup", "survives"), [(None, True), (0.05, False)])
def test_the_loaded_average_survives_the_first_step(rampup: float | None, survives: bool) -> None:
    model = make("stylegan2-ada", "16")
    assert isinstance(model, StyleGAN2ADA)
    model.config = model.config.model_copy(update={"ema_rampup": rampup, "ema_images": 4000.0})
    with torch.no_grad():
        for parameter in model.average.parameters():
            parameter += 1.0
    before = _flat(model.average.parameters())
    steps(model, 0, 1)
    raw, after = _flat(model.generator.parameters()), _flat(model.average.parameters())
    kept = (after - raw).norm() / (before - raw).norm()
    assert (kept > 0.99) if survives else (kept < 0.01)


def test_r3gan_keeps_a_loaded_average_too() -> None:
    tuned, _ = resolve(Plan("r3gan", "laptop", {}, {"images": 100, "initial": "runs/x"}), Shape(64, 64))
    assert tuned.ema_images == (4000.0, 4000.0)  # type: ignore[attr-defined]


def test_a_factor_multiplies_every_learning_rate() -> None:
    player = make("stylegan2-ada", "16").players()["generator"]
    assert scale_rate(player, 0.5).learning_rate == player.learning_rate / 2
    assert scale_rate(player, 1.0) is player
    scheduled = make("r3gan").players()["generator"]
    assert scheduled.schedule is not None
    slow = scale_rate(scheduled, 0.25).schedule
    assert slow is not None
    assert slow(100) == (pytest.approx(scheduled.schedule(100)[0] / 4), scheduled.schedule(100)[1])


def _flat(tensors: Sequence[Tensor]) -> Tensor:  # type: ignore[type-arg]
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
