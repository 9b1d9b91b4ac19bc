"""A data set in memory, and parts of it: nothing in the folder is lost, and a part is not taken for the whole."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermsynth.artefacts.annotate import annotate_artefacts
from dermsynth.artefacts.annotations import TABLE, with_annotations
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.manifest import content_hash, read_record
from dermsynth.data.tables import read_table
from dermsynth.data.writing import add_columns, write_table
from dermsynth.errors import UserError
from dermsynth.evaluation.results import default_folder


@pytest.fixture
def copy(phantom: DataSet, tmp_path: Path) -> DataSet:
    shutil.copytree(phantom.folder, tmp_path / "set")
    return open_data_set(tmp_path / "set")


def _first(data_set: DataSet, count: int) -> DataSet:
    return data_set.select(np.arange(len(data_set)) < count)


def test_columns_of_a_part_leave_the_other_rows_in_the_table(copy: DataSet) -> None:
    add_columns(copy, {"score": np.arange(len(copy))}, {})
    stale = replace(copy, table=copy.table.iloc[::-1].reset_index(drop=True))
    part = add_columns(_first(stale, 2), {"score": np.array(["x", "y"]), "new": np.array(["1", "2"])}, {"fact": 1})
    assert list(part.table["score"]) == ["x", "y"]
    whole = open_data_set(copy.folder)
    assert whole.table["file_name"].equals(copy.table["file_name"])
    assert list(whole.table["score"]) == [*map(str, range(len(copy) - 2)), "y", "x"]
    assert list(whole.table["new"]) == [*[""] * (len(copy) - 2), "2", "1"]
    assert whole.content_hash == copy.content_hash


def test_columns_of_rows_that_are_gone_are_refused(copy: DataSet) -> None:
    write_table(copy.folder, copy.table.iloc[1:])
    with pytest.raises(UserError, match="no longer in the data set's table"):
        add_columns(copy, {"score": np.arange(len(copy))}, {})
    assert len(open_data_set(copy.folder)) == len(copy) - 1


def test_annotations_of_a_part_keep_those_of_the_others(copy: DataSet, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    before = annotate_artefacts(copy, out=apart, masks=False, jobs=1)
    part = annotate_artefacts(_first(before, 2), masks=False, jobs=1)
    assert len(part) == 2
    assert len(read_table(apart / TABLE)) == len(copy)
    assert with_annotations(copy, apart).table.equals(before.table)


def test_a_part_has_a_content_hash_of_its_own(copy: DataSet) -> None:
    record = read_record(copy.folder)
    assert record is not None
    part = _first(copy, 2)
    assert part.content_hash == content_hash(copy.table["file_name"][:2], record)
    assert part.whole_hash == copy.content_hash
    assert _first(copy, len(copy)).content_hash == copy.content_hash
    assert copy.part(np.arange(len(copy)) < 2).content_hash == copy.content_hash
    assert part.part(np.array([True, False])).content_hash == part.content_hash
    write_table(copy.folder, copy.table.iloc[:2])
    assert open_data_set(copy.folder).content_hash == part.content_hash


def test_results_of_a_part_need_a_folder_of_their_own(copy: DataSet, tmp_path: Path) -> None:
    assert default_folder(copy, None).parent == copy.folder
    with pytest.raises(UserError, match=r"`out`: only 2 images of .* were selected"):
        default_folder(_first(copy, 2), None)
    assert default_folder(_first(copy, 2), tmp_path / "apart") == tmp_path / "apart"


def test_data_sets_can_be_compared_and_hashed(copy: DataSet) -> None:
    assert copy == copy
    assert copy != _first(copy, 2)
    assert len({copy, _first(copy, 2)}) == 2


def test_an_undivided_set_is_for_training(copy: DataSet) -> None:
    undivided = replace(copy, table=copy.table.drop(columns="split", errors="ignore"))
    assert len(undivided.split("train")) == len(undivided.split("all")) == len(copy)
    assert undivided.in_split("train").all()
    assert not undivided.in_split("test").any()
    with pytest.raises(UserError, match=r"`split` 'test': no such split in .*; there are: all, train"):
        undivided.split("test")


def test_a_column_of_numbers_that_is_missing_is_named(copy: DataSet) -> None:
    with pytest.raises(UserError, match=r"`column` 'age': no such column in .*; there are: file_name"):
        copy.numbers("age")
