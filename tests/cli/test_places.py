"""A mistyped path, family, amount or experiment is answered before anything heavy is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet

ASK = """
import sys
from dermsynth.cli.app import main
try:
    main()
finally:
    print(*sorted({"torch", "pandas", "numpy", "scipy", "cv2"} & set(sys.modules)))
"""
RUN = "not a run folder (no config.json); train one with: dermsynth train"
SET = "not a data set (metadata.csv and dataset.json); make one with: dermsynth import"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train dcgan --data /nope --out x --images 1k", "--data /nope: no such folder"),
        ("train dcgan --data EMPTY --out x --images 1k", f"--data EMPTY: {SET}"),
        ("train dcgam --data SET --out x --images 1k", "family 'dcgam': unknown; there are: dcgan"),
        (
            "train dcgan --data SET --out x --images 1kk",
            "--images '1kk': write an amount of images as 500, 12k or 1.5M",
        ),
        ("train dcgan --data SET --out x --images 1k --snapshot x", "--snapshot 'x': write an amount of images"),
        ("advise /nope", "--data /nope: no such folder"),
        ("generate /nope --out x", f"/nope: {RUN}"),
        ("generate bsae --out x", f"bsae: {RUN}"),
        ("generate base --maps /nope --out x", "--maps /nope: no such folder"),
        ("translate /nope --input SET --out x", f"/nope: {RUN}"),
        ("evaluate /nope --against SET", "--synthetic /nope: no such folder"),
        ("evaluate SET --against /nope", "--against /nope: no such folder"),
        ("gate SET --training /nope", "--training /nope: no such folder"),
        ("utility SET --real /nope --out x --positive a --negative b", "--real /nope: no such folder"),
        ("export /nope --out x", "--synthetic /nope: no such folder"),
        ("audit /nope", "--folder /nope: no such folder"),
        ("audit SET --also SET --also /nope", "--also /nope: no such folder"),
        ("data verify /nope", "--folder /nope: no such folder"),
        ("artefacts detect /nope --out x", "--data /nope: no such folder"),
        ("experiment families --data /nope --out x", "--data /nope: no such folder"),
        ("experiment famlies --out x", "experiment 'famlies': unknown; there are: baur"),
        ("explore /nope", f"/nope: {RUN}"),
        ("report /nope", f"/nope: {RUN}"),
    ],
)
def test_a_slip_is_answered_before_anything_heavy_is_loaded(
    words: str, line: str, phantom: DataSet, tmp_path: Path
) -> None:
    places = {"SET": str(phantom.folder), "EMPTY": str(tmp_path)}
    call = [sys.executable, "-c", ASK, *(places.get(word, word) for word in words.split())]
    answer = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"dermsynth: {line.replace('EMPTY', str(tmp_path))}"), answer.stderr
    assert answer.stderr.count("\n") == 1
    assert answer.stdout.strip() == "", "nothing heavy was imported"
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_that_name_that_comes_with_the_package_is_no_path(tmp_path: Path) -> None:
    """`base` needs no folder; what is wrong with its checkpoint is said by the verb itself."""
    call = [sys.executable, "-m", "dermsynth.cli.app", "generate", "base", "--checkpoint", "7", "--out", "x"]
    answer = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert answer.returncode == 1
    assert "not a run folder" not in answer.stderr
