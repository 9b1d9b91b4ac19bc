"""A column of numbers that an image shows is regressed; one by lot is not; nonsense is refused."""

from pathlib import Path

import numpy as np
import pytest

from dermsynth.artefacts.classifier import Pooled
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.writing import add_columns
from dermsynth.errors import UserError
from dermsynth.latents.attributes import fit_regressor, scorer


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    made = write_phantom(tmp_path_factory.mktemp("regressor") / "set", 80, PhantomSettings(48, 64), jobs=1)
    brightness = np.asarray(decode_images(made, Decoding(48, 64))).mean(axis=(1, 2, 3))
    lots = np.random.default_rng(0).normal(size=80)
    columns = {"brightness": brightness.round(2).astype(str), "lot": lots.round(3).astype(str)}
    return add_columns(made, {**columns, "one": np.full(80, "1"), "few": np.array(["2"] * 9 + [""] * 71)}, {})


def test_what_an_image_shows_is_regressed_and_lots_are_not(drawn: DataSet, backbone: str) -> None:
    pooled = Pooled(backbone)
    assert fit_regressor(drawn, "brightness", pooled).r2 > 0.7
    assert fit_regressor(drawn, "lot", pooled).r2 < 0.2


def test_it_scores_images_of_any_size(drawn: DataSet, backbone: str) -> None:
    found = scorer(f"column={drawn.folder}:brightness", backbone)
    images = np.asarray(decode_images(drawn, Decoding(24, 32)))
    scores = found.score(images)
    assert np.corrcoef(scores, images.mean(axis=(1, 2, 3)))[0, 1] > 0.8
    assert 0.2 < found.shows(images).mean() < 0.8, "the threshold is the median"
    assert found.identity.startswith("brightness ")


@pytest.mark.parametrize(
    ("column", "line"),
    [("height_of_tower", "no such column; there are: file_name"), ("label", "is no number"),
     ("one", "80 numbers of 1 values"), ("few", "9 numbers of 1 values; at least 50")],
)  # fmt: skip
def test_columns_that_cannot_be_regressed(drawn: DataSet, backbone: str, column: str, line: str) -> None:
    with pytest.raises(UserError, match=line):
        scorer(f"column={drawn.folder}:{column}", backbone)


def test_a_folder_that_is_no_set(backbone: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        scorer(f"column={tmp_path}:age", backbone)


def test_decimal_commas_are_numbers_and_text_is_refused(drawn: DataSet, backbone: str, tmp_path: Path) -> None:
    made, pooled = write_phantom(tmp_path / "set", 60, PhantomSettings(16, 16), jobs=1), Pooled(backbone)
    dots = np.array([f"{number}.5" for number in range(60)])
    columns = {"dot": dots, "comma": np.char.replace(dots, ".", ","), "text": np.array(["about 5", *dots[1:]])}
    data_set = add_columns(made, columns, {})
    assert fit_regressor(data_set, "comma", pooled).median == fit_regressor(data_set, "dot", pooled).median == 30
    with pytest.raises(UserError, match=r"`score` column=.*:text: row 2 .*'about 5' is no number"):
        fit_regressor(data_set, "text", pooled)
