from pathlib import Path

import numpy as np
import pandas as pd

from dermsynth.api.audit import audit as api_audit
from dermsynth.data.audit import as_text, audit
from dermsynth.data.audit_findings import PREDICTIVE, Suggestion, _predictive_columns
from dermsynth.data.dataset import open_data_set
from dermsynth.data.flagged import flagged_images, flagged_text
from dermsynth.data.importers.importing import Source, SourceRow, import_source
from dermsynth.data.phantom import PhantomSettings, draw_parameters, render
from dermsynth.data.predictive_columns import column_predictions
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set, write_table
from dermsynth.images import encode_png
from dermsynth.io import write_bytes
from dermsynth.report.audit_report import flag_texts
from tests.metrics.test_keypoints import moved, texture


def test_the_audit_finds_what_was_planted(tmp_path: Path) -> None:
    settings = PhantomSettings(64, 64)
    rows = []
    for number in range(80):
        seed = 5 if number == 6 else number
        label = "rare" if number < 4 else ("", "nevus", "melanoma")[number % 3 if number % 10 == 0 else 1 + number % 2]
        column = {"ruler": str(int(label == "melanoma"))}
        rows.append(
            SourceRow(
                f"{number}.png", label, columns=column, pixels=render(draw_parameters(seed, settings), settings).image
            )
        )
    data = import_source(Source(tmp_path, rows, {}, "test"), tmp_path / "set", jobs=1).data_set
    splits = data.table["split"].to_numpy(dtype=object)
    splits[5], splits[6] = "train", "test"
    write_table(data.folder, data.table.assign(split=splits))
    found = audit(open_data_set(data.folder), jobs=1)
    text = " ".join(found.findings)
    assert Suggestion("exclude", "rare") in found.suggestions
    assert "Without a label:" in text
    assert "Column 'ruler': alone it nearly gives the class away" in text
    assert {tuple(r) for r in found.duplicates[["first", "second"]].to_numpy()} == {("images/5.png", "images/6.png")}
    assert len(found.leaks) == 1
    assert "--exclude rare" in flag_texts(found)
    assert "suggested for training: `exclude` rare" in as_text(found)


def test_a_lesion_that_was_photographed_again_is_found_where_it_is_asked(tmp_path: Path) -> None:
    """Turned, nearer and in another light it is no near-duplicate, but a test image of a lesion that was trained on."""
    rows = [
        SourceRow(f"{n}.png", ("nevus", "melanoma")[n % 2], pixels=texture(n).transpose(1, 2, 0)) for n in range(30)
    ]
    again, _ = moved(texture(4), angle=35, zoom=1.25, shift=(4, -3))
    darker = (0.8 * again.astype(float) + 10).astype(np.uint8).transpose(1, 2, 0)
    rows.append(SourceRow("again.png", "nevus", pixels=np.ascontiguousarray(darker)))
    data = import_source(Source(tmp_path, rows, {}, "test"), tmp_path / "set", jobs=1).data_set
    splits = np.array(["train"] * 30 + ["test"], dtype=object)
    write_table(data.folder, data.table.assign(split=splits))
    data = open_data_set(data.folder)
    assert api_audit(data, jobs=1).content.duplicates.empty
    found = api_audit(data, same_lesions=True, jobs=1).content
    assert found.duplicates[["first", "second", "kind", "by"]].to_numpy().tolist() == [
        ["images/4.png", "images/again.png", "lesion", "pose"]
    ]
    assert found.leaks["splits"].tolist() == ["test, train"]
    assert "The same lesion in 1 more pair of photographs, by pose, 1 of them in two splits" in " ".join(found.findings)
    assert found.exclusions.empty
    result = api_audit(data, same_lesions=True, jobs=1)
    assert "0 pairs of near-duplicates and 1 of one lesion, the most similar first" in result.text()
    page = result.save(tmp_path / "page.html").read_text()
    assert "The same photograph, or the same lesion, twice" in page
    assert "the same lesion by pose" in page


def test_a_clean_set_has_no_leaks(tmp_path: Path) -> None:
    rows = [
        SourceRow(f"{n}.png", "a", pixels=np.random.default_rng(n).integers(0, 255, (16, 16, 3), dtype=np.uint8))
        for n in range(40)
    ]
    found = audit(import_source(Source(tmp_path, rows, {}, "test"), tmp_path / "set", jobs=1).data_set, jobs=1)
    assert found.leaks.empty
    assert found.duplicates.empty
    assert found.suggestions == ()


def test_a_column_that_names_patients_is_a_group_where_no_group_is_named(tmp_path: Path) -> None:
    """Ten images a patient, each patient with an age of its own, which says nothing of others' class: no leak of it."""
    random = np.random.default_rng(0)
    names = []
    for number in range(80):
        names.append(f"images/{number}.png")
        write_bytes(tmp_path / names[-1], encode_png(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)))
    patient = np.arange(80) // 10
    table = pd.DataFrame({
        "file_name": names, "label": np.where(patient % 2, "nevus", "melanoma"),
        "patient_id": [f"P{k}" for k in patient], "age": (30 + 7 * patient).astype(str),
    })  # fmt: skip
    data = write_data_set(tmp_path, table, Provenance(), Step(command="test"))
    assert audit(data, jobs=1).leak_columns == ()
    alone = write_data_set(tmp_path, table.drop(columns="patient_id"), Provenance(), Step(command="test"))
    assert [leak.column for leak in audit(alone, jobs=1).leak_columns] == ["age"]


def test_of_many_columns_and_classes_none_is_a_finding_by_chance(tmp_path: Path) -> None:
    """Fifteen columns of noise and six classes: 225 intervals of 95 %, of which some lie above one half."""
    random = np.random.default_rng(1)
    labels = np.repeat(list("abcdef"), 30).astype(object)
    noise = {f"c{k}": random.integers(0, 2 + k % 3, 180).astype(str) for k in range(15)}
    table = pd.DataFrame({"file_name": np.arange(180).astype(str), **noise})
    predictions = column_predictions(table, labels, np.arange(180))
    assert any(prediction.low >= PREDICTIVE for prediction in predictions)
    assert _predictive_columns(predictions) == []
    shown = np.where((labels == "a") == (random.random(180) < 0.9), "1", "0")
    told = _predictive_columns(column_predictions(table.assign(ink=shown), labels, np.arange(180)))
    assert len(told) == 1
    assert "Column 'ink' goes with the class" in told[0]


def test_what_the_audit_flagged_is_known_later(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    same = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
    for number in range(4):
        pixels = same if number in (1, 3) else random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        write_bytes(tmp_path / f"images/{number}.png", encode_png(pixels if number else np.zeros_like(same)))
    table = pd.DataFrame({"file_name": [f"images/{number}.png" for number in range(4)]})
    data = write_data_set(tmp_path, table, Provenance(), Step(command="test"))
    assert flagged_images(data) == {}
    api_audit(data, jobs=1).save(tmp_path / "audit.html")
    flagged = flagged_images(data)
    assert flagged == {"images/0.png": "black or nearly so", "images/3.png": "near-duplicate, by hash"}
    text = flagged_text(data, ["images/2.png", "images/3.png"])
    assert "flagged 1 of the 2 images that take part, the first images/3.png (near-duplicate, by hash)" in text
    assert flagged_text(data, ["images/2.png"]) == ""
    write_bytes(tmp_path / "images/2.png", encode_png(same))
    other = write_data_set(tmp_path, table, Provenance(), Step(command="test"))
    assert flagged_images(other) == {}, "an audit of other images"
