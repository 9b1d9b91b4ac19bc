"""Every experiment on a phantom, small enough to take seconds; what a person reads is in the files it writes."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.experiments import (
    EXPERIMENTS,
    baur,
    bissoto_maps,
    furger_overfitting,
    furger_truncation,
    lunagariya_curves,
)
from dermsynth.experiments.steps import check, details, plan
from dermsynth.images import read_image
from dermsynth.io import read_json
from dermsynth.models import pgan
from dermsynth.models.layers.shapes import parse_shape
from dermsynth.training.data import resolve
from tests.conftest import SMALLER

NARROW = {"multiscale": plan("multiscale", choices={"generator_features": 16, "discriminator_features": 4})}


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_phantom(tmp_path_factory.mktemp("experiments") / "set", 200, PhantomSettings(16, 16), jobs=1)


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
@pytest.mark.parametrize("size", ["laptop", "paper"])
def test_every_configuration_is_complete_and_can_be_trained(name: str, size: str) -> None:
    """Each plan resolves at its size: family, preset, choices and shape fit."""
    module = importlib.import_module(EXPERIMENTS[name])
    assert size in module.SIZES
    setting = module.configuration(size)
    for each in setting.plans.values():
        resolve(replace(each, training={"images": setting.images, **each.training}), parse_shape(setting.resolution))
    text = module.configuration.__doc__
    for each in setting.plans.values():
        if each.family == "pgan":
            grown = pgan.PGAN.phase
            shape = parse_shape(setting.resolution)
            phases = pgan.Config(**pgan.PGAN.phases_within(setting.images, shape))  # type: ignore[arg-type]
            model = type("Grown", (), {"config": phases, "shape": shape})()
            assert grown(model, setting.images * 3 // 4) == (shape.doublings, 1.0), "fully grown well before the end"
    assert f"dermsynth experiment {name}" in text
    assert "CPU cores" in text


def test_baurs_length_is_three_million_minibatches_of_eight() -> None:
    setting = baur.configuration("paper")
    assert (setting.images, setting.generated) == (24_000_000, 10_000)
    for name in ("dcgan", "lapgan"):
        assert resolve(replace(setting.plans[name], training={"images": 1}), parse_shape("256"))[1].batch == 8
    grown, _ = resolve(replace(setting.plans["pgan"], training={"images": 1}), parse_shape("256"))
    assert (grown.fade_images, grown.stable_images) == (800_000, 800_000)  # type: ignore[attr-defined]


def test_baurs_comparison_ranks_by_swd_and_states_floor_and_n(data_set: DataSet, tmp_path: Path) -> None:
    plans = {"dcgan": plan("dcgan", choices={"features": 8}), "pgan": plan("pgan", choices=SMALLER["pgan"])}
    setting = replace(baur.configuration("laptop"), resolution="16", images=96, plans=plans, generated=60)
    result = baur.carry_out(setting, data_set, tmp_path / "out", "cpu")
    metrics = {row.name for row in result.measurements}
    assert {"SWD mean", "SWD 16 px", "FID-embedded", "KID-embedded x 1000"} <= metrics
    text = (tmp_path / "out" / "results.md").read_text().splitlines()
    means = {row.run: row.value for row in result.measurements if row.name == "SWD mean"}
    assert [line.split("|")[1].strip() for line in text[2:4]] == sorted(means, key=means.__getitem__)
    assert text[4].startswith("| real against real | ")
    assert "60 synthetic against" in text[6]
    for name, rows in (("samples.png", 3), ("details.png", 3), ("walks.png", 2)):
        assert read_image(tmp_path / "out" / name).shape[0] == 2 * (rows * 16 + (rows - 1) * 2)
    saved = read_json(tmp_path / "out" / "results.json")
    assert set(saved["runs"]) == {"dcgan", "pgan"}
    assert saved["runs"]["dcgan"]["training"]["images"] == 96
    before = (
        (tmp_path / "out" / "runs" / "dcgan" / "checkpoints" / "000000096" / "network.safetensors").stat().st_mtime_ns
    )
    again = baur.carry_out(setting, data_set, tmp_path / "out", "cpu")
    assert again.measurements == result.measurements
    after = (
        (tmp_path / "out" / "runs" / "dcgan" / "checkpoints" / "000000096" / "network.safetensors").stat().st_mtime_ns
    )
    assert before == after, "a finished run is not trained again"


def test_furgers_sweep_covers_every_threshold(data_set: DataSet, tmp_path: Path) -> None:
    setting = replace(furger_truncation.configuration("laptop"), resolution="16", images=32, plans=NARROW, generated=60)
    result = furger_truncation.carry_out(setting, data_set, tmp_path / "out", "cpu")
    fid = {row.threshold: row.value for row in result.measurements if row.name.startswith("FID")}
    assert set(fid) == {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, None}
    assert result.best_threshold == min(fid, key=fid.__getitem__)
    assert (tmp_path / "out" / "fid.svg").read_text().startswith("<svg")
    assert read_image(tmp_path / "out" / "thresholds.png").shape[0] == 10 * 18 - 2


def test_furgers_curves_and_neighbours_are_drawn(data_set: DataSet, tmp_path: Path) -> None:
    setting = replace(furger_overfitting.configuration("laptop"), resolution="16", images=64, plans=NARROW, generated=4)
    result = furger_overfitting.carry_out(setting, data_set, tmp_path / "out", "cpu")
    assert set(result.confidence) >= {"D(training)", "D(held-out)", "D(generated)"}
    assert len(result.ssim_of_nearest) == 4
    assert 0 <= result.share_where_ssim_finds_a_more_similar_image_than_mse <= 1


def test_bissotos_rows_stand_beside_their_maps(tmp_path: Path) -> None:
    data = write_phantom(tmp_path / "set", 60, PhantomSettings(32, 32), jobs=1)
    plans = {
        "dcgan": plan("dcgan", choices={"features": 8}),
        "semantic": plan("pix2pixhd", choices=SMALLER["pix2pixhd"]),
        "semantic and instance": plan("pix2pixhd", choices=SMALLER["pix2pixhd"]),
    }
    setting = replace(bissoto_maps.configuration("laptop"), resolution="32", images=48, plans=plans)
    result = bissoto_maps.carry_out(setting, data, tmp_path / "out", "cpu")
    assert result.rows == ["dcgan", "semantic", "map", "real", "semantic and instance"]
    assert read_json(tmp_path / "out" / "results.json")["runs"]["semantic and instance"]["data"]["superpixels"] is True
    assert set(result.mean_absolute_difference_to_the_maps_image) == {"semantic", "semantic and instance"}


def test_lunagariyas_curves_come_phase_by_phase(data_set: DataSet, tmp_path: Path) -> None:
    plans = {"frozen-pggan": plan("frozen-pggan", choices={"phases": 2, "phase_images": 48, "features": 8})}
    setting = replace(lunagariya_curves.configuration("laptop"), resolution="16", images=1024, plans=plans)
    result = lunagariya_curves.carry_out(setting, data_set, tmp_path / "out", "cpu")
    assert set(result.losses["frozen-pggan"]) == {"8", "16"}
    assert (tmp_path / "out" / "frozen-pggan-8.svg").exists()
    assert (tmp_path / "out" / "frozen-pggan-16.svg").exists()


def test_details_are_the_middle_enlarged() -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 3, 16, 24), np.uint8)
    found = details(images)
    assert found.shape == images.shape
    assert (found[:, :, ::2, ::2] == images[:, :, 4:12, 6:18]).all()


def test_what_is_missing_is_told_before_the_first_training(tmp_path: Path) -> None:
    """Maps need masks: said before DCGAN and PGAN have been trained for hours."""
    data = write_phantom(tmp_path / "set", 40, PhantomSettings(32, 32), jobs=1)
    bare = DataSet(data.folder, data.table.drop(columns=["mask_file_name", "structures"]), data.description)
    with pytest.raises(UserError, match="none of its images has a mask"):
        check(replace(bissoto_maps.configuration("laptop"), resolution="32"), bare)
