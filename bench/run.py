"""Measure both sides of every speed claim, alternating in one process, and write a table a part to `bench/results/`.

usage: python -m bench.run [training] [strided] [generation] [families] [pipeline] [files] [features] [metrics] [memory]
       [artefacts] [latents]      (default: all)
"""

import copy
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from bench.artefacts import artefacts, latents
from bench.files import files
from bench.strided import strided
from bench.textbook import as_textbook
from dermsynth.models.base import Batch, Progress
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.stylegan2_ada import PATH_INTERVAL, R1_INTERVAL, StyleGAN2ADA, auto
from dermsynth.rng import Draws, seed_of
from dermsynth.training.distributed import keep_freed_memory
from dermsynth.training.optimisation import Updater

BATCH = 32
OUT = Path(__file__).with_name("results")


def model_of(side: int, base: int, maximum: int) -> StyleGAN2ADA:
    torch.manual_seed(0)
    shape = Shape(side, side)
    config = auto(shape, BATCH).model_copy(
        update={
            "channel_base": base,
            "channel_max": maximum,
            "ada_initial": 0.5,
            "ada_target": 0.5,
            "augmentation": "bgc",
        }
    )
    return StyleGAN2ADA(config, shape, 0)


class PlainAdam(torch.optim.Adam):
    """Adam parameter by parameter, which takes no hint of losses that are not finite."""

    def step(self, closure: None = None) -> None:
        self.found_inf = None
        super().step(closure)


def plain_adam(updater: Updater) -> None:
    for name, player in updater.players.items():
        updater.optimisers[name] = PlainAdam(
            player.parameters, lr=player.learning_rate, betas=player.betas, fused=False, foreach=False
        )


def step_times(model: StyleGAN2ADA, updater: Updater, number: int, batch: int) -> dict[str, float]:
    """CPU seconds of each kind of update in a step that does all of them, and of what follows the last one."""
    side = model.shape.height
    image = torch.rand(batch, 3, side, side).mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
    draws = Draws.for_step(torch.device("cpu"), seed_of(number), total=batch, start=0, count=batch)
    times: dict[str, float] = {}
    clock = time.process_time()
    for player, terms in model.step(Batch(image, torch.zeros(batch, 0), draws), Progress(0, 10_000, 1, lambda t: t)):
        parameters = updater.players[player].parameters
        for parameter in parameters:
            parameter.grad = None
        torch.stack(list(terms.values())).sum().backward(inputs=parameters)
        updater.optimisers[player].step()
        now = time.process_time()
        times[next(iter(terms))] = now - clock
        clock = now
    times["after"] = time.process_time() - clock
    return times


def mix(times: dict[str, float], batch: int) -> float:
    """CPU seconds per 1,000 images of the whole training mix."""
    step = times["adversarial"] + times["path_length"] / PATH_INTERVAL + times["real"] + times["r1"] / R1_INTERVAL
    return (step + times["after"]) * 1000 / batch


def loop_average(self: StyleGAN2ADA, batch: int, images: int, half_life: float, rampup: float | None) -> None:
    """The moving average as a plain loop."""
    with torch.no_grad():
        for mine, theirs in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mine.mul_(0.998).add_(theirs, alpha=0.002)


def training(rows: list[str]) -> None:
    rows += ["## Training", "", "CPU seconds per 1,000 images: generator, discriminator, path length every 4th and R1 every 16th step,",
             "augmentation `bgc` at p = 0.5, moving average; unconditional, seed 0; median of the repeats.", "",
             "| pixels | channels | batch | repeats | textbook, float32 | float32 | ratio | bfloat16 | ratio |", "|--|--|--|--|--|--|--|--|--|"]  # fmt: skip
    for side, base, maximum, batch, repeats in (
        (32, 4096, 128, BATCH, 3),
        (64, 4096, 128, BATCH, 3),
        (32, 16384, 512, 8, 1),
        (64, 16384, 512, 8, 1),
    ):
        fast = model_of(side, base, maximum)
        book, narrow = as_textbook(copy.deepcopy(fast)), copy.deepcopy(fast)
        narrow.dtype = torch.bfloat16
        book.update_average = loop_average.__get__(book)  # type: ignore[method-assign]
        sides = {"book": book, "fast": fast}
        if bfloat16_is_fast():
            sides["narrow"] = narrow
        updaters = {name: Updater(model) for name, model in sides.items()}
        plain_adam(updaters["book"])
        found: dict[str, list[float]] = {name: [] for name in sides}
        for repeat in range(repeats + 1):
            for name, model in sides.items():
                value = mix(step_times(model, updaters[name], repeat, batch), batch)
                if repeat > 0:
                    found[name].append(value)
        rows.append(_row(f"{side} | {base} / {maximum} | {batch} | {repeats}", found))
        print(rows[-1], flush=True)
    rows.append("")


def generation(rows: list[str]) -> None:
    rows += ["## Generation", "", f"CPU seconds per 1,000 images, batch {BATCH}, channels 4096 / 128.", "",
             "| pixels | repeats | textbook, float32 | float32 | ratio | bfloat16 | ratio |", "|--|--|--|--|--|--|--|"]  # fmt: skip
    for side in (32, 64):
        fast = model_of(side, 4096, 128)
        sides: dict[str, tuple[StyleGAN2ADA, torch.dtype]] = {
            "book": (as_textbook(copy.deepcopy(fast)), torch.float32), "fast": (fast, torch.float32)
        }  # fmt: skip
        if bfloat16_is_fast():
            sides["narrow"] = (fast, torch.bfloat16)
        z, label = torch.randn(BATCH, 512), torch.zeros(BATCH, 0)
        noise = [torch.randn(BATCH, *shape) for shape in fast.noise_shapes()[1:]]
        found: dict[str, list[float]] = {name: [] for name in sides}
        for repeat in range(8):
            for name, (model, dtype) in sides.items():
                clock = time.process_time()
                with torch.inference_mode():
                    model.average(z, label, noise, dtype=dtype)
                if repeat > 0:
                    found[name].append((time.process_time() - clock) * 1000 / BATCH)
        rows.append(_row(f"{side} | 7", found))
        print(rows[-1], flush=True)
    rows.append("")


def _row(start: str, found: dict[str, list[float]]) -> str:
    middle = {name: statistics.median(values) for name, values in found.items()}
    text = f"| {start} | {middle['book']:.1f} | {middle['fast']:.1f} | {middle['book'] / middle['fast']:.2f} |"
    if "narrow" in middle:
        return f"{text} {middle['narrow']:.1f} | {middle['book'] / middle['narrow']:.2f} |"
    return f"{text} not measured | – |"


def bfloat16_is_fast() -> bool:
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def pipeline(rows: list[str]) -> None:
    from dermsynth.data.cache import Decoding, decode_images
    from dermsynth.data.order import Order
    from dermsynth.data.phantom import PhantomSettings, draw_parameters, render, write_phantom

    cv2.setNumThreads(1)
    settings = PhantomSettings(64, 64)
    render(draw_parameters(0, settings), settings)
    clock = time.process_time()
    for seed in range(400):
        render(draw_parameters(seed, settings), settings)
    drawn = 400 / (time.process_time() - clock)
    with tempfile.TemporaryDirectory() as folder:
        data = write_phantom(Path(folder) / "p", 2000, settings)
        images = decode_images(data, Decoding(64, 64))
        order = Order(np.zeros(len(images), np.int64))
        order.take(0, 40_000)
        clock = time.perf_counter()
        for start in range(0, 40_000, BATCH):
            images[order.take(start, BATCH)]
        fed = 40_000 / (time.perf_counter() - clock)
    rows += ["## Data", "", "| what | images a second | wanted |", "|--|--|--|",
             f"| phantom, 64 px, one core, seeds 0 to 399 | {drawn:.0f} | 200 |",
             f"| cache to trainer, 64 px, batch {BATCH}, 40,000 of 2,000 images | {fed:,.0f} | 20,000 |", ""]  # fmt: skip
    print(*rows[-3:], sep="\n", flush=True)


def features(rows: list[str]) -> None:
    import scipy.linalg

    from dermsynth.metrics.frechet import frechet_distance

    generator = np.random.default_rng(0)
    x, y = (generator.standard_normal((2000, 768)).astype(np.float32) for _ in range(2))

    def literal() -> float:
        root = scipy.linalg.sqrtm(np.cov(x.T.astype(np.float64)) @ np.cov(y.T.astype(np.float64)))
        return float(root.real.trace())

    sides: dict[str, Callable[[], float]] = {"sqrtm": literal, "eigenvalues": lambda: frechet_distance(x, y)}
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(3):
        for name, function in sides.items():
            clock = time.process_time()
            function()
            found[name].append(time.process_time() - clock)
    middle = {name: statistics.median(values) for name, values in found.items()}
    rows += ["## Evaluation", "", "| what | literal | ours | ratio |", "|--|--|--|--|",
             f"| Frechet distance, 2 x 2,000 x 768, CPU seconds, 3 repeats | {middle['sqrtm']:.2f} (sqrtm) | {middle['eigenvalues']:.2f} | "
             f"{middle['sqrtm'] / middle['eigenvalues']:.2f} |", ""]  # fmt: skip
    print(rows[-2], flush=True)
    rows += [extraction(), ""]
    print(rows[-2], flush=True)


def extraction() -> str:
    """Images of 64 px to features against the network alone on tensors of its size, wall seconds in turn."""
    from dermsynth.backbones.extractors import BATCH, Extractor
    from dermsynth.backbones.mobilenet import MobileNetV2

    network = MobileNetV2().eval()
    extractor = Extractor("mobilenet_v2", "", "antialiased", "", lambda x: network(x / 255), 224)
    images = np.random.default_rng(0).integers(0, 256, (256, 3, 64, 64), dtype=np.uint8)
    batch = torch.rand(BATCH, 3, 224, 224).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(len(images) // BATCH):
                network(batch)

    floor, ours = [], []
    for _ in range(5):
        floor.append(timed(forward))
        ours.append(timed(lambda: extractor(images)))
    share = min(floor) / min(ours)
    return f"| features of 256 images of 64 px, MobileNetV2 at 224, wall seconds, 5 repeats | {min(floor):.2f} (the network alone) | {min(ours):.2f} | {share:.2f} |"


def literal_swd(x: np.ndarray, y: np.ndarray, projections: list[np.ndarray], places: np.ndarray) -> float:
    """Karras et al. 2018, section 5, step by step in numpy and SciPy: mean over levels, times 1000."""
    from scipy import ndimage

    line = np.array([1, 4, 6, 4, 1]) / 16
    kernel = np.outer(line, line)[None, None]

    def halve(image: np.ndarray) -> np.ndarray:
        return ndimage.convolve(image, kernel, mode="mirror")[:, :, ::2, ::2]

    def double(image: np.ndarray) -> np.ndarray:
        wide = np.zeros((*image.shape[:2], image.shape[2] * 2, image.shape[3] * 2), np.float32)
        wide[:, :, ::2, ::2] = image
        return ndimage.convolve(wide, 4 * kernel, mode="mirror")

    def pyramid(images: np.ndarray) -> list[np.ndarray]:
        levels, current = [], images.astype(np.float32)
        while current.shape[2] > 16:
            smaller = halve(current)
            levels.append(current - double(smaller))
            current = smaller
        return [*levels, current]

    found = []
    for a, b in zip(pyramid(x), pyramid(y), strict=True):
        descriptors = []
        for side in (a, b):
            height = side.shape[2] - 6
            rows = (places[..., 0] * height).astype(int), (places[..., 1] * height).astype(int)
            patches = np.stack(
                [
                    side[i, :, r : r + 7, c : c + 7]
                    for i in range(len(side))
                    for r, c in zip(rows[0][i], rows[1][i], strict=True)
                ]
            )
            mean, deviation = patches.mean(axis=(0, 2, 3), keepdims=True), patches.std(axis=(0, 2, 3), keepdims=True)
            descriptors.append(((patches - mean) / deviation).reshape(len(patches), -1))
        for directions in projections:
            one, other = (np.sort(d @ directions, axis=0) for d in descriptors)
            found.append(np.abs(one - other).mean())
    return float(np.mean(found)) * 1000


def timed(function: Callable[[], object]) -> float:
    clock = time.perf_counter()
    function()
    return time.perf_counter() - clock


def metrics(rows: list[str]) -> None:
    """Metrics at the sizes at which they are used: wall seconds, both sides in turn."""
    import resource

    from skimage.metrics import structural_similarity

    from dermsynth.metrics.prdc import manifold
    from dermsynth.metrics.similar_images import luma, most_similar
    from dermsynth.metrics.sliced_wasserstein import sliced_wasserstein

    random = np.random.default_rng(0)
    x, y = (random.integers(0, 256, (2000, 3, 128, 128)).astype(np.uint8) for _ in range(2))
    projections = [random.standard_normal((147, 128)).astype(np.float32) for _ in range(4)]
    projections = [d / np.linalg.norm(d, axis=0) for d in projections]
    places = random.random((2000, 128, 2))
    book, ours = [], []
    for _ in range(2):
        ours.append(timed(lambda: sliced_wasserstein(x, y, seed=0)))
        book.append(timed(lambda: literal_swd(x, y, projections, places)))
    rows += ["## Metrics", "", "| what | straightforward, s | ours, s | ratio |", "|--|--|--|--|",
             f"| SWD, BAUR's protocol, 2 x 2,000 images of 128 px, 2 repeats | {min(book):.1f} (numpy, SciPy) | {min(ours):.1f} | {min(book) / min(ours):.1f} |"]  # fmt: skip
    print(rows[-1], flush=True)
    planes = luma(x[:1])[0], luma(y[:200])
    loop = timed(
        lambda: [
            structural_similarity(
                planes[0], other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
            )
            for other in planes[1]
        ]
    ) * (1000 * 2000 / 200)
    found = timed(lambda: most_similar(x[:1000], y))
    rows.append(
        f"| most similar of 2,000 by SSIM for each of 1,000, 128 px | {loop:.0f} (scikit-image's loop, from 200 pairs, 1 thread) | {found:.1f} | {loop / found:.0f} |"
    )
    print(rows[-1], flush=True)
    a, b = (random.standard_normal((10_000, 768)).astype(np.float32) for _ in range(2))
    near = timed(lambda: manifold(a, b))
    rows.append(f"| precision, recall, density, coverage, 10,000 x 10,000 x 768 | - | {near:.1f} | - |")
    print(rows[-1], flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows += ["", f"Peak of this process, both sides and all sets of images included: {peak:.1f} GiB.", ""]


MEMORY = """
import resource, tempfile
from pathlib import Path
from dermsynth.cli.training import LOOP, Images, Model, configure
from dermsynth.training.loop import train
config, data = configure("stylegan2-ada", "640", Images(), Model(batch=32, set=("ada_initial=0.5",)), LOOP)
with tempfile.TemporaryDirectory() as folder:
    train(Path(folder) / "run", config, data, device="cpu")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def memory(rows: list[str]) -> None:
    result = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    peak = float(result.stdout.split()[-1])
    rows += ["## Memory", "", "| what | GiB | wanted |", "|--|--|--|",
             f"| peak of a training, `laptop` at 64 px, batch 32, 640 images, p = 0.5 | {peak:.2f} | under 3 |", ""]  # fmt: skip
    print(rows[-2], flush=True)


FAMILY = """
import resource, sys, tempfile, time
from pathlib import Path
import torch
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import open_data_set
from dermsynth.data.training_set import Selection
from dermsynth.evaluation.watcher import usual_watchers
from dermsynth.models.inputs import DataRequest
from dermsynth.models.registry import family
from dermsynth.training.data import Plan, configure
from dermsynth.training.loop import Trainer, train
from dermsynth.training.optimisation import Updater
name, side, images, data = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
domains = {"source": "nevus", "target": "melanoma"} if family(name).inputs.translates else {}
request = DataRequest(Decoding(side, side), Selection(conditional=None if domains else False), **domains)
config, chosen = configure(Plan(name, training={"images": images, "snapshot": 4000}), open_data_set(data), request)
first, inside, saving = None, 0.0, []
step, snapshot = Updater.step, Trainer._snapshot
def timed_step(self, pieces, progress):
    global first, inside
    clock = time.perf_counter()
    first = first or clock
    step(self, pieces, progress)
    inside += time.perf_counter() - clock
def timed_snapshot(self):
    clock = time.perf_counter()
    snapshot(self)
    saving.append(time.perf_counter() - clock)
Updater.step, Trainer._snapshot = timed_step, timed_snapshot
if name in ("pgan", "frozen-pggan", "pix2pixhd"):  # measured at full size, after all phases
    small = {"pgan": {"fade_images": 1, "stable_images": 0}, "frozen-pggan": {"phase_images": 1},
             "pix2pixhd": {"coarse_images": 0, "enhancer_images": 0}}[name]
    config = config.model_copy(update={"model": {**config.model, **small}})
with tempfile.TemporaryDirectory() as folder:
    train(Path(folder) / "run", config, chosen, watchers=usual_watchers(config, chosen), device="cpu")
    whole = time.perf_counter() - first  # decoding and the first snapshot lie before the first update
shown = -(-images // config.training.batch) * config.training.batch
rest = max(whole - inside - saving[-1], 0.0) * 1000 / shown
print(config.training.batch, inside * 1000 / shown, rest, saving[-1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def families(rows: list[str]) -> None:
    """Every family's laptop preset through the whole trainer, in a process of its own."""
    from dermsynth.data.phantom import PhantomSettings, write_phantom
    from dermsynth.models.registry import FAMILIES, family

    rows += ["## Families", "", "`laptop` preset, unconditional, 640 images of a phantom (320 for the slowest), at the final size; wall seconds from the first update on.", "",
             "| family | pixels | batch | updates, s per 1,000 | all else but snapshots, s per 1,000 | a snapshot, s | share outside updates, "
             "snapshot every 4k | peak, GiB |", "|--|--|--|--|--|--|--|--|"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        data = {side: Path(folder) / str(side) for side in (64, 128)}
        for side, path in data.items():
            write_phantom(path, 600, PhantomSettings(side, side))
        for name in FAMILIES:
            side = 64 if family(name).inputs.from_noise else 128
            images = "320" if name in ("pgan", "r3gan", "pix2pixhd", "cyclegan", "diffusion") else "640"
            command = [sys.executable, "-c", FAMILY, name, str(side), images, str(data[side])]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            batch, updates, rest, saving, peak = map(float, result.stdout.split()[-5:])
            share = (rest + saving / 4) / (updates + rest + saving / 4)
            rows.append(
                f"| {name} | {side} | {batch:.0f} | {updates:.1f} | {rest:.2f} | {saving:.1f} | {share:.0%} | {peak:.2f} |"
            )
            print(rows[-1], flush=True)
    rows.append("")


def main() -> None:
    keep_freed_memory()
    parts = {
        f.__name__: f
        for f in (
            training,
            strided,
            generation,
            families,
            pipeline,
            files,
            features,
            metrics,
            memory,
            artefacts,
            latents,
        )
    }
    capability = torch.backends.cpu.get_cpu_capability()
    machine = (
        f"{platform.platform()}, {capability}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"bfloat16 {'in hardware' if bfloat16_is_fast() else 'not in hardware: its columns are not measured here'}."
    )
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or list(parts):
        rows = [f"Written by `python -m bench.run {name}`; both sides alternate in one process.", "", machine, ""]
        parts[name](rows)
        (OUT / f"{name}.md").write_text("\n".join(rows).rstrip() + "\n")


if __name__ == "__main__":
    main()
