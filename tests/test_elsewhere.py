"""A set that another tool made passes every step: evaluate, artefacts, study, utility, export, gallery; what is claimed stands in each."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dermsynth as ds
from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.writing import write_table
from dermsynth.errors import UserError
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.evaluation.feature_cache import decoding_of
from dermsynth.evaluation.memorisation import sources
from dermsynth.evaluation.results import Evaluation
from dermsynth.io import read_json
from dermsynth.metrics.estimate import Effort
from dermsynth.report.evaluation_report import write_evaluation_report
from dermsynth.report.evaluation_text import evaluation_table, verdict_table
from dermsynth.report.gallery import write_gallery
from dermsynth.report.utility_report import write_utility_report
from tests.elsewhere import COLUMNS, COPIES, write_elsewhere, write_real

QUICK = Effort(distance_resamples=10, kernel_resamples=20, histogram_resamples=20, mean_resamples=40, pairs=20)
CLAIM = "made by SD 1.5 + LoRA, which was trained on the split train of isic"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_real(tmp_path_factory.mktemp("real") / "isic")


@pytest.fixture(scope="module")
def table(real: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_elsewhere(tmp_path_factory.mktemp("made") / "made", real)


def bring(table: Path, out: Path, **choices: Any) -> DataSet:
    return ds.import_csv(table, out=out, **{**COLUMNS, "synthetic": True, "jobs": 1, **choices}).data_set


@pytest.fixture(scope="module")
def made(table: Path, real: DataSet, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return bring(table, tmp_path_factory.mktemp("set") / "set", trained_on=real, generator="SD 1.5 + LoRA")


@pytest.fixture(scope="module")
def result(made: DataSet, real: DataSet) -> Evaluation:
    decoding = decoding_of(made, 32)
    return evaluate(made, real, load_extractor("embedded"), effort=QUICK, fewest_held_out=20, decoding=decoding)


def test_an_evaluation_says_what_is_claimed_and_how_sizes_were_made_one(
    result: Evaluation, made: DataSet, real: DataSet, tmp_path: Path
) -> None:
    assert result.real.training_set_known
    assert result.real.trained_on == 80
    assert result.copy_gate is not None
    assert result.copy_gate.flagged >= COPIES
    assert result.sizes is not None
    assert (result.size, result.sizes.crop, result.sizes.chosen) == ((32, 32), "centre", True)
    text = f"{evaluation_table(result)}\n{verdict_table(result)}"
    assert f"note: claimed, not checked: {CLAIM}" in text
    assert "the generator was trained on 80 of the 160 real images (claimed)" in text
    assert "size: 32 x 32 pixels (as was chosen), other shapes cropped to their centre" in text
    assert "warning: real images have another aspect than 32 x 32: 25% of the area is cut off" in text
    assert "its training images are claimed, not checked" in text
    page = write_evaluation_report(made, real, result, "dermsynth", path=tmp_path / "page.html").read_text()
    assert f"<b>Claimed, not checked:</b> {CLAIM}" in page
    assert "Size of both sides: 32 x 32 pixels" in page
    assert Evaluation.model_validate(result.document()).sizes == result.sizes


def test_the_set_compared_with_is_by_default_the_one_that_was_named(made: DataSet, tmp_path: Path) -> None:
    result = ds.evaluate(made, brief=True, out=tmp_path / "brief", resolution="16x12", crop="stretch")
    assert (result.real.folder, result.size) == ("isic", (16, 12))
    assert result.synthetic.generator.claimed


def test_without_a_training_set_all_but_copies_is_measured(table: Path, real: DataSet, tmp_path: Path) -> None:
    unknown = bring(table, tmp_path / "set")
    with pytest.raises(
        UserError, match="it is not said what its generator was trained on; name the real set with `against`"
    ):
        ds.evaluate(unknown)
    brief = evaluate(unknown, real, load_extractor("embedded"), brief=True, effort=QUICK)
    assert "unknown whether the generator was trained on these real images" in evaluation_table(brief)
    with pytest.raises(
        UserError, match="it is not said what the generator was trained on; import its images with `trained_on`"
    ):
        sources(unknown, real)
    with pytest.raises(UserError, match=r"not said what the generator was trained on.*may have seen the test images"):
        ds.utility(unknown, real, out=tmp_path / "u", positive="melanoma", negative="nevus", trust_provenance=True)


def test_a_set_of_another_size_or_content_is_not_the_one_trained_on(
    made: DataSet, real: DataSet, tmp_path: Path
) -> None:
    smaller, other = write_real(tmp_path / "small", 40), write_real(tmp_path / "other")
    with pytest.raises(UserError, match=r"not the set that `trained_on` named .* \(40 images, and that one had 160\)"):
        sources(made, smaller)
    relabelled = open_data_set(other.folder)
    write_table(other.folder, relabelled.table.assign(label="nevus"))
    with pytest.raises(UserError, match="divided or labelled in another way since the generator was trained"):
        sources(made, open_data_set(other.folder))
    with pytest.raises(UserError, match=r"not the set that `trained_on` named .* \(other images\)"):
        sources(made, DataSet(other.folder, other.table, {**other.description, "content_hash": "0" * 64}))
    with pytest.raises(UserError, match=r"\(40 images, and that one had 160\); its generator may have seen"):
        ds.utility(made, smaller, out=tmp_path / "u", positive="melanoma", negative="nevus")


@pytest.fixture(scope="module")
def from_held_out(table: Path, real: DataSet, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """A set of which one row was made from a test image."""
    held_out = real.split("test").table["file_name"][0]
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rows.loc[0, "from"] = held_out
    rows.to_csv(table.with_name("leak.csv"), index=False)
    return bring(table.with_name("leak.csv"), tmp_path_factory.mktemp("leak") / "set", trained_on=real)


def test_an_image_made_from_a_held_out_one_is_refused_in_utility(
    from_held_out: DataSet, real: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"1 images were made from real ones .* images/r6.png, which is held out"):
        ds.utility(
            from_held_out, real, out=tmp_path / "u", positive="melanoma", negative="nevus", trust_provenance=True
        )  # fmt: skip


def test_an_image_made_from_one_of_a_held_out_group_is_refused_in_utility(
    made: DataSet, real: DataSet, tmp_path: Path
) -> None:
    source = made.table["conditioned_on"].iloc[-1]
    groups = np.where(real.table["file_name"] == source, real.groups[6], real.groups)
    regrouped = DataSet(real.folder, real.table.assign(group=groups), real.description)
    with pytest.raises(UserError, match=f"the first from {source}, whose patient or lesion has held-out images"):
        ds.utility(made, regrouped, out=tmp_path / "u", positive="melanoma", negative="nevus", trust_provenance=True)


def test_an_image_made_from_a_held_out_one_gives_a_warning_in_evaluate(from_held_out: DataSet, real: DataSet) -> None:
    brief = evaluate(from_held_out, real, load_extractor("embedded"), brief=True, effort=QUICK)
    assert "warning: 1 synthetic images were made from held-out images of the set compared with" in evaluation_table(
        brief
    )
    known = sources(from_held_out, real)
    assert "images/r6.png" in set(known.training.table["file_name"]), "what it was given counts as seen"


def test_utility_asks_for_trust_and_says_what_was_trusted(made: DataSet, real: DataSet, tmp_path: Path) -> None:
    choices: dict[str, Any] = {"positive": "melanoma", "negative": "nevus", "arms": ["real", "mixed=0.5"], "repeats": 1,
                               "images": 32, "resolution": 16}  # fmt: skip
    with pytest.raises(
        UserError, match=f"claimed, not checked: {CLAIM.replace('+', '.')}; `trust_provenance` takes the claim"
    ):
        ds.utility(made, real, out=tmp_path / "u", **choices)
    result = ds.utility(made, real, out=tmp_path / "u", trust_provenance=True, **choices)
    assert f"claimed, not checked: {CLAIM}." in result.cautions
    assert str(result.sizes).startswith("16 x 16 pixels (as was chosen)")
    page = write_utility_report(tmp_path / "u", result, "dermsynth utility").read_text()
    assert CLAIM in page
    assert "that the generator was not trained on them either is claimed, and was not checked" in page
    assert "neither the generator nor" not in page
    assert "Size of all images: 16 x 16 pixels" in page
    again = ds.utility(made, real, out=tmp_path / "u", trust_provenance=True, **choices)
    assert again.figures == result.figures
    with pytest.raises(UserError, match="begun with another size"):
        ds.utility(made, real, out=tmp_path / "u", trust_provenance=True, **{**choices, "resolution": 24})


def test_a_copy_of_a_held_out_photograph_disproves_the_claim(table: Path, real: DataSet, tmp_path: Path) -> None:
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    (table.parent / "leak.png").write_bytes((real.split("test").paths[0]).read_bytes())
    rows.loc[0, "file"] = "leak.png"
    rows.to_csv(table.with_name("copied.csv"), index=False)
    made = bring(table.with_name("copied.csv"), tmp_path / "set", trained_on=real)
    with pytest.raises(
        UserError, match=r"1 images are photographs of the split test, for example .*leak.png and images/r6.png"
    ):
        ds.utility(made, real, out=tmp_path / "u", positive="melanoma", negative="nevus", trust_provenance=True)


def test_a_list_outside_the_training_split_is_refused_in_utility(table: Path, real: DataSet, tmp_path: Path) -> None:
    listed = bring(table, tmp_path / "set", trained_on=real, trained_on_files=["r0", "r6"], source_column="")
    with pytest.raises(UserError, match=r"1 images its generator was trained on are not in the split train .*r6.png"):
        ds.utility(listed, real, out=tmp_path / "u", positive="melanoma", negative="nevus", trust_provenance=True)
    assert len(sources(listed, real).training) == 2


def test_artefacts_are_found_and_removed(made: DataSet, tmp_path: Path) -> None:
    few = made.select(np.arange(len(made)) < 4)
    marked = ds.artefacts.detect(few, out=tmp_path / "found", store_masks=False, jobs=1)
    assert "found_frame" in marked.table
    clean = ds.artefacts.remove(few, out=tmp_path / "clean", methods={"frame": "crop"}, jobs=1)
    assert clean.synthetic
    assert clean.provenance.generator.claim.endswith(CLAIM)


STUDY = """
positive = "synthetic"
groups = ["dermatologist"]
size = 24
[title]
en = "Real or generated?"
de = "Echt oder erzeugt?"
[[conditions]]
name = "all"
images = [{ kind = "real", count = 6 }, { kind = "synthetic", count = 6 }]
[[questions]]
name = "kind"
type = "kind"
"""


def test_a_study_shows_both_kinds_alike_and_notes_what_differs(made: DataSet, real: DataSet, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    study = ds.create_study(str(tmp_path / "study.toml"), real, made, tmp_path / "study")
    assert sorted(study.items["truth"]) == ["real"] * 6 + ["synthetic"] * 6
    assert study.size == (24, 24)
    assert f"the synthetic images' origin is claimed, not checked: {CLAIM}" in study.notes
    assert not [note for note in study.notes if note.startswith("column 'width'")], "files are shown at one size"
    shown = "are all shown at 24 x 24 (crop centre, filter area)"
    assert any(note.startswith("real images of 32 x 24 and") and note.endswith(shown) for note in study.notes)


def test_a_study_notes_photographs_among_the_synthetic_images(table: Path, real: DataSet, tmp_path: Path) -> None:
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rows[rows["from"] != ""].assign(**{"from": ""}).to_csv(table.parent / "copies.csv", index=False)
    made = bring(table.parent / "copies.csv", tmp_path / "copies", trained_on=real)
    (tmp_path / "study.toml").write_text(STUDY)
    study = ds.create_study(str(tmp_path / "study.toml"), real, made, tmp_path / "study")
    note = next(note for note in study.notes if "are photographs of the real set" in note)
    assert note.startswith(f"{COPIES} of 6 synthetic images are photographs of the real set")
    assert "raters who call them real are right" in note


def test_an_export_says_what_is_claimed_and_names_nothing_private(
    result: Evaluation, made: DataSet, tmp_path: Path
) -> None:
    assert result.copy_gate is not None
    released = ds.export(made, out=tmp_path / "out")
    assert len(released) == len(made) - result.copy_gate.flagged
    assert "conditioned_on" not in released.table
    assert "trained_on" not in released.provenance.generator.document
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Claimed, not checked: made by SD 1.5 + LoRA, which was trained on the split train" in card
    assert "- GAN" not in card
    assert "images of skin that a generator made, as their makers say; not for diagnosis." in card
    assert "size of both sides: 32 x 32 pixels" in card
    description = read_json(tmp_path / "out" / "croissant.json")["description"]
    for text in (card, description):
        assert "not photographs of patients" not in text


def test_a_gallery_says_of_which_sets_copies_were_never_looked_for(table: Path, tmp_path: Path) -> None:
    made = bring(table, tmp_path / "unchecked", source_column=None)
    write_gallery([], tmp_path / "gallery", sets=[made])
    text = (tmp_path / "gallery" / "README.md").read_text()
    assert "not all checked for copies: some may be photographs of the training set" in text
    assert "Not photographs of patients" not in text


def test_a_gallery_shows_synthetic_sets_without_flagged_images(
    result: Evaluation, made: DataSet, real: DataSet, tmp_path: Path
) -> None:
    assert result.copy_gate is not None
    size, photographs = write_gallery([], tmp_path / "gallery", sets=[made])
    text = (tmp_path / "gallery" / "README.md").read_text()
    assert (size > 0, photographs) == (True, False)
    assert (
        f"claimed, not checked: {CLAIM}. Random images (seed 0), {result.copy_gate.flagged} flagged as copies" in text
    )
    assert (tmp_path / "gallery" / "set.jpg").exists()
    assert "Not photographs of patients" not in text, "that they are none is only claimed"
    with pytest.raises(UserError, match="a set of photographs; a gallery shows runs and synthetic sets"):
        write_gallery([], tmp_path / "none", sets=[real])
    with pytest.raises(UserError, match="two sets of this name"):
        write_gallery([], tmp_path / "none", sets=[made, made])
