import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dermsynth import locks
from dermsynth.errors import UserError
from dermsynth.io import command_line, set_command
from dermsynth.locks import LOCK, folder_lock

HOLDER = """
import sys
from pathlib import Path
from dermsynth.locks import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()  # until it is killed, or whoever holds the other end is gone
"""


def _holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_stops_with_one_line_and_a_killed_one_is_no_obstacle(tmp_path: Path) -> None:
    process = _holder(tmp_path / "run")
    with (
        pytest.raises(
            UserError, match=rf"process {process.pid} on \S+ writes into it since .*choose another folder with `out`"
        ),
        folder_lock(tmp_path / "run"),
    ):
        raise AssertionError
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with folder_lock(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_folder_made_for_the_lock_alone_goes_with_it(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()
    with folder_lock(tmp_path):
        pass
    assert tmp_path.exists()


def test_whoever_waited_for_a_file_that_was_removed_locks_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking the holder goes and takes its file along: the lock would hold nobody off."""
    inner, removed = locks._lock, []

    def late(file: object, folder: Path) -> bool:
        if not removed:
            (folder / LOCK).unlink()
            removed.append(1)
        return inner(file, folder)  # type: ignore[arg-type]

    monkeypatch.setattr(locks, "_lock", late)
    with folder_lock(tmp_path):
        assert (tmp_path / LOCK).exists()
        monkeypatch.setattr(locks, "_lock", inner)
        with pytest.raises(UserError, match="writes into it"), folder_lock(tmp_path):
            raise AssertionError


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(file: object, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with folder_lock(tmp_path):
        pass
    assert "this file system has no locks" in caplog.text


def test_a_stranger_s_text_in_the_file_is_no_traceback(tmp_path: Path) -> None:
    process = _holder(tmp_path)
    (tmp_path / LOCK).write_text("?")
    with pytest.raises(UserError, match="another process writes into it"), folder_lock(tmp_path):
        raise AssertionError
    process.kill()
    process.wait()


def test_a_script_has_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    monkeypatch.setattr("dermsynth.io._command", None)
    assert command_line() == "Python"
    set_command(["train", "secret", "--out", "a b"])
    assert command_line({"secret": "URL"}) == "dermsynth train URL --out 'a b'"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are not listed here")
def test_a_folder_that_is_held_leaves_no_open_file(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        errors, before = [], len(os.listdir("/proc/self/fd"))  # an error that is kept keeps the frames of its file
        for _ in range(3):
            with pytest.raises(UserError, match="writes into it") as caught, folder_lock(tmp_path):
                raise AssertionError
            errors.append(caught)
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_removed_before_its_file_is_opened_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, removed = Path.mkdir, []

    def late(self: Path, *args: object, **options: object) -> None:
        create(self, *args, **options)  # type: ignore[arg-type]
        if not removed:
            removed.append(self)
            self.rmdir()

    monkeypatch.setattr(Path, "mkdir", late)
    with folder_lock(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).exists()
