import itertools
import re

import pytest

from dermsynth.progress import progress_bar
from dermsynth.training.display import short_names


def test_rate_and_time_left_are_shown_where_it_takes_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tqdm.std.time", itertools.count(0, 0.5).__next__)
    list(progress_bar(range(12), total=12, label="drawing", unit="img"))
    assert re.search(r"drawing: +\d+%.*\[\d\d:\d\d<\d\d:\d\d, +[\d.]+(img/s|s/img)\]", capsys.readouterr().err)


def test_nothing_is_shown_for_a_moment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tqdm.std.time", itertools.count(0, 0.1).__next__)
    list(progress_bar(range(3), total=3, label="drawing", unit="img"))
    assert capsys.readouterr().err == ""


def test_losses_of_several_players_are_told_apart() -> None:
    losses = {"discriminator16/real": 1.0, "discriminator32/real": 2.0, "generator/adversarial": 3.0}
    expected = {"discriminator16/real": 1.0, "discriminator32/real": 2.0, "adversarial": 3.0}
    assert short_names(losses) == expected
