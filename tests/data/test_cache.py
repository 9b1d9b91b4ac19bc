import subprocess
import sys
from pathlib import Path

import numpy as np

from dermsynth.data.cache import Decoding, cache_path, decoded
from dermsynth.data.dataset import DataSet
from dermsynth.images import fit, read_image

BUILD = """
import sys
from pathlib import Path
from dermsynth.data.cache import Decoding, decoded
from dermsynth.data.dataset import open_data_set
print(int(decoded(open_data_set(Path(sys.argv[1])), Decoding(12, 20, "pad"), jobs=1).sum(dtype="int64")))
"""


def test_the_cache_holds_what_reading_and_fitting_give(phantom: DataSet) -> None:
    images = decoded(phantom, Decoding(8, 12, "stretch"), jobs=1)
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
    decoded(copy, Decoding(8, 8), jobs=1)
    copy.paths[3].write_bytes(encode_png(np.zeros((16, 16, 3), np.uint8)))
    assert decoded(copy, Decoding(8, 8), jobs=1)[3].max() == 0


def test_two_processes_build_it_at_once(phantom: DataSet) -> None:
    path = cache_path(phantom, Decoding(12, 20, "pad"))
    assert not path.exists()
    command = [sys.executable, "-c", BUILD, str(phantom.folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = {p.communicate(timeout=120)[0].strip() for p in processes}
    assert all(p.returncode == 0 for p in processes)
    assert len(sums) == 1
    assert path.exists()
    assert not list(Path(path.parent).glob(".building-*"))
