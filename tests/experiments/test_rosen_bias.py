"""ROSEN's suite in miniature, on a phantom in which frames go with melanomas."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.experiments import rosen_bias
from dermsynth.experiments.rosen_sets import first, most_correlated
from dermsynth.experiments.steps import Setting, chosen_options, plan
from dermsynth.images import read_image
from dermsynth.io import read_json
from dermsynth.latents.directions import pca_directions
from dermsynth.latents.samples import Samples
from tests.conftest import TINY


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    settings = PhantomSettings(32, 32, artefact="frame", tied_to="melanoma", correlation=0.9)
    return write_phantom(tmp_path_factory.mktemp("rosen") / "set", 400, settings, jobs=1)


def miniature(**options: str) -> Setting:
    setting = rosen_bias.configuration("laptop")
    small = {"images": "640", "repeats": "2", "points": "512", "target": "frame@0.2", **options}
    return replace(
        setting, resolution="32", images=96, generated=30, plans={"cgan": plan("stylegan2-ada", choices=TINY)},
        options={**setting.options, **small},
    )  # fmt: skip


@pytest.mark.slow
def test_the_whole_suite(data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosen_bias, "STEPS", (-2.0,))
    out = tmp_path / "out"
    result = rosen_bias.carry_out(miniature(), data_set, out, "cpu")
    rows = {row.set: row for row in result.amplification}
    assert list(rows)[:3] == ["real", "cleaned", "synthetic"]
    assert rows["real"].positive["share"] > 0.5 > rows["real"].negative["share"], "the planted bias"
    assert rows["real"].tells[0] > 0.75
    assert rows["cleaned"].positive["share"] < rows["real"].positive["share"] / 2
    tests = {row["test"] for row in result.classifiers}
    assert tests == {f"{data_set.folder.name} (held out)", "frame inserted", "frame removed"}
    arms = [row["arm"] for row in result.classifiers]
    made = set(rows) - {"real", "cleaned", "synthetic"} - set(result.left_out)
    assert set(arms) == {"real", "real, shown twice as long", "real, cleaned", "synthetic", "mixed 1:0.28", *made}
    assert {row["arm"] for row in result.switched} == set(arms)
    framed = next(row for row in result.switched if (row["arm"], row["test"]) == ("real", "frame inserted"))
    assert framed["mean_change"]["negative"] > 0, "a classifier of framed melanomas takes a frame for one"
    text = (out / "results.md").read_text()
    assert "| real |" in text
    assert "predictions switched" in text
    assert read_image(out / "pairs.png").shape[0] == 2 * (3 * 32 + 2 * 2)
    assert (out / "edited.png").exists()
    assert (out / "amplification.svg").read_text().startswith("<svg")
    scores = {path: path.stat().st_mtime_ns for path in (out / "utility" / "scores").iterdir()}
    again = rosen_bias.carry_out(miniature(), data_set, out, "cpu")
    assert again.amplification == result.amplification
    assert scores == {path: path.stat().st_mtime_ns for path in (out / "utility" / "scores").iterdir()}
    with pytest.raises(UserError, match=r"begun with target 'frame@0.2', now 'hair'"):
        rosen_bias.carry_out(miniature(target="hair"), data_set, out, "cpu")
    assert read_json(out / "results.json")["setting"]["options"]["target"] == "frame@0.2"


def test_the_direction_along_which_the_score_rises_is_chosen() -> None:
    random = np.random.default_rng(0)
    points = random.normal(0, 1, (500, 6)).astype(np.float32) * np.array([6, 5, 4, 3, 2, 1], np.float32)
    scores = -points[:, 3] + random.normal(0, 0.5, 500)
    found = most_correlated(pca_directions(points, 5), Samples(points, np.arange(500), np.zeros(500, int), scores))
    assert found.facts["candidate"] == "pca3"
    assert found.vector[3] < -0.98
    assert np.corrcoef(points @ found.vector, scores)[0, 1] > 0.9


def test_as_many_of_each_class_are_kept(data_set: DataSet) -> None:
    keep = np.arange(len(data_set.table)) % 2 == 0
    found = first(data_set, keep, 20)
    assert all(found.count(label) == 20 for label in data_set.classes)
    assert set(found.table["file_name"]) <= set(data_set.table["file_name"][keep])


def test_what_the_suite_does_not_know_is_refused(data_set: DataSet, tmp_path: Path) -> None:
    setting = rosen_bias.configuration("laptop")
    for text in ("tarjet=frame", "frame"):
        with pytest.raises(UserError, match="write NAME=VALUE; rosen-bias has: target, model"):
            chosen_options("rosen-bias", setting, (text,))
    with pytest.raises(UserError, match="`set` artefact=detector=x:frame: write frame, hair"):
        rosen_bias._artefact({"artefact": "", "target": "detector=x:frame"})
    for options, line in (
        ({"positive": "wart"}, "`set` positive=wart: "),
        ({"fill": "paint"}, "`set` fill=paint: write crop"),
        ({"points": "many"}, "many"),
        ({"classifier": "big"}, "`model` 'big'"),
    ):
        with pytest.raises(UserError, match=line):
            rosen_bias.carry_out(miniature(**options), data_set, tmp_path / "out", "cpu")
    with pytest.raises(UserError, match="`families` dcgan: rosen-bias edits in W"):
        rosen_bias.carry_out(replace(setting, plans={"dcgan": plan("dcgan")}), data_set, tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="dermsynth train"):
        rosen_bias.carry_out(miniature(run=str(tmp_path / "none")), data_set, tmp_path / "out", "cpu")
