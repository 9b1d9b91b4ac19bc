"""What is handed on: no flagged image, every file, a card that Hugging Face reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from dermsynth.data.dataset import DataSet, amended, open_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.evaluate import evaluate_fully
from dermsynth.networks.features import load_extractor
from dermsynth.report.export import export
from dermsynth.sampling.generate import generate, load_generator


@pytest.fixture
def synthetic(run: Path, tmp_path: Path) -> DataSet:
    return generate(load_generator(run, device="cpu"), {"melanoma": 4, "nevus": 6}, tmp_path / "made")


def flagged(data_set: DataSet, count: int) -> DataSet:
    flags = np.array(["true"] * count + ["false"] * (len(data_set.table) - count))
    gate = {"flagged": count, "of": len(flags), "false_alarms": 0.01, "held_out": 200, "training": 900}
    return amended(data_set, {"copy_flag": flags}, {"copy_gate": gate})


def test_flagged_images_stay_behind_and_the_card_counts_them(synthetic: DataSet, tmp_path: Path) -> None:
    checked = flagged(synthetic, 3)
    made = export(checked, tmp_path / "out")
    assert len(made.table) == 7
    assert {*made.table["file_name"]} == {*checked.table["file_name"][3:]}
    assert sorted(p.name for p in (tmp_path / "out" / "images").rglob("*.png")) == sorted(p.name for p in made.paths)
    for path in made.paths:
        assert path.read_bytes() == (checked.folder / path.relative_to(made.folder)).read_bytes()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "3 of 10 generated images lay closer" in card
    assert "3 of them were left out" in card
    assert "| melanoma | 1 |" in card
    assert "**Nothing yet**" in card
    assert made.content_hash != checked.content_hash
    assert "run" in checked.description["generator"]
    assert "run" not in made.description["generator"]
    assert made.description["history"][-1]["left_out"] == 3
    whole = export(checked, tmp_path / "whole", with_flagged=True)
    assert len(whole.table) == 10
    assert "They are **included**" in (tmp_path / "whole" / "README.md").read_text()


def test_the_card_is_read_by_hugging_face(synthetic: DataSet, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    export(flagged(synthetic, 1), tmp_path / "out")
    data = hub.DatasetCard.load(tmp_path / "out" / "README.md").data
    assert data.pretty_name == "out"
    assert data.size_categories == ["n<1K"]
    assert "synthetic" in data.tags


def test_the_card_shows_the_figures_of_these_images_only(
    run: Path, phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermsynth.evaluation.gate.FEWEST_HELD_OUT", 20)
    for name in ("FID_RESAMPLES", "KID_RESAMPLES", "PAIRS"):
        monkeypatch.setattr(f"dermsynth.evaluation.fidelity.{name}", 10)
    made = generate(load_generator(run, device="cpu"), {"nevus": 60}, tmp_path / "made")
    result = evaluate_fully(made, phantom, load_extractor("embedded"))
    export(open_data_set(made.folder), tmp_path / "out", with_flagged=True)
    card = (tmp_path / "out" / "README.md").read_text()
    value = next(row["value"] for row in result["measurements"] if row["metric"] == "FID-embedded")
    assert f"| FID-embedded | {value:.3f} |" in card
    assert "| fidelity |" in card
    path = made.folder / "evaluation.json"
    stale = json.loads(path.read_text())
    stale["synthetic"]["content_hash"] = "0"
    path.write_text(json.dumps(stale))
    export(open_data_set(made.folder), tmp_path / "later", with_flagged=True)
    assert "**Nothing yet**" in (tmp_path / "later" / "README.md").read_text()


def test_what_cannot_be_handed_on_is_refused(synthetic: DataSet, phantom: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="real images; only synthetic"):
        export(phantom, tmp_path / "out")
    with pytest.raises(UserError, match=r"not checked for copies .run dermsynth evaluate"):
        export(synthetic, tmp_path / "out")
    with pytest.raises(UserError, match="every image is flagged"):
        export(flagged(synthetic, 10), tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="out"):
        export(flagged(synthetic, 1), tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").exists()
