"""The measurement of a GPU runs, small and on a CPU: every family agrees with itself and resumes."""

import subprocess
import sys
from pathlib import Path

import pytest

from dermsynth.models.registry import FAMILIES

ROOT = Path(__file__).parents[2]


def _bench(*words: object) -> "subprocess.CompletedProcess[str]":
    call = [sys.executable, "-m", "bench.gpu", *map(str, words)]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.slow
def test_every_family_agrees_and_resumes_on_a_cpu(tmp_path: Path) -> None:
    answer = _bench("--device", "cpu", "--quick", "--out", tmp_path / "gpu.md")
    assert answer.returncode == 0, answer.stderr[-4000:]
    table = (tmp_path / "gpu.md").read_text()
    assert "failed" not in table
    assert all(f"| {name} | float32 | 0.0e+00 and 0.0e+00 | bit for bit |" in table for name in FAMILIES)


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU here")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    answer = _bench("--out", tmp_path / "gpu.md")
    assert answer.returncode == 1
    assert answer.stderr.strip().splitlines()[-1].startswith("bench.gpu: no GPU here; --device cpu --quick")
    assert not (tmp_path / "gpu.md").exists()
