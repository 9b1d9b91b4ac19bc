"""Runs and data sets that cannot be written: images are made from them, and nothing in them changes."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dermsynth.data.cache import use_cache
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.sampling.generate import generate, load_generator
from dermsynth.sampling.translate import translate
from dermsynth.training.loop import train
from tests.conftest import tiny_config

NOBODY = 65534


def as_other_user(work: Callable[[], object]) -> None:
    """Carry out `work` in a process without root's rights; it must end well."""
    if os.getuid() != 0:
        work()
        return
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def protect(folder: Path) -> None:
    """Mode 555 for every folder, 444 for every file."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def state(folder: Path) -> dict[str, int]:
    """Every path with the time of its last change."""
    return {str(path): path.stat().st_mtime_ns for path in (folder, *sorted(folder.rglob("*")))}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user can reach, with one in which every user can write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    yield folder
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        path.chmod(0o755)
    use_cache(None)
    shutil.rmtree(folder)


def require_protected(folder: Path) -> None:
    with pytest.raises(PermissionError):
        (folder / "new").touch()


def test_a_run_that_cannot_be_written_is_sampled(run: Path, tmp_path: Path, place: Path) -> None:
    expected = generate(load_generator(run, device="cpu"), {"nevus": 3}, tmp_path / "set")
    copy = Path(shutil.copytree(run, place / "run"))
    protect(copy)
    before = state(copy)

    def work() -> None:
        require_protected(copy)
        generate(load_generator(copy, which="best", device="cpu"), {"nevus": 3}, place / "out" / "set")

    as_other_user(work)
    assert open_data_set(place / "out" / "set").content_hash == expected.content_hash
    assert state(copy) == before


def test_a_data_set_that_cannot_be_written_is_translated(phantom: DataSet, tmp_path: Path, place: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="cyclegan", images=8)
    train(tmp_path / "run", config, chosen, device="cpu")
    expected = translate(load_generator(tmp_path / "run", device="cpu"), phantom, tmp_path / "set", to="nevus")
    copy, data = (
        Path(shutil.copytree(tmp_path / "run", place / "run")),
        Path(shutil.copytree(phantom.folder, place / "data")),
    )
    protect(copy)
    protect(data)
    before = state(copy), state(data)

    def work() -> None:
        require_protected(data)
        use_cache(place / "out" / "cache")
        translate(load_generator(copy, device="cpu"), open_data_set(data), place / "out" / "set", to="nevus")

    as_other_user(work)
    assert open_data_set(place / "out" / "set").content_hash == expected.content_hash
    assert (state(copy), state(data)) == before
