"""README and docs: every block is run, or says why not; every `dermsynth` line is one that the program understands."""

import importlib.util
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError

from dermsynth.cli.app import app
from tests.docs.blocks import PAGES, ROOT, SHELL, Block, blocks, inline_code

TUTORIAL = ROOT / "docs" / "tutorial.md"
LANGUAGES = (*SHELL, "python", "text", "toml")
OTHER_PROGRAMS = ("--nproc-per-node", "--by-colour", "--apart")
ALL = [block for page in PAGES for block in blocks(page)]


def _executed(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in (*SHELL, "python") and not block.mark]


WITH_BLOCKS = [page for page in PAGES if page != TUTORIAL and _executed(page)]


def _opens_with_hugging_face(folder: Path, cache: Path) -> None:
    """A set opens as one split that holds every image."""
    if importlib.util.find_spec("datasets") is None:
        return
    import datasets

    opened = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))
    count = len(pd.read_csv(folder / "metadata.csv"))
    assert {name: len(rows) for name, rows in opened.items()} == {"train": count}, folder


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Time and size of every file of a folder, which need not exist."""
    return {path: (stat.st_mtime_ns, stat.st_size) for path in folder.rglob("*") if (stat := path.stat())}


@pytest.fixture(scope="module")
def tutorial(shell: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which every command of the tutorial was run, in order."""
    folder = tmp_path_factory.mktemp("tutorial")
    home = Path.cwd()
    seen: dict[str, object] = {name: {} for name in ("data", "synthetic", "edited")}
    os.chdir(folder)
    try:
        for block in _executed(TUTORIAL):
            for program, *words in block.commands():
                assert program == "dermsynth", block
                shell(*words)
                for name, before in seen.items():
                    if before != _files(folder / name):  # at every stage at which a command has changed something in it
                        _opens_with_hugging_face(folder / name, folder / "cache")
                    seen[name] = _files(folder / name)
    finally:
        os.chdir(home)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return folder


def test_every_command_of_the_tutorial_works(tutorial: Path) -> None:
    assert sum(len(block.commands()) for block in _executed(TUTORIAL)) == 9
    for file in (
        "data/audit.html",
        "run/report.html",
        "synthetic/metadata.csv",
        "synthetic/assessment/assessment.json",
        "edited/edits.png",
    ):
        assert (tutorial / file).stat().st_size > 0


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_of_a_page_works_in_the_tutorials_folder(
    page: Path, tutorial: Path, shell: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tutorial, folder)
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in _executed(page):
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
            continue
        for program, *words in block.commands():
            assert program == "dermsynth", f"{block}: only dermsynth is run; mark the block: <!-- not run: REASON -->"
            shell(*words)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_block_says_what_it_is(block: Block) -> None:
    assert block.language in LANGUAGES
    lines = block.text.splitlines()
    if block.language not in SHELL:
        assert not any(line.startswith(("dermsynth ", "make ", "pip ", "$ ")) for line in lines), "a shell line"
    assert not block.mark or len(block.mark.split()) > 2, "a reason in words"


def _problem(words: list[str], *, complete: bool) -> str:
    """What the program has against a command, which is not carried out; "" for nothing."""
    try:
        command, _, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError as error:
        return str(error) if complete else ""
    except CycloptsError as error:
        return str(error)
    return "a group without a verb" if complete and command == app.help_print and "--help" not in words else ""


def test_the_check_of_commands_refuses_wrong_ones() -> None:
    assert "--nope" in _problem(shlex.split("audit data --nope"), complete=True)
    assert "nope" in _problem(["nope"], complete=False)
    assert _problem(["train"], complete=True)
    assert not _problem(["train"], complete=False)
    assert not _problem(shlex.split("phantom --out data --count 160"), complete=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_is_understood_by_the_program(page: Path) -> None:
    shell_blocks = [block for block in blocks(page) if block.language in SHELL]
    lines = [(str(block), words) for block in shell_blocks for words in block.commands() if words[0] == "dermsynth"]
    problems = {
        f"{place}: {shlex.join(words)}": _problem(words[1:], complete=True)
        for place, words in lines
        if ">" not in words and "..." not in words
    }
    for code in inline_code(page):
        if code.startswith("dermsynth ") and "..." not in code and "|" not in code:
            problems[f"`{code}`"] = _problem(shlex.split(code)[1:], complete=False)
    assert not {line: problem for line, problem in problems.items() if problem}


@pytest.fixture(scope="module")
def flags() -> set[str]:
    """Every flag of every verb."""
    reference = app.generate_docs(output_format="markdown", recursive=True)
    return {*re.findall(r"--[a-z][\w-]*", reference), "--help", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_flag_on_a_page_is_one_of_the_program(page: Path, flags: set[str]) -> None:
    named = {flag for code in inline_code(page) for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", code)}
    assert not named - flags - set(OTHER_PROGRAMS)
