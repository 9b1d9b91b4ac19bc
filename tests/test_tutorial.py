import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest


def _opens_with_hugging_face(folders: list[Path], cache: Path) -> None:
    """At every stage a set opens as one split that holds every image."""
    if importlib.util.find_spec("datasets") is None:
        return
    import datasets

    for folder in folders:
        if (folder / "metadata.csv").exists():
            found = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))
            count = len(pd.read_csv(folder / "metadata.csv"))
            assert {name: len(rows) for name, rows in found.items()} == {"train": count}, folder


PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"


def test_every_command_of_the_tutorial_works(
    shell: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [
        line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.S) for line in block.splitlines()
    ]
    assert len(commands) == 9
    for command in commands:
        program, *words = command.split()
        assert program == "dermsynth"
        shell(*words)
        _opens_with_hugging_face([tmp_path / name for name in ("data", "synthetic", "edited")], tmp_path / "cache")
    for file in (
        "data/audit.html",
        "run/report.html",
        "synthetic/metadata.csv",
        "synthetic/assessment/assessment.json",
        "edited/edits.png",
    ):
        assert (tmp_path / file).stat().st_size > 0
