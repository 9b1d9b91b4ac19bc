"""What the pages name exists: source files, test files, test functions."""

import re
from pathlib import Path

import pytest

from dermsynth.metrics.registry import METRICS
from tests.docs.blocks import PAGES, ROOT, inline_code

SOURCES = {path.relative_to(ROOT / "src" / "dermsynth").as_posix() for path in (ROOT / "src").rglob("*.py")}
OTHERS = {
    path.relative_to(ROOT).as_posix()
    for folder in ("tests", "bench", "tools")
    for path in (ROOT / folder).rglob("*.py")
}
DATA_FOLDERS = (
    "docs/",
    "tools/",
    "images/",
    "masks/",
    "structures/",
    "artefacts/",
    "scores/",
    "samples/",
    "run/",
    "runs/",
    "synthetic/",
)
DATA_FOLDERS += ("checkpoints/", "evaluations/", "licenses/", "mlflow/", "tensorboard/", "trackio/", "wandb/")
FILES = SOURCES | OTHERS
TEXTS = "\n".join((ROOT / path).read_text("utf-8") for path in sorted(OTHERS) if path.startswith("tests/"))
TESTS = set(re.findall(r"^\s*(?:async )?def (test_\w+)", TEXTS, re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_and_test_that_a_page_names_exists(page: Path) -> None:
    codes = inline_code(page)
    files = {name for code in codes for name in re.findall(r"(?<![\w./])(?:\w+/)*\w+\.py\b", code)}
    folders = {name for code in codes for name in re.findall(r"^(?:\w+/)+$", code)}
    tests = {name for code in codes for name in re.findall(r"\btest_\w+\b(?!\.)", code)}
    assert not {name for name in files if not any(path == name or path.endswith(f"/{name}") for path in FILES)}
    assert not {
        name
        for name in folders
        if not name.startswith(DATA_FOLDERS) and not any(path.startswith(name) for path in FILES)
    }
    assert not tests - TESTS


def _files_called(name: str) -> list[Path]:
    folders = (ROOT, ROOT / "src" / "dermsynth")
    ends = [path for path in FILES if path == name or path.endswith(f"/{name}")]
    return [folder / path for path in ends for folder in folders if (folder / path).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_beside_a_file_is_in_that_file(page: Path) -> None:
    """`models/layers/translation.py` `ResidualUNet`: the file has that name, and so has each that follows after a comma."""
    missing = []
    for file, first, others in re.findall(
        r"`((?:\w+/)*\w+\.py)`,? `([A-Za-z_]\w*)`((?:, `[A-Za-z_]\w*`)*)", page.read_text("utf-8")
    ):
        text = "\n".join(path.read_text("utf-8") for path in _files_called(file))
        names = [first, *re.findall(r"\w+", others)]
        missing += [f"{file}: {name}" for name in names if not re.search(rf"\b{name}\b", text)]
    assert not missing


def test_the_architecture_names_every_folder_and_no_other() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("\n| folder |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)/`", row)}
    assert named == {path.parent.name for path in (ROOT / "src" / "dermsynth").glob("*/__init__.py")}


def test_the_page_of_metrics_has_every_metric_and_its_direction() -> None:
    rows = re.findall(r"^\| [^|]+ `(\w+)` \|(.+)\|$", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.M)
    for name, cells in rows:
        directions = {cell.strip() for cell in cells.split("|")} & {"lower", "higher"}
        assert directions == {METRICS[name].direction} - {"near"}, name
    assert sorted(name for name, _ in rows) == sorted(METRICS)
