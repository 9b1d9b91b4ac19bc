"""Files of a data set changed, deleted or added in place are named; everything that may happen to a set is not."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.audit import audit
from dermsynth.data.cache import Decoding, cache_path, decode_images
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.manifest import RECORD, hash_of_ends, read_record
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.training_set import Selection, rows_hash
from dermsynth.data.verification import ChangedData, differences_of, verify
from dermsynth.data.writing import add_columns, write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.memorisation import check_copies
from dermsynth.export.huggingface import export
from dermsynth.images import encode_png, read_image
from dermsynth.io import file_hash, read_json, write_json
from dermsynth.models.inputs import DataRequest
from dermsynth.training.data import load_training_images

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def copy(phantom: DataSet, tmp_path: Path) -> DataSet:
    """A copy of the phantom, with the times of now."""
    shutil.copytree(phantom.folder, tmp_path / "set", copy_function=shutil.copy)
    return open_data_set(tmp_path / "set")


def _invert(path: Path) -> None:
    path.write_bytes(encode_png(255 - read_image(path)))


def _same_size_and_time(path: Path) -> None:
    """Another content that cannot be told by size and time."""
    state, data = path.stat(), bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def _without_record(data_set: DataSet) -> DataSet:
    """As sets were written before there were records."""
    (data_set.folder / RECORD).unlink()
    known = hash_of_ends(data_set.folder, data_set.table["file_name"])
    write_json(data_set.folder / "dataset.json", {**data_set.description, "content_hash": known})
    return open_data_set(data_set.folder)


def test_the_record_is_what_the_files_are(phantom: DataSet) -> None:
    record = read_record(phantom.folder)
    assert record is not None
    assert set(record) == {n for c in ("file_name", "mask_file_name", "structures") for n in phantom.table[c]}
    for name in (phantom.table["file_name"].iloc[7], phantom.table["mask_file_name"].iloc[9]):
        path = phantom.folder / name
        assert record[name] == (path.stat().st_size, path.stat().st_mtime_ns, file_hash(path))


def test_a_set_and_its_copies_hold(phantom: DataSet, copy: DataSet, tmp_path: Path) -> None:
    for one in (phantom, copy):
        verify(one)
        verify(one, full=True)
    (tmp_path / "set").rename(tmp_path / "moved")
    moved = open_data_set(tmp_path / "moved")
    verify(moved)
    assert moved.content_hash == phantom.content_hash


def test_changed_deleted_and_added_files_are_counted_and_named(copy: DataSet) -> None:
    images, masks = list(copy.table["file_name"]), list(copy.table["mask_file_name"])
    for name in images[10:15]:
        _invert(copy.folder / name)
    (copy.folder / masks[3]).write_bytes(encode_png(np.zeros((16, 16), np.uint8)))
    (copy.folder / masks[4]).unlink()
    (copy.folder / images[5]).unlink()
    shutil.copy(copy.folder / images[0], copy.folder / "images" / "new.PNG")
    (copy.folder / "images" / ".hidden.png").write_bytes(b"")
    (copy.folder / "images" / "notes.txt").write_text("not an image")
    found = differences_of(copy)
    assert (sorted(found.changed), sorted(found.deleted), found.added) == (
        sorted([*images[10:15], masks[3]]), sorted([images[5], masks[4]]), ("images/new.PNG",),
    )  # fmt: skip
    told = rf"6 changed \({images[10]}, {images[11]}, {images[12]}, \.\.\.\); 2 deleted \(.*{images[5]}.*\); 1 added \(images/new.PNG\); put"
    with pytest.raises(ChangedData, match=told):
        verify(copy)


def test_a_row_that_the_record_does_not_know(copy: DataSet) -> None:
    shutil.copy(copy.paths[0], copy.folder / "images" / "new.png")
    row = copy.table.iloc[:1].assign(file_name="images/new.png")
    pd.concat([copy.table, row]).to_csv(copy.folder / "metadata.csv", index=False)
    with pytest.raises(ChangedData, match=r"1 added \(images/new.png\); remove what was added, or import"):
        verify(open_data_set(copy.folder))


def test_what_size_and_time_cannot_tell_a_full_check_does(copy: DataSet) -> None:
    shutil.copystat(copy.paths[0], copy.paths[1])
    verify(copy)  # another time, the same content
    fresh = write_phantom(copy.folder / "fresh", 20, PhantomSettings(16, 16), jobs=1)
    _same_size_and_time(fresh.paths[4])
    verify(fresh)
    with pytest.raises(ChangedData, match=rf"1 changed \({fresh.table['file_name'].iloc[4]}\)"):
        verify(fresh, full=True)


def test_columns_may_be_edited_and_rows_removed(copy: DataSet) -> None:
    before = copy.content_hash
    relabelled = copy.table.assign(label=["nevus"] * len(copy.table), note="seen")
    relabelled.to_csv(copy.folder / "metadata.csv", index=False)
    verify(open_data_set(copy.folder))
    assert open_data_set(copy.folder).content_hash == before
    relabelled.iloc[:-1].to_csv(copy.folder / "metadata.csv", index=False)
    (copy.paths[-1]).unlink()
    verify(open_data_set(copy.folder), full=True)
    assert open_data_set(copy.folder).content_hash != before


def test_columns_that_the_program_adds_are_recorded_with_their_files(copy: DataSet) -> None:
    (copy.folder / "artefacts").mkdir()
    names = [f"artefacts/{i}.png" for i in range(len(copy.table))]
    for round_ in (1, 2):  # found anew, the files are others
        for name in names:
            (copy.folder / name).write_bytes(encode_png(np.full((4, 4), round_, np.uint8)))
        marked = add_columns(copy, {"artefacts_file_name": np.array(names), "score": np.arange(len(names))}, {})
        verify(marked, full=True)
    _invert(copy.paths[2])
    again = add_columns(marked, {"artefacts_file_name": np.array(names)}, {})
    with pytest.raises(ChangedData, match=f"1 changed.*{copy.table['file_name'].iloc[2]}"):
        verify(again)  # what the program adds does not make a changed image a known one
    (copy.folder / names[5]).write_bytes(b"another")
    with pytest.raises(ChangedData, match=names[5]):
        verify(again)


def test_the_hash_is_of_every_byte(tmp_path: Path) -> None:
    """Sizes, starts and ends alike, another byte in the middle."""
    hashes = []
    for value in (b"a", b"b"):
        folder = tmp_path / value.decode()
        (folder / "images").mkdir(parents=True)
        (folder / "images" / "0.png").write_bytes(b"0" * 5000 + value + b"0" * 5000)
        hashes.append(
            write_data_set(folder, pd.DataFrame({"file_name": ["images/0.png"]}), Provenance(), Step()).content_hash
        )
    assert hashes[0] != hashes[1]


def test_sets_written_before_keep_their_hash(copy: DataSet, caplog: pytest.LogCaptureFixture) -> None:
    old = _without_record(copy)
    assert old.content_hash == read_json(copy.folder / "dataset.json")["content_hash"]
    verify(old)
    assert "without a record of its files (files.csv)" in caplog.text
    _invert(old.paths[0])
    with pytest.raises(ChangedData, match="images or rows are others"):
        verify(old)
    old.paths[0].unlink()
    with pytest.raises(ChangedData, match=f"1 deleted.*{old.table['file_name'].iloc[0]}"):
        verify(old)


def test_a_set_whose_hash_is_no_hash_is_used_and_said(copy: DataSet, caplog: pytest.LogCaptureFixture) -> None:
    (copy.folder / RECORD).unlink()
    write_json(copy.folder / "dataset.json", {**copy.description, "content_hash": "by hand"})
    verify(open_data_set(copy.folder))
    assert "changes of images cannot be seen" in caplog.text
    by_hand = open_data_set(copy.folder)
    before = rows_hash(by_hand)
    assert rows_hash(by_hand) == before
    _invert(by_hand.paths[0])
    assert rows_hash(by_hand) != before  # so that no training goes on with other images


def test_a_lost_record_leaves_the_hash_of_all(copy: DataSet) -> None:
    (copy.folder / RECORD).unlink()
    verify(open_data_set(copy.folder))
    _same_size_and_time(copy.paths[7])
    with pytest.raises(ChangedData, match="which would name them"):
        verify(open_data_set(copy.folder))


def test_a_damaged_record_is_one_line(copy: DataSet) -> None:
    (copy.folder / RECORD).write_text("name,size\nx,1\n")
    with pytest.raises(UserError, match=r"files\.csv: damaged"):
        open_data_set(copy.folder)


def test_a_changed_image_never_comes_from_an_old_cache(copy: DataSet) -> None:
    first = np.array(decode_images(copy, Decoding(8, 8), jobs=1))
    path = cache_path(copy, Decoding(8, 8))
    state = copy.paths[3].stat()
    copy.paths[3].write_bytes(encode_png(np.zeros((16, 16, 3), np.uint8)))
    os.utime(copy.paths[3], ns=(state.st_atime_ns, state.st_mtime_ns))
    assert decode_images(copy, Decoding(8, 8), jobs=1)[3].max() == 0
    copy.paths[3].write_bytes(copy.paths[4].read_bytes())
    assert np.array_equal(decode_images(copy, Decoding(8, 8), jobs=1)[3], first[4])
    assert cache_path(copy, Decoding(8, 8)) != path


def test_a_copied_folder_brings_its_cache_along(phantom: DataSet, copy: DataSet) -> None:
    assert cache_path(phantom, Decoding(9, 7)).name == cache_path(copy, Decoding(9, 7)).name


def test_a_deleted_image_is_one_line_with_its_name(copy: DataSet) -> None:
    name = str(copy.table["file_name"].iloc[5])
    (copy.folder / name).unlink()
    for use in (
        lambda: cache_path(copy, Decoding(8, 8)),
        lambda: decode_images(copy, Decoding(8, 8), jobs=1),
        lambda: load_training_images("dcgan", copy, DataRequest(Decoding(16, 16), Selection()), 0),
        lambda: write_data_set(copy.folder, copy.table, Provenance(), Step()),
    ):
        with pytest.raises(UserError, match=name):
            use()
    assert any(name in finding for finding in audit(copy, jobs=1).findings)


def test_the_audit_names_what_was_changed(copy: DataSet) -> None:
    _invert(copy.paths[2])
    found = audit(open_data_set(copy.folder), jobs=1)
    assert any("1 changed" in line and str(copy.table["file_name"].iloc[2]) in line for line in found.findings)


def test_an_export_reads_every_byte(tmp_path: Path) -> None:
    made = write_phantom(tmp_path / "made", 20, PhantomSettings(16, 16), jobs=1)
    write_json(made.folder / "dataset.json", {**made.description, "synthetic": True})
    _same_size_and_time(made.paths[4])
    with pytest.raises(ChangedData, match="1 changed"):
        export(open_data_set(made.folder), tmp_path / "out", with_flagged=True)
    assert not (tmp_path / "out").exists()


def test_verify_on_the_command_line(copy: DataSet, shell: Shell) -> None:
    assert "240 images, all as they were" in shell("data", "verify", copy.folder).stdout
    _invert(copy.paths[2])
    copy.paths[3].unlink()
    result = shell("data", "verify", copy.folder, status=1)
    assert result.stdout.split("\n")[:2] == [
        f"changed  {copy.table['file_name'].iloc[2]}",
        f"deleted  {copy.table['file_name'].iloc[3]}",
    ]
    assert "Traceback" not in result.stderr


def test_every_verb_stops_at_changed_images(copy: DataSet, shell: Shell, tmp_path: Path) -> None:
    """Import or phantom, training, images changed in place: resuming, measuring, editing and asking doctors stop."""
    train = ("train", "dcgan", "--data", copy.folder, "--out", tmp_path / "run", "--resolution", 16, "--batch", 8,
             "--exclude", "vascular", "--unconditional", "--device", "cpu", "--threads", 1)  # fmt: skip
    train = tuple(word for word in train if word not in ("--exclude", "vascular"))
    shell(*train, "--images", 16)
    shell("generate", tmp_path / "run", "--count", 60, "--out", tmp_path / "made", "--threads", 1)
    for path in copy.paths:
        _invert(path)
    result = shell(*train, "--images", 24, status=1)
    assert "240 changed" in result.stderr
    assert "the images are not those that were trained on" in result.stderr
    assert "Traceback" not in result.stderr
    for words in (
        ("evaluate", tmp_path / "made", "--against", copy.folder, "--brief"),
        ("study", "create", "--protocol", "baur", "--real", copy.folder, "--synthetic", tmp_path / "made", "--out", tmp_path / "s"),
        ("utility", tmp_path / "made", "--real", copy.folder, "--out", tmp_path / "u", "--positive", "melanoma", "--negative", "nevus"),
        ("data", "patches", copy.folder, "--out", tmp_path / "p", "--side", 16),
    ):  # fmt: skip
        result = shell(*words, status=1)
        assert "240 changed" in result.stderr, result.stderr
        assert "Traceback" not in result.stderr
    assert "240 changed" in str(check_copies(open_data_set(tmp_path / "made")))


def test_generate_goes_on_only_beside_images_that_are_its_own(run: Path, shell: Shell, tmp_path: Path) -> None:
    words = ("generate", run, "--out", tmp_path / "made", "--threads", 1)
    shell(*words, "--count", "nevus=3")
    made = open_data_set(tmp_path / "made")
    made.paths[1].unlink()
    shell(*words, "--count", "nevus=4")  # what is missing is made again
    made = open_data_set(tmp_path / "made")
    verify(made, full=True)
    made.paths[1].write_bytes(made.paths[2].read_bytes())
    assert "1 changed" in shell(*words, "--count", "nevus=5", status=1).stderr
