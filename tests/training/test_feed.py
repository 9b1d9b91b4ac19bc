"""Batches that come from the device's own memory, or from a thread, are those that are taken one by one."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import TrainingSet
from dermsynth.models.base import Batch
from dermsynth.models.registry import FAMILIES
from dermsynth.models.sampler import make_batch
from dermsynth.rng import Draws
from dermsynth.training import feed
from dermsynth.training.feed import BLOCK, ResidentFeed, StreamedFeed, feed_of
from tests.conftest import tiny_config

CPU = torch.device("cpu")
DRAWS = Draws.for_step(CPU, 0, total=8, start=0, count=8)


def _same(one: Batch, other: Batch) -> None:
    assert one.draws is other.draws
    for field in fields(Batch):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "domains" and mine is not None:
            for key, value in vars(mine).items():
                assert torch.equal(value, getattr(theirs, key)), key
        elif isinstance(mine, torch.Tensor):
            assert torch.equal(mine, theirs), field.name
            assert mine.dtype == theirs.dtype
            assert mine.stride() == theirs.stride()
        else:
            assert mine is theirs or field.name == "draws"


def _expected(data: TrainingSet, start: int, count: int) -> Batch:
    return make_batch(data.take(start, count), len(data.classes), DRAWS, CPU)


@pytest.mark.parametrize("name", ["stylegan2-ada", "map-diffusion", "pix2pixhd", "cyclegan", "residual-translation"])
@pytest.mark.parametrize("kind", [ResidentFeed, StreamedFeed])
def test_batches_are_those_taken_one_by_one(
    name: str, kind: type[ResidentFeed] | type[StreamedFeed], phantom: DataSet
) -> None:
    assert name in FAMILIES
    _, data = tiny_config(phantom, recipe=name)
    source = kind(data, CPU)
    for start, count in ((0, 8), (8, 8), (16, 8), (20, 4), (BLOCK - 3, 8), (BLOCK + 5, 8), (3, 1), (3 * BLOCK - 1, 2)):
        _same(source.batch(start, count, DRAWS), _expected(data, start, count))


@given(st.integers(0, 3 * BLOCK), st.integers(1, 64))
@settings(max_examples=30, deadline=None)
def test_any_place_of_the_order(start: int, count: int) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 3, 8, 8), np.uint8), rng.integers(-1, 3, 30)
    data = TrainingSet(images, labels, ("a", "b", "c"), feed.Order(labels, seed=1), "")
    _same(ResidentFeed(data, CPU).batch(start, count, DRAWS), _expected(data, start, count))


def test_images_are_shared_with_the_memory_map(phantom: DataSet) -> None:
    _, data = tiny_config(phantom)
    assert not data.images.flags.writeable
    assert ResidentFeed(data, CPU).arrays["images"].data_ptr() == data.images.ctypes.data


def test_images_that_do_not_fit_are_read_beside_the_step(
    phantom: DataSet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, data = tiny_config(phantom)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (data.images.nbytes, data.images.nbytes))
    caplog.set_level("INFO")
    assert isinstance(feed_of(data, torch.device("cuda")), StreamedFeed)
    assert "read beside the step" in caplog.text


def test_the_next_batch_is_gathered_ahead(phantom: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The places of a process among four, which takes every fourth eight."""
    _, data = tiny_config(phantom)
    source, asked = StreamedFeed(data, CPU), []
    gather = source._gather
    monkeypatch.setattr(source, "_gather", lambda start, count: asked.append(start) or gather(start, count))
    for start in (0, 32, 64, 96):
        source.batch(start, 8, DRAWS)
    source._pool.shutdown()
    assert asked[-3:] == [64, 96, 128], "what comes next was gathered before it was asked for"
    assert asked.count(96) == 1
