import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dermsynth import cache
from dermsynth.cache import cache_folder, use_cache
from dermsynth.data.cache import Decoding, cache_path, decode_images
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.errors import UserError
from dermsynth.images import fit, read_image

BUILD = """
import sys
from pathlib import Path
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import open_data_set
print(int(decode_images(open_data_set(Path(sys.argv[1])), Decoding(12, 20, "pad"), jobs=1).sum(dtype="int64")))
"""


def test_the_cache_holds_what_reading_and_fitting_give(phantom: DataSet) -> None:
    images = decode_images(phantom, Decoding(8, 12, "stretch"), jobs=1)
    assert images.shape == (240, 3, 8, 12)
    for index in (0, 117, 239):
        expected = fit(read_image(phantom.paths[index]), 8, 12, "stretch", "area")
        assert np.array_equal(images[index], expected.transpose(2, 0, 1))


def test_the_key_follows_content_and_settings(phantom: DataSet) -> None:
    half = phantom.select(np.arange(240) < 120)
    keys = {cache_path(d, s) for d in (phantom, half) for s in (Decoding(8, 8), Decoding(8, 8, "pad"), Decoding(8, 9))}
    assert len(keys) == 6


def test_an_image_replaced_under_its_name_is_seen(phantom: DataSet, tmp_path: Path) -> None:
    import shutil

    from dermsynth.data.dataset import open_data_set
    from dermsynth.images import encode_png

    shutil.copytree(phantom.folder, tmp_path / "copy")
    copy = open_data_set(tmp_path / "copy")
    decode_images(copy, Decoding(8, 8), jobs=1)
    copy.paths[3].write_bytes(encode_png(np.zeros((16, 16, 3), np.uint8)))
    assert decode_images(copy, Decoding(8, 8), jobs=1)[3].max() == 0


def test_two_processes_build_it_at_once(phantom: DataSet) -> None:
    path = cache_path(phantom, Decoding(12, 20, "pad"))
    path.unlink(missing_ok=True)
    command = [sys.executable, "-c", BUILD, str(phantom.folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = {p.communicate(timeout=400)[0].strip() for p in processes}
    assert all(p.returncode == 0 for p in processes)
    assert len(sums) == 1
    assert path.exists()
    assert not list(Path(path.parent).glob(".building-*"))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home and a data set in which nothing can be written, whoever asks."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache._temporary_folder.cache_clear()
    yield tmp_path
    use_cache(None)
    cache._temporary_folder.cache_clear()


def _copy(data_set: DataSet, folder: Path) -> DataSet:
    shutil.copytree(data_set.folder, folder)
    return open_data_set(folder)


def test_where_no_cache_can_be_written_a_temporary_one_is_said(
    phantom: DataSet, closed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_set = _copy(phantom, closed / "set")
    for _ in range(2):
        assert decode_images(data_set, Decoding(8, 8), jobs=1).shape == (240, 3, 8, 8)
    told = caplog.text
    assert told.count("cannot be written: images are decoded into") == 1
    assert "`cache` DIR" in told
    assert "XDG_CACHE_HOME" in told
    assert cache_path(data_set, Decoding(8, 8)).is_relative_to(closed)


def test_the_variable_and_the_option_help(phantom: DataSet, closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_set = _copy(phantom, closed / "set")
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed / "xdg"))
    decode_images(data_set, Decoding(8, 8), jobs=1)
    assert len(list((closed / "xdg" / "dermsynth").glob("8x8-*.npy"))) == 1
    use_cache(closed / "chosen")
    decode_images(data_set, Decoding(8, 8), jobs=1)
    assert len(list((closed / "chosen").glob("8x8-*.npy"))) == 1
    assert cache_folder() == closed / "chosen"
    with pytest.raises(UserError, match="`cache` /dev/null/x: cannot be written; name a folder that can"):
        use_cache(Path("/dev/null/x"))


def test_nothing_is_cached_in_the_set(phantom: DataSet, closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_set = _copy(phantom, closed / "set")
    before = sorted(data_set.folder.rglob("*"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed / "xdg"))
    decode_images(data_set, Decoding(8, 9), jobs=1)
    assert sorted(data_set.folder.rglob("*")) == before
    assert cache_path(data_set, Decoding(8, 9)) == cache_path(phantom, Decoding(8, 9))


def test_sets_without_a_record_share_nothing(phantom: DataSet, closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed / "xdg"))
    sides = [_copy(phantom, closed / name) for name in ("one", "two")]
    for side in sides:
        (side.folder / "files.csv").unlink()
    assert cache_path(sides[0], Decoding(8, 9)) != cache_path(sides[1], Decoding(8, 9))


def test_read_only_data_and_home_on_the_command_line(
    phantom: DataSet, tmp_path: Path, shell: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    data_set = _copy(phantom, tmp_path / "set")
    before = sorted(os.listdir(data_set.folder))
    words = ("train", "dcgan", "--data", data_set.folder, "--resolution", 16, "--batch", 8, "--images", 8, "--unconditional",
             "--device", "cpu", "--threads", 1)  # fmt: skip
    told = shell(*words, "--out", tmp_path / "one", HOME="/dev/null", XDG_CACHE_HOME="").stderr
    assert "--cache DIR (or the variable XDG_CACHE_HOME)" in told
    told = shell(*words, "--out", tmp_path / "two", "--cache", tmp_path / "cache", HOME="/dev/null").stderr
    assert "cannot be written" not in told
    assert list((tmp_path / "cache").glob("16x16-*.npy"))
    assert sorted(os.listdir(data_set.folder)) == before
    told = shell(*words, "--out", tmp_path / "three", "--cache", "/dev/null/x", status=1).stderr
    assert told.splitlines()[-1] == "dermsynth: --cache /dev/null/x: cannot be written; name a folder that can"
