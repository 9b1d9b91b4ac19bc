import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from dermsynth.artefacts.bias import Bias
from dermsynth.data.audit import audit
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json, write_json
from dermsynth.report.audit_report import write_audit_report
from dermsynth.report.page import PHOTOGRAPHS, curves
from dermsynth.report.run_report import write_run_report
from dermsynth.sampling.contact_sheets import run_images
from dermsynth.sampling.generator import load_generator


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found += [value for name, value in attributes if name in ("src", "href") and value]


def _self_contained(page: Path) -> str:
    text = page.read_text()
    links = Links()
    links.feed(text)
    assert all(link.startswith(("data:", "#")) for link in links.found)
    assert links.scripts == 0
    assert "@import" not in text
    return text


def _report(run: Path, page: Path, data: Path | None = None, *, photographs: bool = True) -> bool:
    generator = load_generator(run)
    images = run_images(generator, data=data, photographs=photographs)
    return write_run_report(generator, images, page, photographs=photographs)


def test_an_audit_cuts_no_table_and_leaves_photographs_out_where_wanted(phantom: DataSet, tmp_path: Path) -> None:
    found = audit(phantom, jobs=1)
    ratios = pd.DataFrame([{"artefact": f"artefact {k}", "odds_ratio": k} for k in range(53)])
    bias = Bias(ratios, pd.DataFrame(), pd.DataFrame())
    write_audit_report(found, tmp_path / "with.html", bias)
    text = _self_contained(tmp_path / "with.html")
    assert "artefact 52" in text
    assert PHOTOGRAPHS in text
    assert "<img " in text
    write_audit_report(found, tmp_path / "without.html", bias, photographs=False)
    bare = _self_contained(tmp_path / "without.html")
    assert "<img " not in bare
    assert PHOTOGRAPHS not in bare
    assert "Photographs were left out" in bare


def test_the_report_of_a_run_is_one_file(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    _report(run, tmp_path / "r.html")
    text = _self_contained(tmp_path / "r.html")
    for expected in (
        "conditional on melanoma, nevus, seborrheic_keratosis",
        "Generated and real images",
        "Losses",
        "model.r1_gamma",
        phantom.content_hash[:16],
    ):
        assert expected in text
    assert len(re.findall(r"<img ", text)) >= 2 * 3 + 3
    assert "<svg" in text


def test_a_page_says_that_it_embeds_photographs_or_has_none(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    assert _report(run, tmp_path / "with.html")
    assert not _report(run, tmp_path / "without.html", photographs=False)
    shown, hidden = ((tmp_path / name).read_text() for name in ("with.html", "without.html"))
    assert PHOTOGRAPHS in shown
    assert "real: random training images" in shown
    assert PHOTOGRAPHS not in hidden
    assert "real: random training images" not in hidden
    assert 'alt="real' not in hidden
    assert "left out." in hidden
    assert hidden.count('alt="generated') == shown.count('alt="generated') == 3


def test_the_report_finds_moved_data_where_it_is_told(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    config = read_json(moved / "config.json")
    write_json(moved / "config.json", {**config, "data": {**config["data"], "folder": str(tmp_path / "gone")}})
    assert not _report(moved, tmp_path / "lost.html")
    assert "name it with `data` DIR" in (tmp_path / "lost.html").read_text()
    assert _report(moved, tmp_path / "found.html", data=phantom.folder)
    assert "real: random training images" in (tmp_path / "found.html").read_text()


def test_every_series_is_drawn_however_many() -> None:
    names = [f"loss {i}" for i in range(17)]
    assert all(name in curves({name: ([0, 1], [1, 2]) for name in names}, title="all") for name in names)


def test_a_report_needs_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        _report(tmp_path, tmp_path / "r.html")


def test_the_report_of_an_audit_is_one_file(phantom: DataSet, tmp_path: Path) -> None:
    write_audit_report(audit(phantom, jobs=1), tmp_path / "a.html")
    text = _self_contained(tmp_path / "a.html")
    assert "Findings" in text
    assert "examples of melanoma" in text
