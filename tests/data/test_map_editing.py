from pathlib import Path

import numpy as np
import pytest

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.map_editing import bend, bending_field, edit_maps, identity, with_markers
from dermsynth.data.maps import LAYERS, MapSettings, decode_maps, layer_names
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.images import read_image


@pytest.fixture(scope="module")
def structured(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_phantom(tmp_path_factory.mktemp("maps") / "set", 30, PhantomSettings(48, 64), jobs=1)


def test_the_identity_changes_nothing_and_a_field_adds_no_values() -> None:
    values = np.random.default_rng(0).integers(0, 7, (40, 56), np.uint8)
    assert (bend(values, identity(values.shape)) == values).all()
    for seed in range(20):
        found = bend(values, bending_field(values.shape, np.random.default_rng(seed)))
        assert found.shape == values.shape
        assert set(np.unique(found)) <= set(range(7))


def test_a_field_neither_empties_nor_tears_a_lesion() -> None:
    y, x = np.mgrid[:64, :64] - 31.5
    disc = (np.hypot(y, x) < 16).astype(np.uint8)
    for seed in range(20):
        found = bend(disc, bending_field(disc.shape, np.random.default_rng(seed)))
        assert 0.4 < found.sum() / disc.sum() < 2.2


def test_markers_fall_into_the_lesion_only() -> None:
    base, other = np.zeros((8, 8), np.uint8), np.full((8, 8), 3, np.uint8)
    base[2:6, 2:6] = 2
    other[0:4] = 1
    found = with_markers(base, other)
    assert ((found > 0) == (base > 0)).all()
    assert (found[2:4, 2:6] == 1).all()
    assert (found[4:6, 2:6] == 3).all()


def test_new_maps_are_a_function_of_the_seed_and_belong_to_no_image(structured: DataSet, tmp_path: Path) -> None:
    made = edit_maps(structured, tmp_path / "a", 12, split="all", superpixels=True, jobs=1)
    again = edit_maps(structured, tmp_path / "b", 4, split="all", superpixels=True, seed=3, jobs=1)
    for one, other in zip(made.table["map_file_name"][3:7], again.table["map_file_name"], strict=True):
        assert (read_image(made.folder / one) == read_image(again.folder / other)).all()
    assert layer_names(made) == LAYERS
    settings = MapSettings(LAYERS, superpixels=True)
    edited, real = (decode_maps(data, Decoding(48, 64), settings) for data in (made, structured))
    assert edited[:, 1].any(axis=(1, 2)).all()
    known = {values.tobytes() for values in np.asarray(real[:, 0])}
    assert not any(values.tobytes() in known for values in np.asarray(edited[:, 0]))
    assert (made.table["lesion_from"] != made.table["markers_from"]).all()
    assert set(made.table["lesion_from"]) <= set(structured.table["file_name"])


def test_only_maps_of_the_split_are_used(structured: DataSet, tmp_path: Path) -> None:
    table = structured.table.assign(split=["train"] * 20 + ["test"] * 10)
    made = edit_maps(DataSet(structured.folder, table, structured.description), tmp_path / "a", 10, jobs=1)
    used = {*made.table["lesion_from"], *made.table["markers_from"]}
    assert used <= set(structured.table["file_name"][:20])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"count": 0}, "`count` 0"),
        ({"count": 2, "split": "validation"}, "0 images with masks in the split 'validation'"),
        ({"count": 2, "seed": -1}, "`seed` -1"),
    ],
)
def test_what_cannot_be_made_is_refused(
    structured: DataSet, tmp_path: Path, options: dict[str, object], text: str
) -> None:
    split = DataSet(structured.folder, structured.table.assign(split="train"), structured.description)
    with pytest.raises(UserError, match=text):
        edit_maps(split, tmp_path / "a", **{"jobs": 1, **options})  # type: ignore[arg-type]
    assert not (tmp_path / "a").exists()
