"""Views hide what their names say, for all arms alike; without masks there is one clear line."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.results import USEFULNESS
from dermsynth.images import encode_png
from dermsynth.io import read_json, write_bytes
from dermsynth.report.utility_report import write_utility_report
from dermsynth.utility.classifier import WEIGHTS
from dermsynth.utility.experiment import read_result
from dermsynth.utility.usefulness import utility
from dermsynth.utility.views import GREY, Look, lesion_masks, look_of, see

SIDE = 20
FILL = np.array([7, 8, 9], np.uint8)


def lesion(side: int = SIDE) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    cv2.circle(mask, (side // 2, side // 2), side // 5, 1, -1)
    return mask.astype(bool)


def drawn(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(100, 200, (count, 3, SIDE, SIDE), dtype=np.uint8)


def masks(count: int = 2) -> np.ndarray:
    return np.stack([lesion()] * count)


def test_lesion_and_background_hide_one_another() -> None:
    images = drawn()
    only, without = (see(images, view, masks(), FILL) for view in ("lesion", "background"))
    inside = np.broadcast_to(masks()[:, None], images.shape)
    assert np.array_equal(only[inside], images[inside])
    assert (only.transpose(0, 2, 3, 1)[~masks()] == FILL).all()
    assert (without.transpose(0, 2, 3, 1)[masks()] == FILL).all()
    hidden = (without != images).any(axis=1)
    assert hidden.sum() > masks().sum()
    assert hidden[0, 0].sum() == 0


def test_a_box_has_no_shape() -> None:
    images = drawn()
    hidden = (see(images, "box", masks(), FILL) == FILL[None, :, None, None]).all(axis=1)[0]
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    assert hidden[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert (rows[0], rows[-1]) == (SIDE // 2 - SIDE // 5 - 1, SIDE // 2 + SIDE // 5 + 1)


def test_low_and_high_pass_share_the_image() -> None:
    images = drawn()
    low, high = (see(images, view).astype(int) for view in ("low-pass", "high-pass"))
    assert np.abs(low + high - GREY - images).max() <= 1
    assert low.std() < 0.7 * images.std()
    assert see(images, "whole") is images


def write_set(folder: Path, splits: list[str], *, with_masks: bool, **facts: object) -> DataSet:
    """Melanomas have a bright corner: the label shows without the lesion."""
    random, rows = np.random.default_rng(len(splits)), []
    for k, split in enumerate(splits):
        label = ("melanoma", "nevus")[k % 2]
        pixels = random.integers(90, 130, (SIDE, SIDE, 3), dtype=np.uint8)
        pixels[:4, :, 0] += 90 * np.uint8(label == "melanoma")
        write_bytes(folder / f"images/{k}.png", encode_png(pixels))
        row = {"file_name": f"images/{k}.png", "label": label} | ({"split": split} if split else {})
        if with_masks:
            row["mask_file_name"] = f"masks/{k}.png"
            write_bytes(
                folder / row["mask_file_name"], encode_png(np.repeat(lesion()[..., None] * np.uint8(255), 3, 2))
            )
        rows.append(row)
    return write_data_set(folder, pd.DataFrame(rows), Provenance.model_validate(facts), Step(command="test"))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DataSet]:
    place = tmp_path_factory.mktemp("views")
    splits = [("train", "train", "validation", "test")[k // 2 % 4] for k in range(96)]
    real = write_set(place / "real", splits, with_masks=True, synthetic=False)
    origin = {"synthetic": True, "generator": {"data_hash": real.content_hash, "split": "train"}}
    return {
        "real": real,
        "synthetic": write_set(place / "synthetic", [""] * 40, with_masks=False, **origin),
        "masked": write_set(place / "masked", [""] * 40, with_masks=True, **origin),
    }


def run(sets: dict[str, DataSet], synthetic: str, out: Path, **choices: object) -> str:
    result = utility(sets[synthetic], sets["real"], out=out, positive="melanoma", negative="nevus", repeats=1, images=320,
                     batch=16, learning_rate=0.01, **choices)  # type: ignore[arg-type]  # fmt: skip
    return result.view_text


def test_the_label_shows_without_the_lesion(sets: dict[str, DataSet], tmp_path: Path) -> None:
    text = run(sets, "masked", tmp_path / "box", arms=["real", "mixed=0.5"], view="box")
    assert text.startswith("View 'box': all arms, validation and test sets show everything but the rectangle")
    assert "Of this the label can still be told: real images alone, AUC" in text
    result = read_result(tmp_path / "box")
    assert (result.settings.view, result.view_text) == ("box", text)
    assert not (tmp_path / "box" / USEFULNESS).exists()
    assert not (tmp_path / "box" / WEIGHTS).exists()
    page = write_utility_report(tmp_path / "box", result, "dermsynth utility").read_text()
    assert "everything but the rectangle" in page
    with pytest.raises(UserError, match="begun with another view"):
        run(sets, "masked", tmp_path / "box", arms="real")


def test_a_view_that_needs_masks_says_so(sets: dict[str, DataSet], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`view` lesion: 40 of 40 images of .*synthetic have no lesion mask"):
        run(sets, "synthetic", tmp_path / "out", view="lesion")
    text = run(sets, "synthetic", tmp_path / "real", arms="real", view="lesion")
    assert "no evidence that the label can be told" in text
    assert read_result(tmp_path / "real").trained_on_real_tested_on_synthetic is None
    with pytest.raises(UserError, match="`view` 'corner'"):
        run(sets, "masked", tmp_path / "other", view="corner")


def test_whole_images_are_as_before(sets: dict[str, DataSet], tmp_path: Path) -> None:
    assert run(sets, "masked", tmp_path / "whole", arms="real") == ""
    assert "view" not in read_json(tmp_path / "whole" / "settings.json")
    assert (tmp_path / "whole" / USEFULNESS).exists()


def test_what_is_hidden_has_one_colour_in_all_sets(sets: dict[str, DataSet]) -> None:
    decoding = Decoding(SIDE, SIDE)
    look = look_of("box", decoding, sets["real"])
    assert look.fill == tuple(sets["real"].images(SIDE).mean(axis=(0, 1, 2)).round().astype(int))
    middle = look.images(sets["masked"])[:, :, SIDE // 2, SIDE // 2]
    assert (middle == look.fill).all()
    assert lesion_masks(sets["real"], decoding, "box").sum() == 96 * lesion().sum()
    assert Look(decoding).images(sets["real"]).shape == (96, 3, SIDE, SIDE)
