"""What artefacts tell of the label: known tables give known ratios, and nothing is told where nothing is there."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import Table2x2

from dermsynth.api import audit as audit_api
from dermsynth.artefacts.bias import artefact_bias
from dermsynth.artefacts.confirmation import LABELS
from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.io import read_json

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def table_of(shares: dict[str, float], each: int = 200, seed: int = 0) -> DataSet:
    """A set on paper: two classes, a frame with a share in each, hair by lot."""
    random, rows = np.random.default_rng(seed), []
    for label, share in shares.items():
        shown = np.arange(each) < round(share * each)
        for frame in shown:
            rows.append(
                {"file_name": "x.png", "label": label, "frame": str(int(frame)), "hair": str(random.integers(2))}
            )
    table = pd.DataFrame(rows).assign(skin_tone=random.normal(35, 5, len(rows)).round(1).astype(str))
    return DataSet(Path("paper"), table, {"content_hash": ""})


def without_hair(data_set: DataSet) -> DataSet:
    return DataSet(data_set.folder, data_set.table.drop(columns="hair"), data_set.description)


def test_ratios_are_those_of_the_table() -> None:
    found = artefact_bias(table_of({"melanoma": 0.38, "nevus": 0.1}))
    row = found.ratios[(found.ratios["artefact"] == "frame") & (found.ratios["label"] == "melanoma")].iloc[0]
    reference = Table2x2(np.array([[76, 124], [20, 180]]))
    assert row["share"] == 0.38
    assert row["odds_ratio"] == pytest.approx(reference.oddsratio, rel=0.01)
    assert (row["low"], row["high"]) == pytest.approx(reference.oddsratio_confint(), rel=0.12)
    assert len(found.ratios) == 4


def test_what_artefacts_tell_is_an_area_under_a_curve() -> None:
    """With shares a and b of one artefact and nothing else, the area is (1 + a - b) / 2."""
    told = artefact_bias(without_hair(table_of({"melanoma": 0.8, "nevus": 0.2}))).predictive.iloc[0]
    assert told["auc"] == pytest.approx(0.8, abs=0.01)
    assert told["low"] > 0.5
    nothing = artefact_bias(table_of({"melanoma": 0.3, "nevus": 0.3})).predictive.iloc[0]
    assert nothing["low"] <= 0.5 + 0.03


def test_skin_tones_are_named() -> None:
    tones = artefact_bias(table_of({"melanoma": 0.5, "nevus": 0.5})).tones
    assert tones["ita"].between(33, 37).all()
    assert tones["most"].str.startswith("intermediate").all()


def test_what_cannot_be_compared_is_said() -> None:
    data_set = table_of({"melanoma": 0.5, "nevus": 0.5})
    bare = DataSet(data_set.folder, data_set.table.drop(columns=["frame", "hair"]), data_set.description)
    with pytest.raises(UserError, match="no column of artefacts; add them with: dermsynth artefacts detect paper"):
        artefact_bias(bare)
    with pytest.raises(UserError, match="1 classes of at least 20 images"):
        artefact_bias(table_of({"melanoma": 0.5}))


def test_the_audit_tells_a_planted_bias(tmp_path: Path, shell: Shell) -> None:
    settings = PhantomSettings(48, 48, artefact="frame", tied_to="melanoma", correlation=0.9)
    write_phantom(tmp_path / "set", 160, settings, seed=0, jobs=1)
    said = shell("audit", tmp_path / "set").stdout
    assert "How much of the label the artefacts alone tell" in said
    page = (tmp_path / "set" / "audit.html").read_text()
    assert "odds ratio against the other classes" in page


def test_an_audit_says_why_artefacts_were_not_compared(
    phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [name for names in LABELS.values() for name in names]
    bare = replace(phantom, table=phantom.table.drop(columns=[*own, "gel_border"], errors="ignore"))
    result = audit_api.audit(bare, jobs=1)
    page = result.save(tmp_path / "audit.html", photographs=False)
    assert "no column of artefacts" in result.bias_refused
    assert "Artefacts were not compared: " in page.read_text()
    assert "no column of artefacts" in read_json(tmp_path / "audit.json")["artefacts"]["refused"]

    def fail(data_set: DataSet, seed: int) -> None:
        raise UserError("row 2, column 'frame': 'x' is no flag")

    monkeypatch.setattr(audit_api, "artefact_bias", fail)
    with pytest.raises(UserError, match="'x' is no flag"):
        audit_api.audit(bare, jobs=1)
