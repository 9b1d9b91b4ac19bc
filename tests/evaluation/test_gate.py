"""The copy gate on its own: plain folders and data sets, tables, a page, the exit status, and what it refuses."""

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dermsynth as ds
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.gate import GateResult, check_images, open_images, training_and_held_out, training_origin
from dermsynth.images import read_image
from dermsynth.io import read_json
from dermsynth.report.gate_report import write_gate_report
from tests.elsewhere import COLUMNS, COPIES, FINE, photograph, write_elsewhere, write_real
from tests.metrics.test_keypoints import moved


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_real(tmp_path_factory.mktemp("real") / "isic", 240)


@pytest.fixture(scope="module")
def table(real: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_elsewhere(tmp_path_factory.mktemp("made") / "made", real, 20)


@pytest.fixture(scope="module")
def result(table: Path, real: DataSet) -> GateResult:
    return ds.gate(table.parent, real)


def test_a_plain_folder_is_looked_at_and_stays_as_it_is(table: Path, real: DataSet, result: GateResult) -> None:
    before = sorted(table.parent.rglob("*"))
    copies = dict(zip(result.table["file_name"], result.flagged, strict=True))
    assert [name for name, flagged in copies.items() if flagged and int(Path(name).stem) < COPIES] == [
        f"{number}.png" for number in range(COPIES)
    ]
    assert result.facts.of == 20
    assert result.facts.training == int(real.in_split("train").sum())
    originals = result.to_frame().set_index("file_name")["copy_of"]
    assert [originals[f"{number}.png"] for number in range(COPIES)] == list(
        real.split("train").table["file_name"][:COPIES]
    )
    text = result.text(2)
    assert f"{result.facts.flagged} of 20 images flagged" in text
    assert "checked files 40 x 40, 32 x 24; training files 32 x 24" in text
    assert len(text.splitlines()) == 6
    assert sorted(table.parent.rglob("*")) == before


def test_table_and_page_are_written_where_they_are_asked_for(result: GateResult, tmp_path: Path) -> None:
    copies = result.write_table(tmp_path)
    assert int(copies.flagged.sum()) == result.facts.flagged
    page = write_gate_report(result, tmp_path, "dermsynth gate").read_text()
    assert page.count("<b>flagged</b>") == result.facts.flagged
    assert "This page contains photographs" in page
    hidden = write_gate_report(result, tmp_path, "dermsynth gate", photographs=False).read_text()
    assert "<img" not in hidden
    assert hidden.count("<b>flagged</b>") == result.facts.flagged


def test_a_data_set_is_known_by_its_content(table: Path, real: DataSet, tmp_path: Path) -> None:
    made = ds.import_csv(
        table, out=tmp_path / "set", synthetic=True, trained_on=real, generator="SDXL", jobs=1, **COLUMNS
    ).data_set  # fmt: skip
    ds.gate(made, real, out=tmp_path / "gate", resolution="32x24", crop="pad")
    copies = copies_of(made, tmp_path / "gate")
    assert copies is not None
    assert copies.flagged.sum() >= COPIES
    page = (tmp_path / "gate" / "gate.html").read_text()
    assert "32 x 24 pixels (as was chosen), other shapes with borders" in page
    assert "<b>Claimed, not checked:</b> made by SDXL" in page
    facts = read_json(tmp_path / "gate" / "copies.json")
    assert facts["size"].startswith("32 x 24 pixels (as was chosen)")
    assert facts["origin"].startswith("claimed, not checked: made by SDXL")


def test_what_is_claimed_is_compared_with_what_was_named(table: Path, real: DataSet, tmp_path: Path) -> None:
    other = write_real(tmp_path / "other", 24)

    def origin(split: str, training: DataSet = real, named: str = "train") -> str:
        made = ds.import_csv(
            table, out=tmp_path / f"{split} {training.folder.name} {named}", synthetic=True, trained_on=real,
            trained_on_split=split, jobs=1, **COLUMNS,
        ).data_set  # fmt: skip
        return training_origin(made, training_and_held_out(training, named))

    claimed = f"made by a generator that is not named, which was trained on the split train of {real.folder.name}"
    assert origin("train") == f"claimed, not checked: {claimed}"
    assert origin("all").endswith("; these are 120 of the held-out images too, whose copies are not looked for")
    assert "; 60 of the training images here are not among these; these are 120 of" in origin("train", named="test")
    assert origin("train", other).endswith("; compared is other, which is not known to be that set")


def test_the_page_shows_all_that_are_flagged_and_the_closest_others(result: GateResult, tmp_path: Path) -> None:
    page = write_gate_report(result, tmp_path, "dermsynth gate").read_text()
    assert page.count("<figure>") == 20
    assert page.index("<h2>Flagged</h2>") < page.index("<h2>The closest that are not flagged</h2>")
    assert "<b>Not known:</b> what the generator was trained on is not known" in page
    assert "which images are of the same patient is not known" not in page


@pytest.fixture(scope="module")
def detailed(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Pictures with places to know again."""
    return write_real(tmp_path_factory.mktemp("detailed") / "isic", 240, FINE)


def test_copies_in_another_pose_are_looked_for_where_it_is_asked(detailed: DataSet, tmp_path: Path) -> None:
    """Training images that were turned and zoomed: only the search in any pose flags them, and both say what was done."""
    real, rows = detailed, detailed.split("train")
    for number in range(4):
        image = read_image(rows.paths[number]).transpose(2, 0, 1)
        turned, _ = moved(np.ascontiguousarray(image), angle=40, zoom=1.25)
        Image.fromarray(turned.transpose(1, 2, 0)).save(tmp_path / f"{number}.png")
    alone, result = (ds.gate(tmp_path, real, resolution="32x24", any_pose=any_pose) for any_pose in (False, True))
    assert not alone.flagged.any()
    assert "shifted, zoomed and cut copies were not looked for" in alone.text()
    assert result.flagged.all()
    assert "not looked for" not in result.text()
    assert list(result.table["copy_of"]) == list(rows.table["file_name"][:4])
    assert result.table["copy_lying"].str.match(r"turned -?\d+ degrees, zoomed 1\.[12]").all()
    assert (alone.facts.any_pose, result.facts.any_pose) == (False, True)
    pages = [write_gate_report(one, tmp_path / name, "gate").read_text() for one, name in ((alone, "a"), (result, "b"))]
    assert ["copies that are cropped, zoomed or shifted" in page for page in pages] == [True, False]
    assert "turned by any angle, shifted, zoomed, cut, blurred" in pages[1]
    assert ["third the training image laid onto the image" in page for page in pages] == [False, True]
    assert pages[1].count("and the second laid onto the first") == len(result.matrices) == 4


def test_an_evaluation_looks_for_copies_in_any_pose_where_it_is_asked(detailed: DataSet, tmp_path: Path) -> None:
    """Six moved training images among sixty: the flags, the facts and the page; and it goes without `brief`."""
    real, rows = detailed, detailed.split("train")
    table = write_elsewhere(tmp_path / "made", real, 60, FINE)
    for number in range(COPIES, COPIES + 6):
        turned, _ = moved(np.ascontiguousarray(read_image(rows.paths[number]).transpose(2, 0, 1)), angle=40, zoom=1.25)
        Image.fromarray(turned.transpose(1, 2, 0)).save(table.parent / f"{number}.jpg", quality=95)
    made = ds.import_csv(
        table, out=tmp_path / "set", synthetic=True, trained_on=real, generator="SDXL", jobs=1, **COLUMNS
    ).data_set  # fmt: skip
    flagged = {}
    for any_pose in (False, True):
        out = tmp_path / str(any_pose)
        result = ds.evaluate(made, against=real, out=out, any_pose=any_pose, resolution="32x24")
        assert result.copy_gate is not None
        assert result.copy_gate.any_pose is any_pose
        copies, page = copies_of(made, out), result.save(out / "page.html").read_text()
        assert copies is not None
        flagged[any_pose] = set(copies.table["copy_of"][copies.flagged])
        assert sum(share.flagged for share in result.copies_by_class) == result.copy_gate.flagged
        assert {share.label: share.of for share in result.copies_by_class} == dict(Counter(map(str, made.labels)))
        groups = Counter(real.table.set_index("file_name")["group"][copies.table["copy_of"][copies.flagged]])
        assert {row.group: row.flagged for row in result.repeated_groups} == dict(groups.most_common(10))
        assert all(row.training == 2 for row in result.repeated_groups)
        assert result.repeated_groups[0].group in page
        assert (result.copy_gate.missed in page, "looks for copies in any pose" in page) == (True, not any_pose)
    planted = set(rows.table["file_name"][COPIES : COPIES + 6])
    assert len(planted & flagged[True]) >= 5
    assert not planted & flagged[False]
    with pytest.raises(UserError, match="`any_pose`: goes without `brief`"):
        ds.evaluate(made, against=real, out=tmp_path / "brief", any_pose=True, brief=True)


def test_unknown_patients_are_said(result: GateResult) -> None:
    known = result.training
    table = known.table.drop(columns="group")
    blind = replace(result, training=DataSet(known.folder, table, known.description))
    assert "which images are of the same patient is not known" in blind.text()
    assert "each lies closer to a training image than 99 % of the held-out real images do" in blind.text()


def test_held_out_images_may_be_another_set_or_part_of_it(real: DataSet, tmp_path: Path) -> None:
    other = write_real(tmp_path / "other", 24)
    known = training_and_held_out(real, "train", other, "test")
    assert len(known.held_out) == 6
    assert known.held_out.folder == other.folder
    same = training_and_held_out(real, "train", real, "all")
    assert len(same.held_out) == 120, "no training image is held out"


def refused(words: str, images: object, training: object, **choices: object) -> None:
    with pytest.raises(UserError, match=words):
        ds.gate(images, training, **choices)  # type: ignore[arg-type]


def test_what_the_gate_cannot_use_is_refused(table: Path, real: DataSet, tmp_path: Path) -> None:
    empty, few = tmp_path / "empty", write_real(tmp_path / "few", 40)
    empty.mkdir()
    refused("no images found", empty, real)
    refused("`images` .*: no such folder|no such folder", tmp_path / "nowhere", real)
    refused("20 held-out images, at least 100 are needed", table.parent, few)
    refused(
        "`training_split` 'fold': no such split in .*; there are: all, test, train",
        table.parent,
        real,
        training_split="fold",
    )
    refused("`held_out_split` 'fold': no such split", table.parent, real, held_out=few, held_out_split="fold")
    refused(
        "all of it was trained on; `held_out` names photographs that were not", table.parent, real, training_split="all"
    )
    refused("`resolution` 'big': must be a whole number", table.parent, real, resolution="big")
    refused("`crop` 'cut': must be one of centre, pad, stretch", table.parent, real, crop="cut")
    refused("`held_out` .*: the images that are checked", few, real, held_out=few)
    refused("`false_alarms` 2: must lie above 0", table.parent, real, false_alarms=2)
    (empty / "a.png").write_bytes(b"no image")
    refused("a.png: ", empty, real)


def test_synthetic_images_are_no_training_set(table: Path, real: DataSet, tmp_path: Path) -> None:
    made = ds.import_folder(table.parent, out=tmp_path / "set", synthetic=True, jobs=1).data_set
    refused("`training` .*: a synthetic set; name photographs", made, made)
    Image.fromarray(photograph(77)).save(made.paths[0])
    refused("files are not as they were", made.folder, real)


def test_large_images_are_reduced_first(tmp_path: Path, real: DataSet) -> None:
    (tmp_path / "f").mkdir()
    Image.fromarray(photograph(5000, (400, 300))).save(tmp_path / "f" / "a.png")
    result = check_images(open_images(tmp_path / "f"), training_and_held_out(real, "train"))
    assert (result.sizes.width, result.sizes.height, result.sizes.reduced) == (171, 128, True)
    assert "(that of the first checked image, reduced)" in str(result.sizes)


def test_the_exit_status_tells_a_script(
    table: Path, real: DataSet, shell: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    result = shell("gate", table.parent, "--training", real.folder, "--out", tmp_path / "gate", status=3)
    assert f"{tmp_path / 'gate' / 'gate.html'}" in result.stdout
    assert "flagged 0.png" in result.stdout
    (tmp_path / "new").mkdir()
    far = np.full((32, 32, 3), 120, np.uint8)
    far[8:20, 4:28] = (90, 20, 40)
    Image.fromarray(far).save(tmp_path / "new" / "far.png")
    choices = ("--training-split", "train", "--held-out", real.folder, "--held-out-split", "all")
    said = shell("gate", tmp_path / "new", "--training", real.folder, "--any-pose", *choices).stdout
    assert "0 of 1 images flagged" in said
    assert "not looked for" not in said
    wrong = shell("gate", tmp_path / "nowhere", "--training", real.folder, status=1)
    assert "dermsynth: " in wrong.stderr
