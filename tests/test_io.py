import contextlib
import errno
import json
import os
from pathlib import Path

import pytest

from dermsynth import io
from dermsynth.cli.app import _way_out
from dermsynth.errors import DiskError, UserError
from dermsynth.io import (
    count_text,
    disk_errors,
    parse_count,
    read_json,
    read_json_lines,
    replace_file,
    replace_folder,
    write_json,
    write_within,
)


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
    with contextlib.suppress(RuntimeError), replace_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("count", [3, io.MANY + 1])
def test_all_files_of_a_new_folder_are_on_the_disk_before_it_is_in_its_place(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, synchronised = tmp_path / "out", list[Path]()

    def whole_system() -> None:
        assert not out.exists()
        synchronised.extend(path for path in tmp_path.rglob("*") if path.is_file())

    monkeypatch.setattr(io, "_synchronise", synchronised.append)
    monkeypatch.setattr(os, "sync", whole_system)
    with replace_folder(out) as work:
        for number in range(count):
            write_within(work / "images" / f"{number}.png", b"x")
    assert sorted(path.name for path in synchronised) == sorted(path.name for path in (out / "images").iterdir())


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(UserError, match=r"the disk is full; free some space"), disk_errors(tmp_path / "x"):
        full.write_bytes(b"0" * 100_000)


def test_only_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    """What is read meanwhile is another matter: --out would not help."""
    out = tmp_path / "out" / "table.csv"
    missing = rf"^{tmp_path / 'set' / 'a.png'}: cannot be read \(no such file or directory\)$"
    with pytest.raises(UserError, match=missing), replace_file(out):
        (tmp_path / "set" / "a.png").read_bytes()
    for folder, reason in (
        ("/dev/null/x", "not a directory"),
        ("/proc/x", r"cannot be written \(no such file or directory\)"),
    ):
        with (
            pytest.raises(UserError, match=rf"^{folder}/table\.csv: {reason}$"),
            replace_file(Path(folder) / "table.csv"),
        ):
            raise AssertionError
    closed = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "out" / ".table.csv.x.part"))
    with (
        pytest.raises(DiskError, match=r"table.csv: cannot be written \(permission denied\)$") as caught,
        disk_errors(out),
    ):
        raise closed
    assert caught.value.path == out


@pytest.mark.parametrize(
    ("path", "words", "way"),
    [
        ("/x/out/a.csv", ["train", "--out", "/x/out"], "; choose another --out"),
        ("/x", ["train", "--out=/x/out"], "; choose another --out"),
        ("/y/a.npy", ["train", "--out", "/x/out", "--cache", "/y"], "; choose another --cache"),
        ("/set/metadata.csv", ["artefacts", "detect", "/set"], "copy it to a place that can be written"),
        (
            "/home/me/.cache/dermsynth/weights/x.pth",
            ["evaluate", "/set"],
            "; set XDG_CACHE_HOME to a folder that can be written",
        ),
    ],
)
def test_the_way_out_is_the_option_that_leads_there(
    path: str, words: list[str], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert _way_out(Path(path), words).endswith(way)
    assert _way_out(None, words) == ""


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
