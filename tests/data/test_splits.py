import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.data.splits import joined_groups, parse_shares, split
from dermsynth.errors import UserError


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(30, 300), st.integers(2, 4))
def test_a_split_never_cuts_a_group_and_covers_everything(seed: int, count: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count).astype(str).astype(object)
    groups = np.array([f"p{g}" for g in generator.integers(0, max(2, count // 3), count)], dtype=object)
    pairs = generator.integers(0, count, (3, 2))
    joined = joined_groups(groups, pairs)
    assert all(joined[a] == joined[b] for a, b in pairs)
    found = split(labels, joined, (0.8, 0.1, 0.1), seed)
    assert set(found) <= {"train", "validation", "test"}
    for group in np.unique(joined):
        assert len(set(found[joined == group])) == 1
    assert np.array_equal(found, split(labels, joined, (0.8, 0.1, 0.1), seed))


def test_shares_are_met_and_stratified() -> None:
    labels = np.array(["a"] * 800 + ["b"] * 200, dtype=object)
    found = split(labels, np.arange(1000), (0.7, 0.1, 0.2), 0)
    for label, total in (("a", 800), ("b", 200)):
        for name, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
            assert abs(((found == name) & (labels == label)).sum() / total - share) < 0.03


def test_a_class_of_four_images_is_for_training() -> None:
    labels = np.array(["a"] * 300 + ["rare"] * 4, dtype=object)
    found = split(labels, np.arange(304), (0.8, 0.1, 0.1), 0)
    assert (found[300:] == "train").all()


def test_blank_groups_are_groups_of_their_own() -> None:
    assert len(set(joined_groups(np.array(["", "", "x", "x"], dtype=object), np.empty((0, 2), int)))) == 3


@pytest.mark.parametrize("text", ["1", "0.5/0.5", "a/b/c", "0.8/0.1/0.2", "1.2/-0.1/-0.1"])
def test_bad_shares_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match="`shares`"):
        parse_shares(text)
