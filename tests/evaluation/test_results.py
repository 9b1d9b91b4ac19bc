"""Results of evaluations: found by the images' hash, also where earlier versions left them; and asked for by metric."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.refusals import Refusal
from dermsynth.evaluation.results import Evaluation, evaluation_of, read_evaluation, usefulness_of
from dermsynth.evaluation.verdict import verdict, with_verdict
from dermsynth.images import encode_png
from dermsynth.io import read_json, write_bytes, write_json
from tests.evaluation.drawn import SYNTHETIC, copy_row, evaluation, row

ROWS = [
    row("FID-embedded", value=2.0, low=1.0, high=3.0, floor=1.0, matched=2.0),
    row("SWD mean", value=9.0), row("SWD 16 px", value=8.0), row("SWD 16 px", value=7.0, group="nevus"),
]  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> DataSet:
    names = [f"images/{number}.png" for number in range(4)]
    for number, name in enumerate(names):
        write_bytes(tmp_path / "made" / name, encode_png(np.full((8, 8, 3), 20 * number, np.uint8)))
    gate = {"copy_flag": ["True", "FALSE", "0", "no"], "copy_score": ["0.5", "1", "2", "3"]}
    table = pd.DataFrame({"file_name": names, "label": "nevus", **gate})
    return write_data_set(tmp_path / "made", table, Provenance(synthetic=True), Step(command="drawn"))


def of(made: DataSet) -> Evaluation:
    return evaluation(ROWS, synthetic={**SYNTHETIC, "content_hash": made.content_hash})


@pytest.mark.parametrize("place", ["assessment/assessment.json", "assessment.json", "evaluation.json"])
def test_results_of_earlier_versions_are_found_and_their_rows_recognised(made: DataSet, place: str) -> None:
    result = of(made)
    document = result.document()
    for figure in document["measurements"]:
        del figure["id"], figure["part"]
    write_json(made.folder / place, document)
    assert evaluation_of(made) == result == read_evaluation(made.folder)
    write_json(made.folder / place, {**document, "synthetic": {**document["synthetic"], "content_hash": "another"}})
    assert evaluation_of(made) is None
    with pytest.raises(UserError, match=r"holds no evaluation of these images"):
        read_evaluation(made.folder)


def test_a_result_that_is_not_understood_is_one_line(made: DataSet) -> None:
    write_json(made.folder / "assessment.json", {"synthetic": {"content_hash": made.content_hash}, "beauty": 3})
    with pytest.raises(UserError, match=r"assessment\.json: not a result of this version .*; evaluate again") as told:
        evaluation_of(made)
    assert "\n" not in str(told.value)


def test_estimates_are_asked_for_by_metric_group_and_part(made: DataSet) -> None:
    result = of(made)
    assert (result["fid"].value, result["fid"].name) == (2.0, "FID-embedded")
    assert result["swd"].part == "mean"
    assert result.estimate("swd", group="nevus", part="16 px").value == 7.0
    assert result.groups == ["all classes", "nevus"]
    frame = result.to_frame()
    assert list(frame["id"]) == ["fid", "swd", "swd", "swd"]
    assert {"name", "value", "low", "high", "n_synthetic", "n_real", "floor", "matched"} <= {*frame}
    with pytest.raises(KeyError, match="kid of all classes: not measured; there are: fid, swd"):
        _ = result["kid"]
    assert "FID-embedded 2 (1 to 3), n = 8 synthetic and 8 real; real against real 1 at n = 4" in str(result["fid"])


def test_a_whole_result_survives_json(made: DataSet) -> None:
    copying = [copy_row("C_T in 5 cells", value=-1.0, low=-2.0, high=0.0, without=0.0)]
    gate = {"flagged": 1, "of": 4, "false_alarms": 0.01, "held_out": 200, "training": 9}
    result = with_verdict(of(made).model_copy(update={"copying": (), "label_fidelity": ()}))
    result = Evaluation.model_validate({**result.document(), "copying": copying, "copy_gate": gate, "closest": {}})
    path = result.save(made.folder / "assessment" / "assessment.json")
    assert read_json(path)["copying"][0]["metric"] == "C_T in 5 cells"
    assert evaluation_of(made) == result
    assert result.light("fidelity") == "green"
    assert not result.brief


def test_flags_in_the_table_of_an_earlier_version_are_understood(made: DataSet) -> None:
    copies = copies_of(open_data_set(made.folder))
    assert copies is not None
    assert copies.flagged.tolist() == [True, False, False, False]
    assert copies.facts is None
    assert copies.missing == ""
    write_json(
        made.folder / "assessment" / "copies.json",
        {"content_hash": made.content_hash, "copy_gate": {"flagged": 2, "of": 4}},
    )
    rows = "file_name,copy_score,copy_of,copy_lying,copy_flag\nimages/3.png,1,a,as it is,true\n"
    (made.folder / "assessment" / "copies.csv").write_text(rows)
    newer = copies_of(open_data_set(made.folder))
    assert newer is not None
    assert newer.flagged.tolist() == [False, False, False, True]
    assert "3 of 4 images were never checked for copies" in newer.missing


def test_figures_that_could_not_be_computed_survive_json(made: DataSet) -> None:
    ratio = copy_row("distance ratio", value=np.nan, low=np.nan, high=np.inf, without=1.0)
    gate = {"flagged": 0, "of": 4, "false_alarms": 0.01, "held_out": 200, "training": 9}
    result = Evaluation.model_validate({**of(made).document(), "copying": [ratio], "copy_gate": gate, "closest": {}})
    result = with_verdict(result)
    path = result.save(made.folder / "assessment" / "assessment.json")
    assert read_json(path)["copying"][0]["value"] is None
    again = evaluation_of(made)
    assert again is not None
    assert again.copying is not None
    assert np.isnan([again.copying[0].value, again.copying[0].high]).all()
    assert verdict(again)[2].light == "green"  # the gate alone: a ratio of 0 / 0 says nothing
    assert verdict(again.model_copy(update={"copy_gate": None}))[2].light == "not measured"


def test_reasons_survive_json_and_know_their_class(made: DataSet) -> None:
    reasons = (
        Refusal(text="class 'wart': only real images have it (3)"),
        Refusal.of_label_fidelity("3 synthetic images, at least 20 are needed", "a: b"),
        Refusal.of_label_fidelity("1 classes of real images; two are needed to tell one from another"),
    )
    result = of(made).model_copy(update={"refused": reasons})
    path = result.save(made.folder / "assessment" / "assessment.json")
    assert read_json(path)["refused"] == [str(reason) for reason in reasons]
    again = evaluation_of(made)
    assert again is not None
    assert again.refused == reasons


def test_a_named_folder_without_an_experiment_of_these_images_is_refused(made: DataSet, tmp_path: Path) -> None:
    assert usefulness_of(made) is None
    with pytest.raises(UserError, match=r"`utility` .*nowhere: holds no utility experiment with the images of"):
        usefulness_of(made, tmp_path / "nowhere")
    facts = {"outcome": "helps", "verdict": "it helps", "content_hash": made.content_hash}
    write_json(tmp_path / "utility" / "usefulness.json", facts)
    found = usefulness_of(made, tmp_path / "utility")
    assert found is not None
    assert found.outcome == "helps"


def test_json_of_another_program_is_one_line(made: DataSet) -> None:
    write_json(made.folder / "assessment.json", {"grade": "A"})
    with pytest.raises(UserError, match=r"assessment\.json: not a result of dermsynth evaluate"):
        evaluation_of(made)
