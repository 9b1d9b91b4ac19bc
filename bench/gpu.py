"""What one GPU does: agreement with the CPU, resuming, speed and waiting. Writes `bench/results/gpu.md`, in under 8 minutes.

usage: python -m bench.gpu [--device cuda] [--quick] [--out FILE]

With `--device cpu --quick` everything runs small on a CPU, to see that it runs.
"""

import argparse
import copy
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import Batch, DomainImages, Model, Progress
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import FAMILIES, family
from dermsynth.models.stylegan2_ada import R1_INTERVAL, StyleGAN2ADA, auto
from dermsynth.rng import Draws
from dermsynth.training.optimisation import Updater

OUT = Path(__file__).with_name("results") / "gpu.md"
PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)
CPU = torch.device("cpu")
AUTHORS = {128: 6.79, 256: 12.53}
"""Seconds per 1,000 images that the authors of StyleGAN2-ADA publish: one A100, their CUDA kernels, ADA on."""


@dataclass
class HostDraws(Draws):
    """Numbers drawn on the CPU and brought to a device: the same ones on every device."""

    device: torch.device = CPU

    def normal(self, *columns: int) -> Tensor:
        """As on the CPU."""
        return super().normal(*columns).to(self.device)

    def uniform(self, *columns: int) -> Tensor:
        """As on the CPU."""
        return super().uniform(*columns).to(self.device)

    def bytes(self, *columns: int) -> Tensor:
        """As on the CPU."""
        return super().bytes(*columns).to(self.device)


def build(name: str, side: int, dtype: torch.dtype = torch.float32) -> Model:
    """A family's laptop preset with the weights of seed 0, for two classes, or whatever it takes."""
    kind = family(name)
    torch.manual_seed(0)
    shape, conditions = Shape(side, side), Conditions(classes=2)
    if kind.inputs.from_maps:
        conditions = Conditions(map_values=3, superpixels=True)
    model = kind.create(kind.presets["laptop"](shape, 8), shape, conditions)
    model.dtype = dtype
    if hasattr(model, "augmentation"):
        model.augmentation.p.fill_(0.5)
    return model


def noise_batch(model: Model, step: int, device: torch.device, *, shared: bool, count: int = 8) -> Batch:
    """Noise as images, the same on every device; with `shared` the same random numbers, too."""
    generator = torch.Generator().manual_seed(step)
    size = (count, 3, model.shape.height, model.shape.width)
    image = (torch.rand(size, generator=generator) * 2 - 1).to(device, memory_format=torch.channels_last)
    label = torch.eye(max(model.classes, 1))[torch.arange(count) % max(model.classes, 1)][:, : model.classes].to(device)
    if shared:
        draws: Draws = HostDraws(torch.Generator().manual_seed(step), count, 0, count, device)
    else:
        draws = Draws.for_step(device, step, total=count, start=0, count=count)
    maps = torch.randint(0, 2, (count, 2, *size[2:]), generator=generator, dtype=torch.uint8).to(device)
    mask = (torch.rand(count, 1, *size[2:], generator=generator) < 0.3).float().to(device)
    return Batch(image, label, draws, maps, DomainImages(image, image.flip(3), image, image.flip(2), mask))


def gradients(model: Model, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Of every update of step 0: the losses and the gradients of its player, each as one vector in float64 on the CPU.

    Nothing is updated.
    """
    players = model.players()
    step = model.step(noise_batch(model, 0, device, shared=True), Progress(0, 0, 1, lambda value: value))
    while True:
        with model.arithmetic():
            player, terms = next(step, (None, {}))
        if player is None:
            return
        parameters = players[player].parameters
        found = torch.autograd.grad(
            torch.stack([t.float() for t in terms.values()]).sum(), parameters, allow_unused=True
        )
        flat = [g.detach().double().cpu().flatten() for g in found if g is not None]
        yield torch.stack([t.detach().double().cpu() for t in terms.values()]), torch.cat(flat)


def agreement(name: str, side: int, dtype: torch.dtype, device: torch.device) -> str:
    """Largest relative difference of losses, and of gradients by their norm, between device and CPU in float32."""
    expected = list(gradients(build(name, side), CPU))
    model = build(name, side, dtype).to(device)
    losses, slopes = 0.0, 0.0
    for (loss, slope), (other, steep) in zip(gradients(model, device), expected, strict=True):
        losses = max(losses, float(((loss - other).abs() / other.abs().clamp(min=0.1)).max()))
        slopes = max(slopes, float((slope - steep).norm() / steep.norm().clamp(min=1e-12)))
    return f"{losses:.1e} and {slopes:.1e}"


def resumed(name: str, side: int, dtype: torch.dtype, device: torch.device, steps: int) -> str:
    """Whether a training that was stopped half-way and went on from its state has the weights of one that was not."""
    whole = build(name, side, dtype).to(device)
    updater = Updater(whole)
    saved: tuple[dict[str, Tensor], dict[str, object]] | None = None
    for step in range(steps):
        if step == steps // 2:
            saved = copy.deepcopy((whole.state_dict(), {k: v.state_dict() for k, v in updater.optimisers.items()}))
        _step(updater, whole, step, device)
    assert saved is not None
    again = build(name, side, dtype).to(device)
    again.load_state_dict(saved[0])
    second = Updater(again)
    for key, state in saved[1].items():
        second.optimisers[key].load_state_dict(state)  # type: ignore[arg-type]
    for step in range(steps // 2, steps):
        _step(second, again, step, device)
    one, other = whole.state_dict(), again.state_dict()
    updater.check()
    if all(torch.equal(one[key], other[key]) for key in one):
        return "bit for bit"
    worst = max(float((one[k].double() - other[k].double()).abs().max()) for k in one)
    return f"differs by {worst:.1e}"


def _step(updater: Updater, model: Model, step: int, device: torch.device, count: int = 8) -> None:
    batch = noise_batch(model, step, device, shared=False, count=count)
    updater.step([batch], Progress(step, step * count, 1, lambda value: value))


def check_families(rows: list[str], device: torch.device, *, quick: bool) -> None:
    """A row a family and precision."""
    side, steps = (16, 4) if quick else (32, 200)
    rows += [
        "## Agreement and resuming", "",
        f"Preset `laptop` at {side} px (32 px where 16 is too small), 8 images of noise, the weights and random numbers of seed 0: relative difference from the CPU in float32 of losses",
        f"and of gradients, in every update of the first step; then {steps} steps, and the second half of them again from the state in the middle.", "",
        "| family | precision | losses and gradients | resumed |", "|--|--|--|--|",
    ]  # fmt: skip
    for name in FAMILIES:
        size = 32 if not family(name).inputs.from_noise else side
        for dtype in PRECISIONS[:1] if quick else PRECISIONS:
            if dtype == torch.float16 and not family(name).casts_itself:
                continue
            try:
                found = agreement(name, size, dtype, device), resumed(name, size, dtype, device, steps)
            except (UserError, RuntimeError) as error:
                found = f"failed: {' '.join(str(error).split())[:120]}", "–"
            rows.append(f"| {name} | {str(dtype).removeprefix('torch.')} | {found[0]} | {found[1]} |")
            print(rows[-1], flush=True)
    rows.append("")


def speed(rows: list[str], device: torch.device, *, quick: bool) -> None:
    """Seconds per 1,000 images of StyleGAN2-ADA's preset `auto`, images a second of generation, memory, waiting."""
    rows += [
        "## Speed", "",
        "StyleGAN2-ADA, preset `auto`, augmentation `bgc` at p = 0.5, unconditional, whole rounds of 16 steps with every lazy term, seed 0; median of the rounds. Waiting: the share of the",
        "time in which no kernel ran, by the profiler, over 16 steps.", "",
        "| pixels | batch | precision | s per 1,000 images | ratio to the authors' A100 | images/s generated | peak memory | waiting |", "|--|--|--|--|--|--|--|--|",
    ]  # fmt: skip
    sizes = ((16, 4),) if quick else ((64, 64), (128, 64), (256, 32))
    for side, batch in sizes:
        for dtype in PRECISIONS[:1] if quick else PRECISIONS:
            try:
                row = _speed_row(side, batch, dtype, device, quick=quick)
            except (UserError, RuntimeError) as error:
                row = f"failed: {' '.join(str(error).split())[:120]} | – | – | – | –"
            rows.append(f"| {side} | {batch} | {str(dtype).removeprefix('torch.')} | {row} |")
            print(rows[-1], flush=True)
    rows.append("")


def _speed_row(side: int, batch: int, dtype: torch.dtype, device: torch.device, *, quick: bool) -> str:
    torch.manual_seed(0)
    shape = Shape(side, side)
    config = auto(shape, batch).model_copy(update={"augmentation": "bgc", "ada_initial": 0.5, "ada_target": 0.5})
    if quick:
        config = config.model_copy(update={"channel_max": 16, "latent": 16})
    model = StyleGAN2ADA(config, shape, 0)
    model.dtype = dtype
    model.to(device)
    updater, one = Updater(model), noise_batch(model, 0, device, shared=False, count=batch)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)

    def a_round() -> float:
        _wait(device)
        started = time.perf_counter()
        for step in range(R1_INTERVAL):
            draws = Draws.for_step(device, step, total=batch, start=0, count=batch)
            updater.step([Batch(one.image, one.label, draws)], Progress(step, step * batch, 1, lambda value: value))
        _wait(device)
        return 1000 * (time.perf_counter() - started) / (batch * R1_INTERVAL)

    a_round()
    seconds = statistics.median(a_round() for _ in range(1 if quick else 3))
    updater.check()
    memory = f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB" if device.type == "cuda" else "–"
    ratio = f"{seconds / AUTHORS[side]:.2f}" if side in AUTHORS else "–"
    return f"{seconds:.2f} | {ratio} | {_generated(model, batch, device):.0f} | {memory} | {_waiting(a_round, device)}"


def _generated(model: StyleGAN2ADA, batch: int, device: torch.device) -> float:
    """Images a second of the averaged generator."""
    noise = [torch.randn(batch, *shape, device=device) for shape in model.noise_shapes()]
    label, times = torch.zeros(batch, 0, device=device), []
    for _ in range(6):
        _wait(device)
        started = time.perf_counter()
        with torch.inference_mode():
            model.average(noise[0], label, noise[1:], dtype=model.dtype)
        _wait(device)
        times.append(time.perf_counter() - started)
    return batch / statistics.median(times[1:])


def _waiting(work: Callable[[], float], device: torch.device) -> str:
    """Share of the time of some work in which no kernel ran."""
    if device.type != "cuda":
        return "–"
    from torch.profiler import ProfilerActivity, profile

    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        work()
    wall = time.perf_counter() - started
    busy = sum(event.self_device_time_total for event in found.key_averages()) / 1e6
    return f"{max(0.0, 1 - busy / wall):.0%}"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure, and write the table after every part, so that what is done is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes and float32 alone")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("bench.gpu: no GPU here; --device cpu --quick tries the command itself")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    rows = ["# One GPU" if device.type == "cuda" else "# One CPU, to try the command", "",
            f"{name}, torch {torch.__version__}; `python -m bench.gpu`.", ""]  # fmt: skip
    for part in (speed, check_families):
        part(rows, device, quick=chosen.quick)
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text("\n".join(rows))
    print(chosen.out)


if __name__ == "__main__":
    main()
