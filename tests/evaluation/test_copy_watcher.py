"""The copy gate that watches a training: quiet over new images, red over repeated ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.training_set import TrainingSet
from dermsynth.evaluation.copy_detection import gate_light
from dermsynth.evaluation.copy_watcher import FLAGGED, _held_out, copy_watcher
from dermsynth.evaluation.watcher import SLOWLY_WATCHED, requests, usual_watchers
from dermsynth.io import read_json_lines
from dermsynth.training import checkpoints
from dermsynth.training.config import RunConfig
from dermsynth.training.loop import train
from dermsynth.training.optimisation import TrainingStopped
from dermsynth.training.snapshot import Snapshot
from tests.conftest import tiny_config

Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_phantom(tmp_path_factory.mktemp("phantom") / "set", 300, PhantomSettings(32, 32), jobs=1)


@pytest.fixture(scope="module")
def chosen(large: DataSet) -> tuple[RunConfig, TrainingSet]:
    return tiny_config(large, recipe="diffusion", images=16, snapshot=8)


def snapshot(images: Images) -> Snapshot:
    return Snapshot(8, lambda seeds, labels: images[: len(seeds)], lambda images, labels: None)


def test_repeated_images_end_the_training_and_others_do_not(
    large: DataSet, chosen: tuple[RunConfig, TrainingSet]
) -> None:
    config, training = chosen
    seeds, labels = requests(training.labels, 40)
    (watcher,) = copy_watcher(config, training, seeds, labels)
    rows = large.part(~large.in_split("train"))
    new = np.asarray(decode_images(rows, Decoding(config.data.height, config.data.width)))[:40]
    figures = watcher(snapshot(new))
    assert figures[FLAGGED] < 20
    assert watcher.alarm(figures) is None
    copies = np.concatenate([np.asarray(training.images[:15])[:, :, :, ::-1], new[:25]])
    figures = watcher(snapshot(copies))
    assert figures[FLAGGED] >= 100 * 15 / 40
    assert str(watcher.alarm(figures)).startswith("copies: 1")


def test_the_light_is_the_verdicts() -> None:
    assert gate_light(3, 256, 300, 0.01) == "green"
    assert gate_light(10, 256, 300, 0.01) == "amber"
    assert gate_light(20, 256, 300, 0.01) == "red"
    assert gate_light(5, 20, 20, 0.05) == "amber", "few held-out images leave the rate open"


def test_a_training_ends_at_copies_and_keeps_the_checkpoint_before(
    chosen: tuple[RunConfig, TrainingSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, training = chosen

    def repeat(model: object, seeds: Sequence[int], labels: Sequence[int], **rest: object) -> Images:
        return np.asarray(training.images[np.asarray(seeds) % len(training.images)])

    watchers = usual_watchers(config, training)
    shorter = config.training.model_copy(update={"images": 8})
    train(tmp_path / "run", config.model_copy(update={"training": shorter}), training, device="cpu")
    monkeypatch.setattr("dermsynth.training.snapshot.sample_images", repeat)
    with pytest.raises(TrainingStopped, match=r"copies: \d+ of \d+ generated images lie closer to a training image"):
        train(tmp_path / "run", config, training, watchers=watchers, device="cpu")
    assert checkpoints.find(tmp_path / "run").images == 8
    last = [line["metrics"] for line in read_json_lines(tmp_path / "run" / "log.jsonl") if "metrics" in line][-1]
    assert last[FLAGGED] > 50


def test_images_are_generated_once_for_all_watchers(chosen: tuple[RunConfig, TrainingSet]) -> None:
    config, training = chosen
    asked = []

    def generate(seeds: Sequence[int], labels: Sequence[int]) -> Images:
        asked.append((tuple(seeds), tuple(labels)))
        return np.asarray(training.images[: len(seeds)])

    for watcher in usual_watchers(config, training):
        watcher(Snapshot(8, generate, lambda images, labels: None))
    assert len(asked) == 2
    assert len(set(asked)) == 1
    assert len(asked[0][0]) == min(SLOWLY_WATCHED, len(training.images))


def test_an_excluded_class_is_on_neither_side(
    large: DataSet, chosen: tuple[RunConfig, TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the other splits have no image of it, as of a class of four images."""
    label, training_rows = "seborrheic_keratosis", large.in_split("train")
    rare = large.part((large.labels != label) | training_rows)
    monkeypatch.setattr("dermsynth.evaluation.copy_watcher.open_data_set", lambda folder: rare)
    config, training = chosen
    settings = config.data.model_copy(update={"exclude": (label,)})
    expected = decode_images(large.part(~training_rows & (large.labels != label)), Decoding(16, 16))
    held_out = _held_out(settings, training)
    assert 20 <= len(held_out) <= len(expected)
    assert {image.tobytes() for image in held_out} <= {image.tobytes() for image in np.asarray(expected)}


def test_without_held_out_images_it_says_so(large: DataSet, caplog: pytest.LogCaptureFixture) -> None:
    config, training = tiny_config(large, recipe="diffusion")
    everything = config.model_copy(update={"data": config.data.model_copy(update={"split": "all"})})
    assert copy_watcher(everything, training, [0], [0]) == []
    assert "copies are not looked for while training" in caplog.text
    assert "0 held-out images, at least 20 are needed" in caplog.text


def test_families_that_do_not_ask_are_not_watched_for_copies(phantom: DataSet) -> None:
    config, training = tiny_config(phantom, recipe="dcgan")
    images = np.asarray(training.images)
    figures = [
        watcher(Snapshot(8, lambda seeds, labels: images[np.asarray(seeds) % len(images)], lambda x, labels: None))
        for watcher in usual_watchers(config, training)
    ]
    assert not any(FLAGGED in found for found in figures)
