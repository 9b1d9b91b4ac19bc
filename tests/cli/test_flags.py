"""Flags: one meaning, a help text, and a use; and what those do that no other test passes."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest

from dermsynth.cli.app import app, default_text
from dermsynth.cli.flags import flags_of, in_flags, with_flags, with_present_names
from dermsynth.data.dataset import DataSet
from tests.cli.verbs import verbs

Shell = Callable[..., CompletedProcess[str]]
VERBS = verbs()
ROOT = Path(__file__).parents[2]
SHARED = ("--checkpoint", "--device")
"""Flags whose help is the same word for word wherever they are."""


def texts() -> str:
    """Everything in which flags are passed: tests, and the documentation."""
    files = [*(ROOT / "tests").rglob("*.py"), ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return "\n".join(file.read_text() for file in files if file != Path(__file__).with_name("verbs.py"))


def test_every_flag_has_a_help_text() -> None:
    assert [(verb, flag) for verb, flags in VERBS.items() for flag, help in flags.items() if not help] == []


@pytest.mark.parametrize("flag", SHARED)
def test_a_flag_of_all_verbs_means_one_thing(flag: str) -> None:
    assert len({flags[flag] for flags in VERBS.values() if flag in flags}) == 1


def test_every_flag_is_passed_somewhere() -> None:
    passed = set(re.findall(r"--[a-z][a-z-]*", texts()))
    assert sorted({flag for flags in VERBS.values() for flag in flags} - passed) == []


def test_fields_become_flags() -> None:
    flags = flags_of(app, ["train", "dcgan", "--out", "x", "--images", "1k"])
    assert (
        with_flags("`learning_rate` and `imbalance` and `source`", flags) == "learning rate and --imbalance and --from"
    )
    assert with_flags("`options`", flags) == "--set"
    flags = flags_of(app, ["utility", "x"])
    assert with_flags("`tests`, `variants`, `generators`", flags) == "--test, --variant, --generator"
    assert flags_of(app, ["audit"])["no_photographs"] == "--no-photographs"
    assert flags_of(app, ["no", "verb"]) == {}


def test_what_a_verb_suggests_has_the_flags_of_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dermsynth", "audit", "data"])
    assert in_flags("`exclude` rare, `annotations`", next_verb="train") == "--exclude rare, --annotations"
    assert in_flags("`exclude` rare") == "exclude rare"


def test_a_former_name_stays_where_it_is_a_present_one() -> None:
    assert with_present_names(["evaluate", "set", "--split", "test"]) == (["evaluate", "set", "--split", "test"], [])


@pytest.mark.parametrize(
    ("value", "text"), [((), None), ("", None), (False, None), (True, "True"), (0, "0"), ((1.0, 2.0), "1.0 2.0")]
)
def test_help_shows_defaults_that_say_something(value: object, text: str | None) -> None:
    assert default_text(value) == text


def test_help_of_a_verb_is_its_whole_description(shell: Shell) -> None:
    assert "Repeated, the command continues" in shell("generate", "--help").stdout
    assert "Repeated, the command continues" not in shell("--help").stdout


@pytest.fixture(scope="module")
def data(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flags") / "data"
    shell("phantom", "--out", folder, "--count", 40, "--resolution", "48x32", "--tied-to", "nevus", "--jobs", 1)
    return folder


def test_a_study_is_planned(shell: Shell) -> None:
    words = ("--raters", 5, "--items", 80, "--raters-deviation", 0.2, "--items-deviation", 0.5)
    assert len(shell("study", "plan", *words).stdout.splitlines()) == 2


def test_a_table_with_splits_and_one_without(shell: Shell, data: Path, tmp_path: Path) -> None:
    table = pd.read_csv(data / "metadata.csv").assign(part=["train", "test"] * 20)[["file_name", "label", "part"]]
    table.to_csv(tmp_path / "table.csv", index=False)
    columns = ("--image", "file_name", "--label", "label", "--image-folder", data, "--jobs", 1)
    shell("import", "csv", tmp_path / "table.csv", *columns, "--split-column", "part", "--out", tmp_path / "one")
    assert pd.read_csv(tmp_path / "one" / "metadata.csv")["split"].value_counts().to_dict() == {"train": 20, "test": 20}
    shell("import", "csv", tmp_path / "table.csv", *columns, "--shares", "0.5/0.25/0.25", "--out", tmp_path / "two")
    assert (pd.read_csv(tmp_path / "two" / "metadata.csv")["split"] == "train").sum() < 30  # 32 without --shares


def test_the_audit_goes_where_it_is_wanted(shell: Shell, data: Path, tmp_path: Path) -> None:
    shell("audit", data, "--page", tmp_path / "page.html", "--same-lesions", "--no-photographs", "--jobs", 1)
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "page.json").exists()
    old = shell("audit", data, "--out", tmp_path / "old.html", "--photographs", "--jobs", 1)
    assert "--out is called --page now" in old.stderr
    assert (tmp_path / "old.html").exists()


def test_the_files_of_a_set_are_compared_quickly(shell: Shell, data: Path) -> None:
    assert "40 images, all as they were" in shell("data", "verify", data, "--fast").stdout


def test_patches_are_cut_by_shares_of_lesion_and_skin(shell: Shell, data: Path, tmp_path: Path) -> None:
    words = ("--side", 16, "--stride", 8, "--lesion", "0.2-0.9", "--skin", 0.0, "--skin-mask", "mask_file_name")
    assert "patches" in shell("data", "patches", data, *words, "--out", tmp_path / "patches").stdout


def test_artefacts_are_detected_without_masks_and_removed(shell: Shell, data: Path, tmp_path: Path) -> None:
    shell("artefacts", "insert", data, "--artefact", "ruler", "--out", tmp_path / "ruled", "--jobs", 1)
    shell("artefacts", "detect", tmp_path / "ruled", "--no-store-masks", "--jobs", 1)
    assert not (tmp_path / "ruled" / "artefacts").exists()
    fills = ("--rulers", "telea", "--ink", "skin", "--stickers", "telea", "--bubbles", "nearest")
    said = shell("artefacts", "remove", tmp_path / "ruled", *fills, "--out", tmp_path / "clean", "--jobs", 1).stdout
    assert "ruler: of the pixels found before" in said
    said = shell(
        "artefacts", "compare", data, "--count", 2, "--slow", "--out", tmp_path / "methods", "--jobs", 1
    ).stdout
    assert "biharmonic" in said


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        ("utility s --real r --out x --positive a --negative b --drop-overlap --learning-rate 0", "--learning-rate 0"),
        ("data fetch isic --count 0 --query a --per-second 1 --out x", "--count 0: must be at least 1"),
        ("data fetch isic --count 1 --base http://127.0.0.1:9 --out x", "127.0.0.1"),
        ("study invite nowhere --cap 0 --note remark", "--cap 0"),
        ("study create --real r --synthetic s --protocol baur --unmatched --out x", "r: no such folder"),
        ("artefacts judge a b --classifier c --threshold 0.5", "a: no such folder"),
        ("evaluate s --resizer antialiased --photographs", "s: no such folder"),
        ("export s --with-flagged --out x", "s: no such folder"),
        ("latents project r photo.png --iterations 5 --out x", "r: not a run folder"),
        ("gallery r --inputs s --out x", "s: no such folder"),
        ("phantom --out x --jobs 0 --scheduler tcp://host:8786", "--jobs 0"),
        ("report r --page x.html", "r: not a run folder"),
        ("artefacts detect s --store-masks", "s: no such folder"),
    ],
)
def test_what_is_wrong_is_one_line(
    call: str, parts: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phantom: DataSet
) -> None:
    monkeypatch.chdir(tmp_path)
    words = call.split()
    if words[0] == "utility":  # the folders are there: something else is wrong
        words = [str(phantom.folder) if word in ("s", "r") else word for word in words]
    result = shell(*words, status=None)
    lines = [line for line in result.stderr.splitlines() if line.startswith("dermsynth: ")]
    assert result.returncode != 0
    assert len(lines) == 1, result.stderr
    assert parts in lines[0]
