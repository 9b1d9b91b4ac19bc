"""A study on disk: the right images, and nothing that gives the answer away."""

import shutil
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.flagged import RECORD
from dermsynth.errors import UserError
from dermsynth.images import fit, read_image
from dermsynth.io import write_json
from dermsynth.statistics.mixed_model import fit_panel
from dermsynth.study.create import create_study, open_study
from dermsynth.study.drawing import Features
from dermsynth.study.planning import panel_precision
from dermsynth.study.selection import EXAMPLE, TRIAL
from dermsynth.study.sequence import conditions_for, sequence
from tests.study.conftest import small_protocol


def test_the_protocols_numbers_are_met(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    for place, count in (("baur", {"real": 50, "synthetic": 30}), ("rosen", {"real": 100, "synthetic": 100})):
        study = create_study(place, *sides, tmp_path / place, 0)
        trials = study.items[study.items["role"] == TRIAL]
        assert trials["truth"].value_counts().to_dict() == count
        assert not trials.duplicated(["truth", "source"]).any()
    halves = trials.groupby(["truth", "label"]).size().to_dict()
    assert set(halves.values()) == {50}
    assert (study.items["role"] == EXAMPLE).sum() == 6
    furger = create_study("furger", *sides, tmp_path / "furger", 0)
    sets = furger.items.groupby(["condition", "truth"]).size()
    assert set(sets) == {10}
    assert {name.split(": ")[1] for name, _ in sets.index} == set(sides[0].classes) & set(sides[1].classes)


def test_images_are_those_of_the_sets_and_alike_in_everything_else(
    sides: tuple[DataSet, DataSet], tmp_path: Path
) -> None:
    study = create_study("baur", *sides, tmp_path / "study", 0)
    rows = []
    for row in study.items.itertuples(index=False):
        path = study.image(str(row.item))
        data = path.read_bytes()
        source = (sides[0] if row.truth == "real" else sides[1]).folder / str(row.source)
        assert np.array_equal(read_image(path), fit(read_image(source), 64, 64, "centre", "area"))
        with Image.open(path) as image:
            assert (image.mode, image.size, image.info) == ("RGB", (64, 64), {})
        rows.append([len(data), *data[:41], int(str(row.item), 16) % 1000, path.stat().st_mtime % 60])
    table, truth = np.array(rows, float), (study.items["truth"] == "real").to_numpy()
    assert len({row[0] for row in rows}) == 1  # one length
    assert len({tuple(row[1:42]) for row in rows}) == 1  # one header
    model = RandomForestClassifier(100, random_state=0)
    score = cross_val_score(
        model, np.column_stack([table, np.arange(len(table))]), truth, cv=8, scoring="roc_auc"
    ).mean()
    assert score < 0.75  # size, header, name, order and time of the file tell nothing


def test_the_truth_and_the_key_are_for_the_owner_alone(small_study_folder: Path) -> None:
    for name in ("items.csv", "secret.key"):
        assert stat.S_IMODE((small_study_folder / name).stat().st_mode) == 0o600


@pytest.fixture
def small_study_folder(sides: tuple[DataSet, DataSet], tmp_path: Path) -> Path:
    return create_study(small_protocol(tmp_path), *sides, tmp_path / "study", 0).folder


def test_what_does_not_fit_is_told(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    real, synthetic = sides
    with pytest.raises(UserError, match="one is not what it should be, or they are swapped"):
        create_study("baur", synthetic, real, tmp_path / "a", 0)
    few = real.select(np.arange(len(real.table)) < 20)
    with pytest.raises(UserError, match=r"20 real images are left, the protocol takes 50"):
        create_study("baur", few, synthetic, tmp_path / "b", 0)
    nameless = DataSet(synthetic.folder, synthetic.table.drop(columns="label"), synthetic.description)
    with pytest.raises(UserError, match=r"needs labels that both sets have.*synthetic: none"):
        create_study("rosen", real, nameless, tmp_path / "c", 0)
    text = tmp_path / "p.toml"
    text.write_text(
        Path(small_protocol(tmp_path)).read_text().replace("count = 4 }, {", 'count = 4, where = { hare = "1" } }, {')
    )
    with pytest.raises(UserError, match="no column 'hare', which the protocol asks for"):
        create_study(str(text), real, synthetic, tmp_path / "d", 0)
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "x").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        create_study("baur", real, synthetic, tmp_path / "e", 0)
    with pytest.raises(UserError, match="no study"):
        open_study(tmp_path)
    assert not any((tmp_path / name).exists() for name in "abcd")


def test_columns_choose_and_exclude(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    real, synthetic = sides
    marked = real.table.assign(frame=["1" if i % 2 else "0" for i in range(len(real.table))])
    text = Path(small_protocol(tmp_path)).read_text()
    for rule, expected in (('where = { frame = "1" }', {"1"}), ('exclude = { frame = "1" }', {"0"})):
        path = tmp_path / f"{rule[:3]}.toml"
        path.write_text(text.replace('kind = "real", count = 4', f'kind = "real", count = 4, {rule}'))
        study = create_study(
            str(path), DataSet(real.folder, marked, real.description), synthetic, tmp_path / rule[:5], 0
        )
        chosen = study.items[(study.items["truth"] == "real") & (study.items["role"] == TRIAL)]
        values = marked.set_index("file_name").loc[chosen["source"], "frame"]
        assert set(values) == expected


def test_similar_images_are_those_that_look_like_another_class(sides: tuple[DataSet, DataSet]) -> None:
    real, synthetic = sides
    labels = [label for label in real.classes if (real.labels == label).sum() > 20][:2]
    rows = np.flatnonzero(np.isin(synthetic.labels.astype(str), labels))[:40]
    swapped = synthetic.table.copy()
    first = rows[synthetic.labels[rows] == labels[0]][:6]
    swapped.loc[first, "label"] = labels[1]  # these look like the class they really are
    side = DataSet(synthetic.folder, swapped, synthetic.description)
    two = real.select(np.isin(real.labels.astype(str), labels))
    mine = rows[swapped["label"].to_numpy()[rows] == labels[1]]
    likeness = Features(two).likeness(side, mine)
    planted = np.isin(mine, first)
    assert likeness[planted].mean() > likeness[~planted].mean()


def test_sequences_hold_every_image_once_and_repeats_late(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    study = create_study(small_protocol(tmp_path), *sides, tmp_path / "study", 0)
    orders = set()
    for seed in range(40):
        random = np.random.default_rng(seed)
        places = sequence(study, conditions_for(study, {}, random), random)
        plain = [p.item for p in places if not p.repeat and not p.asked]
        assert sorted(plain) == sorted(study.items.loc[study.items["role"] == TRIAL, "item"])
        again = [i for i, p in enumerate(places) if p.repeat]
        assert len(again) == 2
        for i in again:
            first = next(k for k, p in enumerate(places) if p.item == places[i].item)
            assert i - first >= 2
        assert sum(bool(p.asked) for p in places) == 1
        orders.add(tuple(plain))
    assert len(orders) > 30


def test_conditions_are_given_in_turn(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    study = create_study("furger", *sides, tmp_path / "study", 0)
    given: Counter[str] = Counter()
    random = np.random.default_rng(0)
    names = {str(name) for name in study.items["condition"]}
    for _ in range(4 * len(names)):
        given.update(conditions_for(study, given, random))
    assert set(given.values()) == {4}
    assert set(given) == names


def test_images_are_never_enlarged(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    path = Path(small_protocol(tmp_path))
    path.write_text("size = 96\n" + path.read_text())
    with pytest.raises(
        UserError, match=r"64 x 64 is smaller than the study's 96 x 96; an enlarged image would give itself away"
    ):
        create_study(str(path), *sides, tmp_path / "study", 0)
    assert not (tmp_path / "study").exists()


def test_examples_and_checks_fit_what_trials_must_fit(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    path = Path(small_protocol(tmp_path))
    only = 'kind = "real", count = 4, where = { label = "' + sides[0].classes[0] + '" }'
    path.write_text(path.read_text().replace('kind = "real", count = 4', only))
    study = create_study(str(path), *sides, tmp_path / "study", 0)
    real = study.items[study.items["truth"] == "real"]
    assert set(real["label"]) == {sides[0].classes[0]}
    assert {EXAMPLE, TRIAL} <= set(real["role"])


def test_plans_are_as_precise_as_simulated_panels() -> None:
    raters, images, widths = 10, 100, []
    for seed in range(60):
        random = np.random.default_rng(seed)
        odds = random.normal(0, 0.3, raters)[:, None] + random.normal(0, 0.7, images)
        right = (random.random((raters, images)) < 1 / (1 + np.exp(-odds))).astype(float)
        low, high = fit_panel(right, np.ones_like(right), np.arange(images) % 2 == 0).interval()
        widths.append((high - low) / 2)
    assert panel_precision(raters, images).half_width == pytest.approx(np.mean(widths), rel=0.1)
    assert panel_precision(3, 50).equivalence_power == 0
    assert panel_precision(100, 1000).equivalence_power > 0.9


def test_images_that_an_audit_flagged_are_named(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    real = open_data_set(shutil.copytree(sides[0].folder, tmp_path / "real"))
    flagged = dict.fromkeys(real.table["file_name"], "near-duplicate, by hash")
    write_json(real.folder / RECORD, {"content_hash": real.whole_hash, "flagged": flagged})
    study = create_study(small_protocol(tmp_path), real, sides[1], tmp_path / "study", 0)
    count = int((study.items["truth"] == "real").sum())
    notes = [note for note in study.notes if "its audit flagged" in note]
    assert len(notes) == 1
    assert f"its audit flagged {count} of the {count} images that take part" in notes[0]
