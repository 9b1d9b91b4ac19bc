import re
from collections.abc import Callable
from pathlib import Path

import pytest

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
    for file in (
        "data/audit.html",
        "run/report.html",
        "synthetic/metadata.csv",
        "synthetic/assessment.json",
        "edited/edits.png",
    ):
        assert (tmp_path / file).stat().st_size > 0
