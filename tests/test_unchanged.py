"""What earlier code found is found still: samples, resumed trainings and figures, against a committed fixture.

On the kind of processor and with the versions that the fixture was made with images and digests are equal bit for bit and
figures within `tests.unchanged.comparison.ROUNDING`, which argues why; elsewhere all is equal within `TOLERANCE` there, and
a warning says what differs. `tests/unchanged/chain.py` holds the commands.
"""

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unchanged import chain
from tests.unchanged.comparison import DIGEST, Rule, differences, image_differences, rule

MOST = 1_500_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unchanged")


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads(gzip.decompress(chain.EXPECTED.read_bytes()))


@pytest.fixture(scope="module")
def comparison(expected: dict[str, Any]) -> Rule:
    found = rule(expected["machine"])
    print(found.reason)
    if not found.exact:
        warnings.warn(found.reason, stacklevel=1)
    return found


@pytest.mark.parametrize("name", chain.PICTURES)
def test_samples_of_a_checkpoint(name: str, shell: chain.Shell, place: Path, comparison: Rule) -> None:
    with np.load(chain.SAMPLES) as samples:
        before = samples[name]
    found = image_differences(before, chain.PICTURES[name](shell, place), exact=comparison.exact)
    assert not found, f"{found}; {comparison.reason}"


@pytest.mark.parametrize("name", chain.RESULTS)
def test_results_of_a_verb(name: str, shell: chain.Shell, place: Path, expected: dict[str, Any]) -> None:
    """`machines` names the results that were written anew on another machine than all others."""
    comparison = rule(expected.get("machines", {}).get(name, expected["machine"]))
    found = json.loads(json.dumps(chain.RESULTS[name](shell, place)))
    lines = differences(expected["results"][name], found, exact=comparison.exact)
    assert not lines, "\n".join([f"{len(lines)} differences; {comparison.reason}", *lines[:20]])


def test_fixture_is_complete_and_small(expected: dict[str, Any]) -> None:
    with np.load(chain.SAMPLES) as samples:
        assert set(samples) == set(chain.PICTURES)
        assert all(len(np.unique(samples[name])) > 1 for name in samples)
    assert set(expected["results"]) == set(chain.RESULTS)
    files = [path for path in chain.HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < MOST


def test_comparison_sees_a_change() -> None:
    before = {"a": {"value": 1.0, DIGEST: "x"}, "b": ["red", 3]}
    assert differences(before, {"a": {"value": 1.0, DIGEST: "x"}, "b": ["red", 3]}, exact=True) == []
    assert differences(before, {"a": {"value": np.nextafter(1.0, 2), DIGEST: "x"}, "b": ["red", 3]}, exact=True) == []
    assert differences(before, {"a": {"value": 1.000001, DIGEST: "x"}, "b": ["red", 3]}, exact=True)
    assert differences(before, {"a": {"value": 1.0, DIGEST: "x"}, "b": ["red", 4]}, exact=True)
    assert differences(before, {"a": {"value": 1.0, DIGEST: "x"}, "b": ["red", 3.0 + 1e-8]}, exact=True)
    assert differences(before, {"a": {"value": 1.0, DIGEST: "y"}, "b": ["red", 3]}, exact=True)
    assert differences(before, {"a": {"value": 1.001, DIGEST: "y"}, "b": ["red", 3]}, exact=False) == []
    assert differences(before, {"a": {"value": 1.1, DIGEST: "x"}, "b": ["red", 3]}, exact=False)
    assert differences(before, {"a": {"value": 1.0, DIGEST: "x"}, "b": ["green", 3]}, exact=False)
    assert differences(before, {"a": {"value": 1.0}, "b": ["red", 3]}, exact=False)
    one = np.zeros((1, 2, 2, 3), np.uint8)
    assert image_differences(one, one, exact=True) == ""
    assert image_differences(one, one + np.eye(2, dtype=np.uint8)[None, :, :, None], exact=True)
    assert image_differences(one, one + np.uint8(1), exact=False)
