"""Speed of looking for artefacts, removing them, and moving latents: sizes and targets as users meet them."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from dermsynth.artefacts.detection import detect
from dermsynth.artefacts.fill import fill_hole
from dermsynth.artefacts.removal import Removal, remove_artefacts
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.images import read_image

IMAGES, MOVES, POINTS = 200, 60, 2048


def median_ms(function: Callable[[int], object], count: int) -> float:
    """CPU milliseconds of this thread, the median of `count` calls after one that is not counted."""
    function(0)
    times = []
    for number in range(count):
        start = time.thread_time()
        function(number)
        times.append(1000 * (time.thread_time() - start))
    return statistics.median(times)


def artefacts(rows: list[str]) -> None:
    """One core, 256 x 192 pixels, drawn images with artefacts at their usual rates."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        made = write_phantom(Path(folder) / "set", IMAGES, PhantomSettings(192, 256))
        images = [read_image(path) for path in made.paths]
    found = [detect(image) for image in images]
    hairy = [i for i, one in enumerate(found) if one["hair"].mask.any()] or [0]
    hole = found[hairy[0]]["hair"].mask
    rows += ["## Artefacts", "", f"CPU milliseconds an image, median of {IMAGES} drawn images of 256 x 192 pixels, one core.", "",
             "| what | ms | images a second | wanted |", "|--|--|--|--|"]  # fmt: skip
    removal = Removal({"hair": "telea"})
    parts: list[tuple[str, Callable[[int], object], int, str]] = [
        ("all six kinds detected", lambda i: detect(images[i]), IMAGES, "60"),
        ("frames alone", lambda i: detect(images[i], ("frame",)), IMAGES, "-"),
        (
            "hair found and removed, telea",
            lambda i: remove_artefacts(images[hairy[i % len(hairy)]], None, removal),
            60,
            "30",
        ),
        ("hair removed, telea, mask known", lambda i: fill_hole(images[hairy[0]], hole, "telea", ~hole, 0), 60, "30"),
        ("hair removed, fsr, mask known", lambda i: fill_hole(images[hairy[0]], hole, "fsr", ~hole, 0), 3, "-"),
    ]
    for name, function, count, wanted in parts:
        ms = median_ms(function, count)
        rows.append(f"| {name} | {ms:.1f} | {1000 / ms:.1f} | {wanted} |")
        print(rows[-1], flush=True)
    rows.append("")


def latents(rows: list[str]) -> None:
    """A laptop StyleGAN2-ADA of 64 pixels; wall seconds on all cores; weights do not matter to speed."""
    from dermsynth.api.training import configure
    from dermsynth.explore.explorer import Explorer, Move
    from dermsynth.latents.attributes import scorer
    from dermsynth.latents.directions import pca_directions, sefa_directions
    from dermsynth.latents.samples import sample_scores
    from dermsynth.latents.space import space_of
    from dermsynth.sampling.generator import load_generator
    from dermsynth.training.loop import train

    with tempfile.TemporaryDirectory() as folder:
        config, shown = configure("stylegan2-ada", None, 16)
        train(Path(folder) / "run", config, shown, device="cpu")
        space, seen = space_of(load_generator(Path(folder) / "run")), scorer("frame")
        labels = space.generator.model.targets()
        start = time.perf_counter()
        samples = sample_scores(
            space, seen, Path(folder) / "samples", count=POINTS, first_seed=0, labels=labels, truncation=None
        )
        sampling = (time.perf_counter() - start) * 20_000 / POINTS
        start = time.perf_counter()
        sefa_directions(space, 10, None, samples.points)
        sefa = time.perf_counter() - start
        directions = {one.name: one for one in pca_directions(samples.points, 5)}
        explorer = Explorer(space, directions, [seen, scorer("hair")], None)
        times = []
        for number in range(MOVES):
            move = Move(number, (explorer.classes or ("",))[0], None, (("pca0", 1.0), ("pca1", -0.5)))
            start = time.perf_counter()
            explorer.pair(move)
            times.append(1000 * (time.perf_counter() - start))
    slow = float(np.quantile(times[1:], 0.95))
    rows += ["## Latents", "", "64 pixels, laptop preset, wall seconds.", "", "| what | found | wanted |", "|--|--|--|",
             f"| 20,000 points with images and scores, from {POINTS} | {sampling / 60:.1f} min | 10 min |",
             f"| ten directions of SeFa | {sefa:.3f} s | 1 s |",
             f"| a move of the sliders, two scores: median, 95 % ({MOVES} moves) | {statistics.median(times[1:]):.0f} ms, {slow:.0f} ms | 300 ms |", ""]  # fmt: skip
    print("\n".join(rows[-4:]), flush=True)
