"""Families at equal time: lengths measured once, every figure in the table, one page."""

from dataclasses import replace
from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.experiments import families
from dermsynth.experiments.steps import Setting, plan
from dermsynth.io import read_json, write_json
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
    out = tmp_path / "out"
    write_json(out / families.LENGTHS, {"minutes": 0.01, "images": {"dcgan": 128, "pgan": 96}})
    result = families.carry_out(_setting(), data_set, out, "cpu")
    assert [(run.family, run.seed, run.images) for run in result.runs] == [
        ("dcgan", 0, 128), ("pgan", 0, 96), ("dcgan", 1, 128), ("pgan", 1, 96),
    ]  # fmt: skip
    assert all({"SWD mean", "FID-embedded", "coverage-embedded"} <= set(run.figures) for run in result.runs)
    rows = [line for line in result.table if line.startswith(("| dcgan", "| pgan"))]
    assert len(rows) == 2
    assert "128 (128, 128)" in rows[0] + rows[1]
    page = (out / "families.html").read_text()
    assert page.count("consecutive seeds") >= 4
    assert "nearest training images" in page
    assert "copying:" in page
    again = families.carry_out(_setting(), data_set, out, "cpu")
    assert again.runs == result.runs, "a repeated call changes nothing"


def test_lengths_are_measured_and_kept(data_set: DataSet, tmp_path: Path) -> None:
    setting = _setting()
    first = families._lengths(setting, data_set, tmp_path, "cpu", 0.01)
    assert min(first.values()) >= 100
    assert read_json(tmp_path / families.LENGTHS)["images"] == first
    assert families._lengths(setting, data_set, tmp_path, "cpu", 0.01) == first
    with pytest.raises(UserError, match="choose another `out`"):
        families._lengths(setting, data_set, tmp_path, "cpu", 5.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": "-1"}, "must be above 0"),
        ({"seeds": "two"}, "must be numbers"),
        ({"positive": "melanoma"}, "belong together"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, str], message: str, data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        families.carry_out(_setting(**options), data_set, tmp_path / "out", "cpu")
