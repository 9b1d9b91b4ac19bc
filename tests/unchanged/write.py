"""Write the fixture of tests/test_unchanged.py: `python -m tests.unchanged.write`.

Only to be run by code whose results are known to be right: the test compares every later version with what is written here.
Where a result was changed on purpose, say in the commit's message which figures changed, and why.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from tests.unchanged import chain
from tests.unchanged.comparison import differences, machine

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
KEPT = ("best.json", "log.jsonl", "checkpoints")
"""What of a stopped run is committed, beside its configuration and environment; a training needs no more to go on."""


def _command(words: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "dermsynth.cli.app", *map(str, words)]


def _shell(*words: object) -> None:
    subprocess.run(_command(words), env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def _write_photographs(place: Path) -> None:
    """A phantom, as a folder of images with a sub-folder for each class."""
    data = chain.phantom(_shell, place / "drawn", 240, "--resolution", 32)
    rows = chain.table(data)
    with zipfile.ZipFile(chain.PHOTOGRAPHS, "w") as archive:
        for name, label in zip(rows["file_name"], rows["label"], strict=True):
            archive.writestr(zipfile.ZipInfo(f"{label}/{Path(name).name}"), (data / name).read_bytes())


def _killed(family: str, real: Path, run: Path) -> None:
    """Begin a run, and kill it without warning after its half-way checkpoint."""
    process = subprocess.Popen(_command(tuple(chain.training(family, real, run))), env=ENVIRONMENT)
    checkpoints, half = run / "checkpoints", f"{chain.FAMILIES[family].half:09d}"
    while process.poll() is None and not (checkpoints / half).exists():
        time.sleep(0.001)
    process.kill()
    process.wait()
    if sorted(path.name for path in checkpoints.glob("[0-9]*")) != ["0" * 9, half]:
        raise SystemExit(f"{run}: not stopped half-way; repeat the command")


def _write_run(family: str, real: Path, place: Path) -> None:
    """A run that was killed half-way, without the paths and names of the machine."""
    run, out = place / "killed" / family, chain.RUNS / family
    _killed(family, real, run)
    shutil.rmtree(run / "checkpoints" / ("0" * 9))
    out.mkdir(parents=True)
    for name in (name for name in KEPT if (run / name).exists()):
        (shutil.copytree if (run / name).is_dir() else shutil.copyfile)(run / name, out / name)
    config, environment = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "environment"))
    config["data"]["folder"] = "real"
    del environment["platform"]
    for name, value in (("config", config), ("environment", environment)):
        (out / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")


def _check_resume(family: str, real: Path, place: Path, resumed: chain.Figures) -> None:
    """The resumed run must end with the weights of one that was never stopped."""
    run = place / "whole" / family
    _shell(*chain.training(family, real, run))
    found = chain.weights(run, chain.FAMILIES[family].images)
    if lines := differences(found, resumed["weights"], exact=True):
        raise SystemExit(f"{family}: resumed and uninterrupted training differ: {lines[0]}")


def write(place: Path) -> None:
    """Write images, runs and results, in a new folder for what lies between."""
    _write_photographs(place)
    real = chain.import_photographs(_shell, place)
    shutil.rmtree(chain.RUNS, ignore_errors=True)
    for family in chain.FAMILIES:
        _write_run(family, real, place)
    samples = {name: pictures(_shell, place) for name, pictures in chain.PICTURES.items()}
    results = {name: result(_shell, place) for name, result in chain.RESULTS.items()}
    for family in chain.FAMILIES:
        _check_resume(family, real, place, results[f"train {family}"])
    np.savez_compressed(chain.SAMPLES, **samples)
    text = json.dumps({"machine": machine(), "results": results}, ensure_ascii=False)
    chain.EXPECTED.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
