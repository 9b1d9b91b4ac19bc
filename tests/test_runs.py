import contextlib
import json
import os
from pathlib import Path

import pytest

from dermsynth.errors import UserError
from dermsynth.runs import count_text, disk_errors, parse_count, read_json, read_json_lines, replacing, write_json


@pytest.mark.parametrize(("text", "value"), [("500", 500), ("12k", 12_000), ("1.5M", 1_500_000), ("0.5K", 500), (7, 7)])
def test_counts_are_read(text: str | int, value: int) -> None:
    assert parse_count(text) == value
    assert parse_count(count_text(value)) == value


@pytest.mark.parametrize("text", ["", "k", "-3", "0", "12q", "nan", "inf", "2kk", "2mk"])
def test_other_counts_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="amount of images"):
        parse_count(text)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with contextlib.suppress(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(UserError, match=r"the disk is full; free some space"), disk_errors(tmp_path / "x"):
        full.write_bytes(b"0" * 100_000)


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"a": 1}) + "\n" + '{"a": 2')
    assert read_json_lines(path) == [{"a": 1}]


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x80"])
def test_bad_json_names_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a\.json"):
        read_json(path)
