"""What tests of the command line share: an environment without a network."""

import os
from pathlib import Path

import pytest

from tests.warm import OFFLINE


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """Environment of a process that refuses every socket to anywhere, and writes what it refused into `network.log`."""
    path = os.pathsep.join([str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"DERMSYNTH_TEST_NETWORK_LOG": str(tmp_path / "network.log"), "PYTHONPATH": path}


def refused(environment: dict[str, str]) -> str:
    """What was tried, one line an attempt."""
    log = Path(environment["DERMSYNTH_TEST_NETWORK_LOG"])
    return log.read_text() if log.exists() else ""
