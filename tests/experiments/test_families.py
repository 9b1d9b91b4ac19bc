"""Families at equal time: lengths measured once, every figure in the table, one page."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.experiments import families
from dermsynth.experiments.steps import Setting, plan, plan_of
from dermsynth.io import read_json, write_json
from dermsynth.training.data import Plan
from tests.conftest import SMALLER


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_phantom(tmp_path_factory.mktemp("families") / "set", 600, PhantomSettings(16, 16), jobs=1)


def _setting(**options: str) -> Setting:
    plans = {"dcgan": plan("dcgan", choices={"features": 8}), "pgan": plan("pgan", choices=SMALLER["pgan"])}
    setting = families.configuration("laptop")
    chosen = {**setting.options, "minutes": "0.01", "seeds": "2", **options}
    return replace(setting, resolution="16", plans=plans, generated=60, options=chosen)


def test_both_families_are_trained_equally_long_and_judged(data_set: DataSet, tmp_path: Path) -> None:
    out, setting = tmp_path / "out", _setting(seeds="1")
    write_json(out / families.LENGTHS, {"minutes": 0.01, "images": {"dcgan": 128, "pgan": 96}})
    result = families.carry_out(setting, data_set, out, "cpu")
    assert [(run.family, run.seed, run.images) for run in result.runs] == [("dcgan", 0, 128), ("pgan", 0, 96)]
    assert all({"SWD mean", "FID-embedded", "coverage-embedded"} <= set(run.figures) for run in result.runs)
    rows = [line for line in result.table if line.startswith(("| dcgan", "| pgan"))]
    assert len(rows) == 2
    assert "| dcgan | 128 |" in rows[0] + rows[1]
    page = (out / "families.html").read_text()
    assert page.count("consecutive seeds") >= 2
    assert "nearest training images" in page
    assert "copying:" in page
    again = families.carry_out(setting, data_set, out, "cpu")
    assert again.runs == result.runs, "a repeated call changes nothing"


def test_seed_by_seed_every_family_has_its_turn(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained and judged elsewhere: here in which order, from which seeds, and what a page says that is not yet whole."""
    notes: list[str] = []

    def judge(setting: Setting, name: str, *_: object) -> tuple[families.FamilyRun, None]:
        value = 10.0 * (1 + setting.seed) + len(name)
        run = families.FamilyRun(
            family=name, seed=setting.seed, images=setting.images, seconds=1.0, flagged=0, generated=60,
            figures={"SWD mean": (value, value - 1, value + 1, 5.0)},
        )  # fmt: skip
        return run, None

    monkeypatch.setattr(families, "_judge", judge)
    monkeypatch.setattr(families, "write_families_report", lambda out, compared, rows, note, real: notes.append(note))
    write_json(tmp_path / families.LENGTHS, {"minutes": 0.01, "images": {"dcgan": 128, "pgan": 96}})
    result = families.carry_out(_setting(), data_set, tmp_path, "cpu")
    assert [(run.family, run.seed, run.images) for run in result.runs] == [
        ("dcgan", 0, 128), ("pgan", 0, 96), ("dcgan", 1, 128), ("pgan", 1, 96),
    ]  # fmt: skip
    rows = [line for line in result.table if line.startswith(("| pgan", "| dcgan"))]
    assert rows[0].startswith("| pgan | 96 (96, 96) | 1 (1, 1) | 19 (14, 24) |")
    assert rows[1].startswith("| dcgan | 128 (128, 128) | 1 (1, 1) | 20 (15, 25) |")
    assert "3 of 4 trainings are done" in notes[2]
    assert "trainings are done" not in notes[3]


def test_lengths_are_measured_and_kept(data_set: DataSet, tmp_path: Path) -> None:
    setting = _setting()
    choices = families._choices(setting.options)
    first = families._lengths(setting, data_set, tmp_path, "cpu", choices)
    assert min(length.images for length in first.values()) >= 100
    assert read_json(tmp_path / families.LENGTHS)["images"] == {name: length.images for name, length in first.items()}
    assert families._lengths(setting, data_set, tmp_path, "cpu", choices) == first
    with pytest.raises(UserError, match="choose another `out`"):
        families._lengths(setting, data_set, tmp_path, "cpu", choices._replace(minutes=5.0))
    others = replace(setting, plans={"lapgan": plan("lapgan"), "dcgan": setting.plans["dcgan"]})
    with pytest.raises(UserError, match=r"measured for 0\.01 minutes and dcgan, pgan; choose another `out`"):
        families._lengths(others, data_set, tmp_path, "cpu", choices)
    write_json(tmp_path / families.LENGTHS, {"minutes": 0.01, "images": {"dcgan": 100, "pgan": 100}})
    with pytest.raises(UserError, match="measured in float32 for dcgan; choose another `out`"):
        families._lengths(setting, data_set, tmp_path, "cpu", choices._replace(precision="bfloat16"))


def test_the_arithmetic_that_shows_more_images_in_the_time_is_taken(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(plans: Mapping[Any, Callable[[int], Plan]], *_: object) -> dict[Any, int]:
        faster = {"dcgan": "bfloat16", "pgan": "float32"}
        return {key: 300 if make(1000).training["precision"] == faster[key[0]] else 200 for key, make in plans.items()}

    monkeypatch.setattr(families, "bfloat16_speed", lambda device: 2.0)
    monkeypatch.setattr(families, "lengths_within", timed)
    setting = _setting()
    lengths = families._lengths(setting, data_set, tmp_path, "cpu", families._choices(setting.options))
    assert lengths == {"dcgan": (300, "bfloat16"), "pgan": (300, "float32")}
    one = families._run_setting(setting, "dcgan", 1, lengths["dcgan"])
    assert plan_of(one, "dcgan-1").training["precision"] == "bfloat16"
    again = families._lengths(setting, data_set, tmp_path, "cpu", families._choices(setting.options))
    assert again == lengths, "written and read"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": "-1"}, "must be above 0"),
        ({"seeds": "two"}, "must be numbers"),
        ({"positive": "melanoma"}, "belong together"),
        ({"precision": "half"}, "must be one of auto, float32, bfloat16"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, str], message: str, data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        families.carry_out(_setting(**options), data_set, tmp_path / "out", "cpu")
