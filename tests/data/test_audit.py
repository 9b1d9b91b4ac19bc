from pathlib import Path

import numpy as np

from dermsynth.data.audit import as_text, audit
from dermsynth.data.audit_findings import Suggestion
from dermsynth.data.dataset import open_data_set
from dermsynth.data.importers.importing import Source, SourceRow, import_source
from dermsynth.data.phantom import PhantomSettings, draw_parameters, render
from dermsynth.data.writing import write_table
from dermsynth.report.audit_report import flag_texts


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
    assert "have no label" in text
    assert "Column 'ruler': alone it nearly gives the class away" in text
    assert {tuple(r) for r in found.duplicates[["first", "second"]].to_numpy()} == {("images/5.png", "images/6.png")}
    assert len(found.leaks) == 1
    assert "--exclude rare" in flag_texts(found)
    assert "suggested for training: `exclude` rare" in as_text(found)


def test_a_clean_set_has_no_leaks(tmp_path: Path) -> None:
    rows = [
        SourceRow(f"{n}.png", "a", pixels=np.random.default_rng(n).integers(0, 255, (16, 16, 3), dtype=np.uint8))
        for n in range(40)
    ]
    found = audit(import_source(Source(tmp_path, rows, {}, "test"), tmp_path / "set", jobs=1).data_set, jobs=1)
    assert found.leaks.empty
    assert found.duplicates.empty
    assert found.suggestions == ()
