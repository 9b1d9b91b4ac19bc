"""What families are trained on: images without a label, where a family can be shown them."""

import dataclasses

import numpy as np
import pytest

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import Selection
from dermsynth.models.inputs import IMAGES, LABELLED_MAPS, MAPS, PARTLY_LABELLED, DataRequest, Inputs
from dermsynth.models.registry import family


def with_blanks(phantom: DataSet) -> DataSet:
    """Every third image without its label."""
    table = phantom.table.copy()
    table.loc[table.index % 3 == 0, "label"] = ""
    return dataclasses.replace(phantom, table=table)


def request(conditional: bool | None = None) -> DataRequest:
    return DataRequest(Decoding(16, 16), Selection("train", conditional=conditional))


@pytest.mark.parametrize(("inputs", "kept"), [(IMAGES, False), (PARTLY_LABELLED, True), (LABELLED_MAPS, True)])
def test_images_without_a_label_are_shown_where_the_family_can_be_told_nothing(
    phantom: DataSet, inputs: Inputs, kept: bool
) -> None:
    data = with_blanks(phantom)
    images = inputs.training_set(data, request(), 0)
    train = data.part(data.in_split("train"))
    blank = int((train.labels == "").sum())
    assert blank > 5
    assert int((images.labels == -1).sum()) == (blank if kept else 0)
    assert len(images.images) == (len(train.table) if kept else len(train.table) - blank)
    shown = images.labels[images.order.take(0, 4096)]
    assert (shown == -1).mean() == pytest.approx(blank / len(train.table) if kept else 0, abs=0.03)


def test_without_conditions_all_images_are_of_one_kind(phantom: DataSet) -> None:
    images = PARTLY_LABELLED.training_set(with_blanks(phantom), request(conditional=False), 0)
    assert images.classes == ()
    assert not images.labels.any()
    maps = MAPS.training_set(with_blanks(phantom), request(), 0)
    assert maps.classes == ()
    assert np.array_equal(maps.labels, np.zeros(len(maps.labels), np.int64))


def test_the_families_that_can_be_told_nothing() -> None:
    assert family("diffusion").inputs is PARTLY_LABELLED
    assert family("map-diffusion").inputs is LABELLED_MAPS
