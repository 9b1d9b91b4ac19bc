"""Names of files in a set: every system can have them, and Hugging Face's library finds no split in them."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermsynth.data.dataset import DataSet
from dermsynth.data.file_names import names_a_split, safe_stem, unique_stems
from dermsynth.data.folder import DESCRIPTION, METADATA
from dermsynth.data.importers import importing
from dermsynth.data.importers.generic import from_csv
from dermsynth.data.importers.importing import import_source
from dermsynth.errors import UserError
from dermsynth.evaluation import copies, memorisation, results
from dermsynth.images import encode_png
from dermsynth.io import write_bytes
from dermsynth.report import artefact_report


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a/test_001.png", "testset_001"),
        ("my-train 12.jpg", "my-trainset 12"),
        ("val.png", "valset"),
        ("x.evaluation.7.png", "x.evaluationset.7"),
        (".hidden.jpg", "hidden"),
        ("..png", "image"),
        ("CON.png", "CON_"),
        ("lpt1.jpg", "lpt1_"),
        ("a:b|c?.png", "a_b_c_"),
        ("x" * 200 + ".png", "x" * 120),
        (unicodedata.normalize("NFD", "Nävus") + ".png", unicodedata.normalize("NFC", "Nävus")),
        ("ISIC_0000000.jpg", "ISIC_0000000"),
        ("contest_evaluations.png", "contest_evaluations"),
    ],
)
def test_names_that_cannot_stay_are_changed_and_others_are_not(name: str, wanted: str) -> None:
    assert safe_stem(name) == wanted


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and "/" not in text))
def test_any_name_becomes_one_that_every_system_can_have(name: str) -> None:
    stem = safe_stem(f"{name}.png")
    assert stem
    assert not stem.startswith(".")
    assert len(stem.encode("utf-8", "surrogatepass")) < 160
    assert not set(stem) & set('<>:"/\\|?*')
    assert not names_a_split(stem)


def test_names_that_become_alike_are_numbered() -> None:
    assert unique_stems(["a/test.png", "b/testset.png", "c/TESTSET.png"]) == ["testset", "testset_2", "TESTSET_3"]


def test_no_file_that_is_written_into_a_set_is_named_like_a_split() -> None:
    names = (
        METADATA, DESCRIPTION, importing.REPORT, results.FOLDER, results.RESULT, results.PAGE, memorisation.NEIGHBOURS,
        copies.TABLE, copies.FACTS, results.USEFULNESS, artefact_report.REMOVAL, "audit.html", "edits.png",
    )  # fmt: skip
    assert [name for name in names if names_a_split(name)] == []
    assert names_a_split(results.EARLIER_RESULTS[1])


def test_hugging_face_opens_an_imported_set_whatever_its_files_are_called(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    random, names = (
        np.random.default_rng(0),
        ["test_1.png", "train-2.png", "val 3.png", "eval.png", "plain.png", "dev_9.png"],
    )
    for name in names:
        write_bytes(tmp_path / "i" / name, encode_png(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)))
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    for name in names[:3]:
        write_bytes(tmp_path / "m" / name, encode_png(mask))
    rows = {
        "image": [f"i/{n}" for n in names],
        "label": ["test", "train"] * 3,
        "mask": [f"m/{n}" for n in names[:3]] + [""] * 3,
    }
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    source = from_csv(tmp_path / "t.csv", image="image", label="label", mask="mask")
    made = import_source(source, tmp_path / "set", jobs=1).data_set
    found = datasets.load_dataset("imagefolder", data_dir=str(made.folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in found.items()} == {"train": 6}
    assert sum(row["mask"] is not None for row in found["train"]) == 3
    assert [row["label"] for row in found["train"]] == list(made.labels)


@pytest.mark.parametrize(
    ("told", "synthetic"), [(True, True), ("false", False), ("True", True), (0, False), (None, False)]
)
def test_a_set_described_by_hand_is_synthetic_where_it_says_so(told: object, synthetic: bool) -> None:
    assert DataSet(Path("set"), pd.DataFrame(), {"synthetic": told}).synthetic is synthetic


def test_a_description_that_says_neither_is_an_error() -> None:
    with pytest.raises(UserError, match=r"dataset\.json: synthetic = 'perhaps' is no flag"):
        _ = DataSet(Path("set"), pd.DataFrame(), {"synthetic": "perhaps"}).synthetic
