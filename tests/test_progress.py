import re
import time

import pytest

from dermsynth.progress import progress_bar


def test_rate_and_time_left_are_shown_where_it_takes_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress_bar(range(12), total=12, label="drawing", unit="img"):
        time.sleep(0.5)
    assert re.search(r"drawing: +\d+%.*\[\d\d:\d\d<\d\d:\d\d, +[\d.]+(img/s|s/img)\]", capsys.readouterr().err)


def test_nothing_is_shown_for_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress_bar(range(3), total=3, label="drawing", unit="img"))
    assert capsys.readouterr().err == ""
