"""What is handed on: no flagged image, every file, a card that Hugging Face reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet, open_data_set, read_table
from dermsynth.data.writing import add_columns, write_table
from dermsynth.errors import UserError
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.export.card import markdown_text
from dermsynth.export.huggingface import copies_said, export
from dermsynth.images import encode_png
from dermsynth.io import read_json, write_bytes, write_json
from dermsynth.metrics.estimate import Effort
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from tests.export.drawn import drawn


@pytest.fixture
def synthetic(run: Path, tmp_path: Path) -> DataSet:
    return generate(load_generator(run, device="cpu"), {"melanoma": 4, "nevus": 6}, tmp_path / "made")


def flagged(data_set: DataSet, count: int) -> DataSet:
    flags = np.array(["true"] * count + ["false"] * (len(data_set.table) - count))
    gate = {"flagged": count, "of": len(flags), "false_alarms": 0.01, "held_out": 200, "training": 900}
    return add_columns(data_set, {"copy_flag": flags}, {"copy_gate": gate})


def test_flagged_images_stay_behind_and_the_card_counts_them(synthetic: DataSet, tmp_path: Path) -> None:
    checked = flagged(synthetic, 3)
    made = export(checked, tmp_path / "out")
    assert len(made.table) == 7
    assert {*made.table["file_name"]} == {*checked.table["file_name"][3:]}
    assert sorted(p.name for p in (tmp_path / "out" / "images").rglob("*.png")) == sorted(p.name for p in made.paths)
    for path in made.paths:
        assert path.read_bytes() == (checked.folder / path.relative_to(made.folder)).read_bytes()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "3 of 10 images lay closer" in card
    assert "3 images flagged as copies of training images were left out." in card
    assert "| melanoma | 1 |" in card
    assert "**Nothing yet**" in card
    assert made.content_hash != checked.content_hash
    assert "run" in checked.description["generator"]
    assert "run" not in made.description["generator"]
    assert made.description["history"][-1]["left_out"] == 3
    whole = export(checked, tmp_path / "whole", with_flagged=True)
    assert len(whole.table) == 10
    assert "Images flagged as copies of training images are included" in (tmp_path / "whole" / "README.md").read_text()


def test_the_card_is_read_by_hugging_face(synthetic: DataSet, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    export(flagged(synthetic, 1), tmp_path / "out")
    data = hub.DatasetCard.load(tmp_path / "out" / "README.md").data
    assert data.pretty_name == "out"
    assert data.size_categories == ["n<1K"]
    assert "synthetic" in data.tags


def test_the_card_shows_the_figures_of_these_images_only(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    effort = Effort(distance_resamples=10, kernel_resamples=10, pairs=10)
    made = generate(load_generator(run, device="cpu"), {"nevus": 60}, tmp_path / "made")
    result = evaluate(made, phantom, load_extractor("embedded"), effort=effort, fewest_held_out=20)
    export(open_data_set(made.folder), tmp_path / "out", with_flagged=True)
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| FID-embedded | {result['fid'].value:.3f} |" in card
    assert f"| SWD mean | {result['swd'].value:.3f} |" in card
    assert "| fidelity |" in card
    path = made.folder / "assessment" / "assessment.json"
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


def saved_by_pandas(data_set: DataSet) -> DataSet:
    path = data_set.folder / "metadata.csv"
    pd.read_csv(path).to_csv(path, index=False)
    return open_data_set(data_set.folder)


SPELLINGS = [
    ("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("1", "0"), ("1.0", "0.0"), ("1,0", "0,0"), ("yes", "no"),
    ("WAHR", "FALSCH"), ("VRAI", "FAUX"), (" T ", "f"), ("-1", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("yes", "no"), SPELLINGS)
def test_flagged_images_stay_behind_whatever_program_wrote_the_flag(tmp_path: Path, yes: str, no: str) -> None:
    made = export(drawn(tmp_path / "set", [yes] * 5 + [no] * 7), tmp_path / "out")
    assert list(made.table["file_name"]) == [f"images/{number:02d}.png" for number in range(5, 12)]
    assert set(made.table["copy_flag"]) == {"false"}
    assert copies_said(made) == "5 flagged ones left out"
    whole = export(open_data_set(tmp_path / "set"), tmp_path / "whole", with_flagged=True)
    assert list(whole.table["copy_flag"]) == ["true"] * 5 + ["false"] * 7
    assert copies_said(whole) == "5 flagged ones among them"


def test_a_table_that_pandas_saved_is_read_as_before(tmp_path: Path) -> None:
    data_set = drawn(tmp_path / "set", ["true"] * 4 + ["false"] * 8)
    assert "True" in set(saved_by_pandas(data_set).table["copy_flag"])
    assert len(export(open_data_set(data_set.folder), tmp_path / "out").table) == 8


def test_a_flag_that_is_not_understood_names_row_and_column(tmp_path: Path) -> None:
    data_set = drawn(tmp_path / "set", ["false"] * 3 + ["maybe"] + ["true"] * 8)
    for all_of_them in (False, True):
        with pytest.raises(UserError, match=r"row 5 .images/03.png., column 'copy_flag': 'maybe'"):
            export(data_set, tmp_path / "out", with_flagged=all_of_them)
    assert not (tmp_path / "out").exists()


GATE = {"flagged": 3, "of": 12, "threshold": 0.9, "false_alarms": 0.01, "held_out": 200, "training": 900}


@pytest.mark.parametrize(
    ("flags", "gate", "message"),
    [
        (None, None, "not checked for copies"),
        ([""] * 12, None, "not checked for copies"),
        (None, GATE, "column 'copy_flag' is gone from metadata.csv; run dermsynth evaluate again"),
        ([""] * 12, GATE, "is gone"),
        (["true"] * 3 + ["false"] * 8 + [""], GATE, r"1 of 12 images were never checked.*first images/11.png"),
        (["true"] * 2 + ["NaN"] + ["false"] * 9, None, r"1 of 12 images were never checked.*first images/02.png"),
        (["false"] * 12, GATE, "marks 0 images, the copy gate marked 3"),
    ],
)
def test_images_that_were_never_checked_are_not_counted_as_none(
    tmp_path: Path, flags: list[str] | None, gate: dict[str, object] | None, message: str
) -> None:
    data_set = drawn(tmp_path / "set", flags, **({"copy_gate": gate} if gate else {}))
    with pytest.raises(UserError, match=message):
        export(data_set, tmp_path / "out")
    made = export(data_set, tmp_path / "out", with_flagged=True)
    assert len(made.table) == 12
    assert copies_said(made) == "never checked for copies of training images"
    card = (tmp_path / "out" / "README.md").read_text()
    assert "**Not checked**" in card
    assert "lay closer" not in card


def test_rows_that_say_they_are_real_are_not_exported(tmp_path: Path) -> None:
    data_set = drawn(tmp_path / "set", ["false"] * 12)
    mixed = DataSet(data_set.folder, data_set.table.assign(synthetic=["1"] * 10 + ["0", ""]), data_set.description)
    with pytest.raises(UserError, match=r"1 rows are not synthetic, the first images/10.png"):
        export(mixed, tmp_path / "out", with_flagged=True)


def test_images_that_are_gone_or_changed_since_are_refused(tmp_path: Path) -> None:
    data_set = drawn(tmp_path / "set", ["false"] * 12)
    path, before = data_set.paths[4], data_set.paths[4].read_bytes()
    path.unlink()
    with pytest.raises(UserError, match=r"images/04.png"):
        export(data_set, tmp_path / "out")
    write_bytes(path, encode_png(np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(UserError, match="changed"):
        export(data_set, tmp_path / "out")
    write_bytes(path, before)
    assert len(export(data_set, tmp_path / "out").table) == 12


def test_a_set_written_by_hand_has_no_hash_to_compare_with(tmp_path: Path) -> None:
    data_set = drawn(tmp_path / "set", ["True"] * 2 + ["False"] * 10)
    description = read_json(data_set.folder / "dataset.json")
    write_json(data_set.folder / "dataset.json", {**description, "content_hash": "mine"})
    assert len(export(open_data_set(data_set.folder), tmp_path / "out").table) == 10


def test_any_label_stays_in_its_cell_of_the_card(tmp_path: Path) -> None:
    hard = ["a|b", "<b>x<", "`code`", "*star*", "back\\slash", "[link](x)", "&amp;", "plain_name"]
    labels = (hard * 2)[:12]
    export(drawn(tmp_path / "set", ["false"] * 12, labels), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    rows = card[card.index("| label | images |") :].split("\n\n")[0].splitlines()[2:]
    assert len(rows) == len(set(labels))
    for row in rows:
        assert row.replace("\\\\", "").replace("\\|", "").count("|") == 3
        assert "<" not in row
    assert "| a\\|b | 2 |" in rows
    assert "| &lt;b&gt;x&lt; | 2 |" in rows
    assert "| plain_name | 1 |" in rows
    assert markdown_text("two\nlines") == "two lines"
    assert set(read_table(tmp_path / "out" / "metadata.csv")["label"]) == set(labels)


def test_hugging_face_opens_the_exported_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    export(drawn(tmp_path / "set", ["true"] + ["false"] * 11, ["test", "train"] * 6), tmp_path / "out")
    found = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in found.items()} == {"train": 11}


def test_a_flagged_image_does_not_leave_by_a_second_row_or_a_lost_one(tmp_path: Path) -> None:
    gate = {"flagged": 2, "of": 12, "false_alarms": 0.01, "training": 99, "held_out": 99}
    made = drawn(tmp_path / "made", ["true"] * 2 + ["false"] * 10, copy_gate=gate)
    table = made.table
    write_table(made.folder, pd.concat([table, table.head(1).assign(copy_flag="false")], ignore_index=True))
    with pytest.raises(UserError, match="1 images stand in several rows"):
        export(open_data_set(made.folder), tmp_path / "out")
    write_table(made.folder, table.iloc[1:].assign(copy_flag="false"))
    with pytest.raises(UserError, match="marks 0 images, the copy gate marked 2"):
        export(open_data_set(made.folder), tmp_path / "out")
    (made.folder / "metadata.csv").write_text(
        "file_name,copy_flag,copy_flag\n" + "".join(f"{name},false,true\n" for name in table["file_name"])
    )
    with pytest.raises(UserError, match="several columns are named 'copy_flag'"):
        open_data_set(made.folder)
