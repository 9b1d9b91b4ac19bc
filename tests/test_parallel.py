"""One map over many items: here, on several processes, and on a Dask cluster."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermsynth import parallel
from dermsynth.artefacts.annotate import annotate_artefacts
from dermsynth.cache import use_cache
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import open_data_set
from dermsynth.data.importers.generic import from_folder
from dermsynth.data.importers.importing import import_source
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.evaluation.feature_cache import appearances
from dermsynth.parallel import parallel_map, use_workers, workers
from tests.tasks import process, square
from tests.warm import WAIT

COUNT = 24


@pytest.mark.parametrize(("jobs", "chunk"), [(1, 1), (1, 4), (2, 3)])
def test_results_come_in_the_order_of_the_items(jobs: int, chunk: int) -> None:
    assert parallel_map(square, range(10), jobs=jobs, chunk=chunk) == [k * k for k in range(10)]
    assert parallel_map(square, [], jobs=jobs, chunk=chunk) == []


def test_a_number_of_jobs_or_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="`jobs` 0: must be at least 1"):
        use_workers(0)
    with pytest.raises(UserError, match="`scheduler` nonsense: no scheduler answers there"):
        use_workers(scheduler="nonsense")


def test_workers_of_a_block_are_those_of_before_afterwards() -> None:
    with workers(1):
        assert parallel_map(process, range(4)) == [process(0)] * 4
    assert process(0) not in parallel_map(process, range(4), jobs=2)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel")
    drawn = write_phantom(folder / "drawn", COUNT, PhantomSettings(48, 48), jobs=1)
    for path, label in zip(drawn.paths, drawn.labels, strict=True):
        target = folder / "photographs" / str(label) / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder / "photographs"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    import dask

    patient = {f"distributed.comm.timeouts.{name}": f"{WAIT} s" for name in ("connect", "tcp")}
    with (
        dask.config.set(patient),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
    ):
        yield cluster.scheduler_address


def _chain(photographs: Path, out: Path) -> dict[str, bytes]:
    """Import, artefact detection and features, all cached beside the set; every file but the record of times, by name."""
    use_cache(out.parent / "cache")
    import_source(from_folder(photographs), out)
    marked = annotate_artefacts(open_data_set(out))
    decoding = Decoding(32, 32)
    images = decode_images(marked, decoding)
    features = appearances(marked, np.asarray(images), decoding)
    assert features.shape[0] == COUNT
    use_cache(None)
    files = [path for path in sorted(out.parent.rglob("*")) if path.is_file() and path.name != "files.csv"]
    return {path.relative_to(out.parent).as_posix(): path.read_bytes() for path in files}


def test_a_dask_cluster_writes_the_same_files(
    photographs: Path, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    monkeypatch.setattr(parallel, "CONNECT_SECONDS", WAIT)
    with workers(1):
        here = _chain(photographs, tmp_path / "here" / "set")
    with workers(scheduler=scheduler):
        there = _chain(photographs, tmp_path / "there" / "set")
        processes = set(parallel_map(process, range(40)))
    with Client(scheduler, set_as_default=False) as client:
        assert processes <= set(client.run(process, 0).values())
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
    assert sum(name.endswith(".png") for name in here) == 2 * COUNT
    assert sum(name.endswith(".npy") for name in here) == 2


def test_no_jobs_are_refused_and_one_job_computes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="`jobs` 0: must be at least 1"):
        parallel_map(square, [1, 2], jobs=0)
    monkeypatch.setattr(parallel, "_workers", parallel.Workers(1, "tcp://127.0.0.1:1"))
    assert parallel_map(process, [1], jobs=1) == [process(0)]


def test_one_job_leaves_the_threads_of_opencv_alone() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        assert parallel_map(_threads, [1], jobs=1) == [2]
    finally:
        cv2.setNumThreads(before)


def _threads(_: int) -> int:
    return cv2.getNumThreads()


def test_files_are_read_by_as_many_threads_as_jobs() -> None:
    with workers(2):
        assert parallel.thread_count(None, 8) == 2
    assert parallel.thread_count(3, 8) == 3
    assert parallel.thread_count(30, 8) == 8
    with pytest.raises(UserError, match="`jobs` 0: must be at least 1"):
        parallel.thread_count(0, 8)
