"""Who is shown what, what is refused, and whether the verdict follows from what was planted."""

import html
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dermsynth.cli import utility as verb
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.flagged import RECORD
from dermsynth.data.manifest import update_record
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.training_set import Selection, chosen_rows, rows_hash
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.results import usefulness_of
from dermsynth.evaluation.verdict import verdict as evaluation_verdict
from dermsynth.images import encode_png
from dermsynth.io import read_json, write_bytes, write_json
from dermsynth.report.utility_report import write_utility_report
from dermsynth.statistics.roc import auc
from dermsynth.utility.arms import ARMS, CLASSICAL, OVERSAMPLED, REAL, SYNTHETIC, Arm, mixed, parse_arms
from dermsynth.utility.classifier import Training, load_extractor
from dermsynth.utility.datasets import collect_material
from dermsynth.utility.experiment import Plan, _scores_path, read_result, run_experiment
from dermsynth.utility.material import Classes, HeldOut, Stratum, _draw_share
from dermsynth.utility.metrics import ArmScores, arm_figures, comparisons
from dermsynth.utility.spread import paired_difference
from dermsynth.utility.usefulness import utility
from dermsynth.utility.verdict import verdict, worth
from tests.evaluation.drawn import evaluation

CLASSES = Classes("melanoma", ("nevus",))
QUICK = Training(images=320, batch=16, learning_rate=0.003)


def image(positive: bool, random: np.random.Generator, signal: float = 70) -> NDArray[np.uint8]:
    pixels = random.integers(40, 150, (16, 16, 3)).astype(np.float32)
    pixels[..., 0] += signal * positive
    return pixels.clip(0, 255).astype(np.uint8)


def _key(arm: Arm) -> str:
    return _scores_path(Path(), arm, 0).stem.removesuffix("-0")


def folder(
    path: Path, counts: dict[str, int], seed: int, facts: dict[str, object], splits: bool = True, signal: float = 70
) -> DataSet:
    random, rows = np.random.default_rng(seed), []
    for label, count in counts.items():
        for i in range(count):
            name = f"images/{label}{i}.png"
            write_bytes(path / name, encode_png(image(label == "melanoma", random, signal)))
            row = {"file_name": name, "label": label}
            rows.append(
                row
                | ({"split": ("train", "train", "validation", "test")[i % 4], "group": f"{label}{i}"} if splits else {})
            )
    return write_data_set(
        path, pd.DataFrame(rows), Provenance.model_validate({"synthetic": False, **facts}), Step(command="test")
    )


@pytest.fixture
def real(tmp_path: Path) -> DataSet:
    return folder(tmp_path / "real", {"melanoma": 48, "nevus": 80, "wart": 5}, 0, {})


@pytest.fixture
def synthetic(real: DataSet, tmp_path: Path) -> DataSet:
    origin = {"synthetic": True, "generator": {"data_hash": real.content_hash, "split": "train"}}
    return folder(tmp_path / "made", {"melanoma": 60, "nevus": 60}, 1, origin, splits=False)


def test_arms_are_named_and_wrong_names_are_refused() -> None:
    assert parse_arms(()) == ARMS
    assert parse_arms(("mixed=0.5", "real=0.25", "mixed=0.5")) == (
        REAL,
        mixed(0.5),
        Arm("real, 25% of the images", real=0.25),
    )
    assert parse_arms(("mixed=1", "real"))[0] == REAL
    assert parse_arms(("real", "oversampled", "classical", "synthetic")) == (REAL, OVERSAMPLED, CLASSICAL, SYNTHETIC)
    assert [arm.way for arm in parse_arms(("weights", "mixup", "cutmix", "copies"))] == [
        "", "weights", "mixup", "cutmix", "copies",
    ]  # fmt: skip
    for name in ("fake", "mixed", "mixed=-1", "real=2", "mixed=many"):
        with pytest.raises(UserError, match="write real, oversampled"):
            parse_arms((name,))


def test_every_arm_sees_what_its_name_says(real: DataSet, synthetic: DataSet) -> None:
    material = collect_material(real, synthetic, CLASSES)
    count = len(material.training.table)
    assert count == 24 + 40
    for arm, made in ((REAL, 0), (SYNTHETIC, 120), (mixed(0.5), 32), (mixed(1), 64)):
        examples = material.examples(arm, 0)
        assert len(examples.images) == (0 if arm == SYNTHETIC else count) + made
        drawn = examples.draw(40_000, np.random.default_rng(0))
        assert examples.truth[drawn].mean() == pytest.approx(0.5, abs=0.02)
        if arm.synthetic and arm.real:
            assert (drawn < count).mean() == pytest.approx(1 / arm.length, abs=0.02)
    fewer = material.examples(Arm("fewer", real=0.25), 0)
    assert (fewer.truth.sum(), (~fewer.truth).sum()) == (6, 10)
    assert not np.array_equal(fewer.images, material.examples(Arm("fewer", real=0.25), 1).images)


def test_test_images_were_seen_by_nobody(real: DataSet, synthetic: DataSet) -> None:
    material = collect_material(real, synthetic, CLASSES)
    parts = [material.training.table, material.tests[0].rows.table]
    assert not {*parts[0]["file_name"]} & {*parts[1]["file_name"]}
    assert {*parts[1]["split"]} == {"test"}


def described(data_set: DataSet, **generator: object) -> DataSet:
    return DataSet(data_set.folder, data_set.table, {**data_set.description, "generator": generator})


def test_generators_that_may_have_seen_test_images_are_refused(real: DataSet, synthetic: DataSet) -> None:
    with pytest.raises(UserError, match="trained on another set"):
        collect_material(real, described(synthetic, data_hash="0", split="train"), CLASSES)
    with pytest.raises(UserError, match="split 'all', test images included"):
        collect_material(real, described(synthetic, data_hash=real.content_hash, split="all"), CLASSES)
    with pytest.raises(UserError, match="says nothing of its generator"):
        collect_material(real, described(synthetic), CLASSES)
    with pytest.raises(UserError, match="no column split"):
        collect_material(DataSet(real.folder, real.table.drop(columns="split"), real.description), synthetic, CLASSES)


def test_groups_and_classes_are_checked(real: DataSet, synthetic: DataSet) -> None:
    table = real.table.copy()
    table.loc[table["file_name"] == "images/melanoma3.png", "group"] = "melanoma0"
    with pytest.raises(UserError, match=r"group 'melanoma0': in the splits train and test"):
        collect_material(DataSet(real.folder, table, real.description), synthetic, CLASSES)
    with pytest.raises(UserError, match=r"3 negative images \(wart\), at least 10"):
        collect_material(real, synthetic, Classes("melanoma", ("wart",)))
    with pytest.raises(UserError, match=r"0 positive images \(mole\)"):
        collect_material(real, synthetic, Classes("mole", ("nevus",)))


def test_one_patient_in_two_spellings_is_one(real: DataSet, synthetic: DataSet) -> None:
    for first, second, same in (("P001", "p001", True), ("12", "12.0", True), ("unknown", "unknown", False)):
        table = real.table.copy()
        table.loc[table["file_name"] == "images/melanoma0.png", "group"] = first
        table.loc[table["file_name"] == "images/melanoma3.png", "group"] = second
        spelled = DataSet(real.folder, table, real.description)
        if same:
            with pytest.raises(UserError, match=f"group '{first.lower()}': in the splits train and test"):
                collect_material(spelled, synthetic, CLASSES)
        else:
            collect_material(spelled, synthetic, CLASSES)


def test_a_share_of_the_images_takes_whole_patients_in_any_spelling(real: DataSet, synthetic: DataSet) -> None:
    table = real.table.copy()
    spellings = ["P1", "p1", "2", "2.0", "unknown", "NA"] * 30
    table["group"] = [
        f"{table['label'][i]}7" if table["split"][i] != "train" else spellings[i] for i in range(len(table))
    ]
    rows = DataSet(real.folder, table[table["split"] == "train"].reset_index(drop=True), real.description)
    chosen = _draw_share(rows, 0.3, np.random.default_rng(0))
    for group in ("p1", "2"):
        for label in rows.classes:
            members = np.flatnonzero((rows.groups == group) & (rows.labels == label))
            assert np.isin(members, chosen).all() or not np.isin(members, chosen).any()
    strangers = np.flatnonzero(rows.groups == "")
    assert 0 < np.isin(strangers, chosen).sum() < len(strangers)


def test_one_text_is_one_value_and_only_copies_of_the_real_set_are_copies(
    real: DataSet, synthetic: DataSet, tmp_path: Path
) -> None:
    words = {"out": tmp_path / "out", "positive": "melanoma", "negative": "nevus", "repeats": 1}
    with pytest.raises(UserError, match="`by` 'nothing': no such column"):
        utility(synthetic, real, **words, by="nothing")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="`arms` 'fake'"):
        utility(synthetic, real, **words, arms="fake")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="`tests`: two sets named 'real'"):
        utility(synthetic, real, **words, tests=str(real.folder))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="`images` 0: the amount of images must be at least 1"):
        utility(synthetic, real, **words, images=0)  # type: ignore[arg-type]
    stranger = folder(tmp_path / "stranger", {"melanoma": 12, "nevus": 12}, 3, {})
    with pytest.raises(UserError, match="after @ comes a name given with `variants`"):
        utility(synthetic, real, **words, arms="real@stranger", variants={"stranger": stranger})  # type: ignore[arg-type]


def test_images_made_from_test_images_are_refused(real: DataSet, synthetic: DataSet) -> None:
    known = {"data_hash": real.content_hash, "split": "train"}
    with pytest.raises(UserError, match="made from images of the split 'test'"):
        collect_material(real, described(synthetic, **known, source_split="test"), CLASSES)
    with pytest.raises(UserError, match="made from photographs of another set"):
        collect_material(real, described(synthetic, **known, source_split="train", source_hash="0"), CLASSES)
    rows = DataSet(synthetic.folder, synthetic.table.assign(split="validation"), synthetic.description)
    with pytest.raises(UserError, match="holds images made from the splits validation"):
        collect_material(real, rows, CLASSES)


def test_a_set_divided_anew_and_foreign_first_weights_are_refused(real: DataSet, synthetic: DataSet) -> None:
    rows = rows_hash(chosen_rows(real, Selection("train", (), conditional=True)))
    known = {
        "data_hash": real.content_hash,
        "split": "train",
        "recipe": "dcgan",
        "classes": ["melanoma", "nevus", "wart"],
    }
    made = described(synthetic, **known, rows_hash=rows)
    collect_material(real, made, CLASSES)
    table = real.table.copy()
    table["split"] = table["split"].replace({"validation": "test", "test": "validation"})
    collect_material(DataSet(real.folder, table, real.description), made, CLASSES)
    table.loc[table.index[:8], "split"] = ["test", "test", "train", "train"] * 2
    with pytest.raises(UserError, match="divided or labelled in another way since"):
        collect_material(DataSet(real.folder, table, real.description), made, CLASSES)
    for earlier in ({"run": "ben", "data_hash": "0", "split": "train"},
                    {"run": "ben", "data_hash": real.content_hash, "split": "all"}):  # fmt: skip
        with pytest.raises(UserError, match="began with the weights of 'ben'"):
            collect_material(real, described(synthetic, **known, earlier=[earlier]), CLASSES)


def test_a_patient_is_in_one_split_whatever_the_label(real: DataSet, synthetic: DataSet) -> None:
    table = real.table.copy()
    table.loc[table["file_name"] == "images/wart0.png", "group"] = "melanoma3"
    with pytest.raises(UserError, match="group 'melanoma3': in the splits train and test"):
        collect_material(DataSet(real.folder, table, real.description), synthetic, CLASSES)


def test_images_without_a_group_are_groups_of_their_own(real: DataSet, synthetic: DataSet) -> None:
    table = real.table.assign(group=["" if i % 5 else str(i) for i in range(len(real.table))])
    material = collect_material(DataSet(real.folder, table, real.description), synthetic, CLASSES)
    assert len(material.examples(Arm("fewer", real=0.25), 0).images) == 16


def test_more_synthetic_images_than_there_are_cannot_be_shown(real: DataSet, synthetic: DataSet) -> None:
    with pytest.raises(UserError, match=r"arm 'mixed 1:2': needs 128 synthetic images, .* has 120; generate more"):
        collect_material(real, synthetic, CLASSES).examples(mixed(2), 0)
    with pytest.raises(UserError, match="needs another label beside it"):
        Classes("melanoma", ("melanoma",))


def test_photographs_of_the_real_set_are_found_in_an_external_one(
    real: DataSet, synthetic: DataSet, tmp_path: Path
) -> None:
    other = folder(tmp_path / "other", {"melanoma": 14, "nevus": 14}, 7, {}, splits=False)
    assert len(collect_material(real, synthetic, CLASSES, [other]).tests[1].truth) == 28
    for name in ("melanoma0.png", "nevus1.png"):
        (other.folder / "images" / name).write_bytes((real.folder / "images" / name).read_bytes())
    write_data_set(other.folder, other.table, Provenance(synthetic=False), Step(command="test"))
    with pytest.raises(
        UserError, match=r"2 images are also in .*, for example images/melanoma0.png and images/melanoma0.png"
    ):
        collect_material(real, synthetic, CLASSES, [open_data_set(other.folder)])
    kept = collect_material(real, synthetic, CLASSES, [open_data_set(other.folder)], drop_overlap=True)
    assert len(kept.tests[1].truth) == 26


def test_twins_of_training_images_are_not_tested_on(real: DataSet, synthetic: DataSet) -> None:
    (real.folder / "images" / "nevus3.png").write_bytes((real.folder / "images" / "nevus1.png").read_bytes())
    update_record(real.folder, ["images/nevus3.png"])
    with pytest.raises(UserError, match=r"1 photographs of the split test are in the split train too, .*nevus3.png"):
        collect_material(real, synthetic, CLASSES)


def test_further_test_sets_are_real_and_columns_exist(real: DataSet, synthetic: DataSet, tmp_path: Path) -> None:
    other = folder(tmp_path / "other", {"melanoma": 14, "nevus": 14}, 7, {"synthetic": True}, splits=False)
    with pytest.raises(UserError, match=r"`tests` .*: a synthetic set"):
        collect_material(real, synthetic, CLASSES, [other])
    with pytest.raises(UserError, match=r"`by` 'hare': no such column in any test set; .* file_name, label"):
        collect_material(real, synthetic, CLASSES, columns=("hare",))
    sites = real.table.assign(site=["arm"] * 30 + ["leg"] * 103)
    rows = DataSet(real.folder, sites, real.description)
    assert {"site: arm", "site: leg"} <= {
        part.name for part in collect_material(rows, synthetic, CLASSES, columns=("site",)).tests[0].strata
    }


def test_a_rare_class_alone_may_be_synthetic(real: DataSet, synthetic: DataSet, tmp_path: Path) -> None:
    rare = synthetic.select(synthetic.labels == "melanoma")
    material = collect_material(real, rare, CLASSES)
    examples = material.examples(mixed(0.5), 0)
    assert (examples.truth.sum(), (~examples.truth).sum()) == (24 + 32, 40)
    drawn = examples.draw(40_000, np.random.default_rng(0))
    assert examples.truth[drawn].mean() == pytest.approx(0.5, abs=0.02)
    with pytest.raises(UserError, match=r"arm 'synthetic': needs both labels, .* has melanoma"):
        run_experiment(material, Plan((REAL, SYNTHETIC), 1, QUICK), tmp_path / "alone")
    assert not (tmp_path / "alone").exists()
    result = run_experiment(material, Plan((REAL, mixed(0.5)), 1, QUICK), tmp_path / "out")
    assert "trained_on_real_tested_on_synthetic" not in result.model_dump()


def test_variants_are_arms_of_their_own(real: DataSet, synthetic: DataSet, tmp_path: Path) -> None:
    origin = {"synthetic": True, "generator": synthetic.description["generator"]}
    edited = folder(tmp_path / "edited", {"melanoma": 40, "nevus": 40}, 9, origin, splits=False, signal=0)
    arms = parse_arms(("synthetic", "synthetic@edited", "mixed=1@edited"), {"edited"})
    assert [arm.name for arm in arms] == ["real", "synthetic", "synthetic, edited", "mixed 1:1, edited"]
    assert [arm.name for arm in parse_arms((), ("edited",))][-2:] == ["synthetic, edited", "mixed 1:1, edited"]
    for name in ("synthetic@other", "real@edited"):
        with pytest.raises(UserError, match="after @ comes a name given with `variants`"):
            parse_arms((name,), {"edited"})
    material = collect_material(real, synthetic, CLASSES, variants={"edited": edited})
    assert len(material.examples(arms[2], 0).images) == 80
    result = run_experiment(material, Plan(arms[:3], 1, QUICK), tmp_path / "out")
    areas = {row.arm: row.auc for row in result.figures}
    assert areas["synthetic"] > 0.8 > areas["synthetic, edited"]  # the edited images show no difference
    with pytest.raises(UserError, match="variant 'edited': missing; name it in `variants`"):
        run_experiment(collect_material(real, synthetic, CLASSES), Plan((REAL,), 1, QUICK), tmp_path / "out")
    with pytest.raises(UserError, match="begun with another variant edited"):
        run_experiment(
            collect_material(real, synthetic, CLASSES, variants={"edited": synthetic}),
            Plan((REAL,), 1, QUICK),
            tmp_path / "out",
        )
    foreign = described(edited, data_hash="0", split="train")
    with pytest.raises(UserError, match="trained on another set"):
        collect_material(real, synthetic, CLASSES, variants={"edited": foreign})


def test_edited_copies_of_the_real_set_take_its_place(real: DataSet, synthetic: DataSet, tmp_path: Path) -> None:
    """Of which one is missing: it could not be cleaned."""
    counts = {"melanoma": 48, "nevus": 80, "wart": 5}
    copy = folder(tmp_path / "grey", counts, 0, {"edited_from": real.content_hash}, signal=0)
    table = copy.table.assign(edited_from=copy.table["file_name"]).iloc[::-1].iloc[:-1].reset_index(drop=True)
    grey = DataSet(copy.folder, table, copy.description)
    arms = parse_arms(("real", "real@grey"), copies=("grey",))
    assert [arm.name for arm in arms] == ["real", "real, grey"]
    assert parse_arms((), copies=("grey",))[-1] == arms[1]
    with pytest.raises(UserError, match="after @ comes a name given with `variants`"):
        parse_arms(("synthetic@grey",), copies=("grey",))
    material = collect_material(real, synthetic, CLASSES, variants={"grey": grey})
    examples, original = material.examples(arms[1], 0), material.examples(REAL, 0)
    assert (len(examples.images), len(original.images)) == (63, 64)
    assert (examples.truth == original.truth[1:]).all()
    assert (examples.images[:, 1:] == original.images[1:, 1:]).all(), "the same images but for their red"
    assert (examples.images[examples.truth, 0] != original.images[1:][examples.truth, 0]).any()
    result = run_experiment(material, Plan(arms, 1, QUICK), tmp_path / "out")
    areas = {row.arm: row.auc for row in result.figures}
    assert areas["real"] > 0.8 > areas["real, grey"]
    assert read_json(tmp_path / "out" / "settings.json")["variants"]["grey"]["images"] == 63


def test_an_experiment_is_repeated_to_the_digit_and_goes_on(real: DataSet, synthetic: DataSet, tmp_path: Path) -> None:
    material = collect_material(real, synthetic, CLASSES)
    plan = Plan((REAL, SYNTHETIC, mixed(1), Arm("real, 25% of the images", real=0.25)), 2, QUICK)
    first = run_experiment(material, plan, tmp_path / "out")
    assert len(list((tmp_path / "out" / "scores").glob("*.csv"))) == 8
    assert read_result(tmp_path / "out") == first
    with pytest.raises(UserError, match="no result of dermsynth utility"):
        read_result(tmp_path)
    table = first.to_frame().set_index("arm")
    assert table.loc["real", "auc"] == first.figures[0].auc
    assert (table["low"] <= table["ensemble_auc"]).all()
    assert not (synthetic.folder / "usefulness.json").exists()
    assert {f.arm for f in first.figures} == {arm.name for arm in plan.arms}
    assert all(f.auc > 0.8 for f in first.figures if f.arm != "real, 25% of the images")
    assert "real images of which 12 are positive" in first.verdict
    assert "real images (AUC" in first.worth
    assert first.trained_on_real_tested_on_synthetic is not None
    assert first.trained_on_real_tested_on_synthetic.auc > 0.8
    told = usefulness_of(open_data_set(synthetic.folder), tmp_path / "out")
    assert told is not None
    line = evaluation_verdict(evaluation(usefulness=told))[3]
    assert line.says == first.verdict
    assert line.light == {"helps": "green", "no evidence": "amber", "hurts": "red"}[first.outcome]
    assert first.trained_on_real_tested_on_synthetic.images == 120
    write_utility_report(tmp_path / "out", first, "dermsynth utility made")
    page = (tmp_path / "out" / "utility.html").read_text()
    assert first.verdict in html.unescape(page)
    assert (
        page.count("<svg") == 6
    )  # differences, worth in real images; ROC, reliability, precision and recall, net benefit
    assert "whether another training of it would do as well is not known" in page
    extractor = load_extractor(f"classifier={tmp_path / 'out'}")
    test = material.tests[0]
    assert extractor.head is not None
    kept = pd.read_csv(next((tmp_path / "out" / "scores").glob(f"{_key(REAL)}-0.csv")), keep_default_na=False)
    scores = kept.loc[kept["test"] == test.name, "score"].to_numpy(float)
    assert extractor.head(extractor(test.images))[:, 1] == pytest.approx(scores, abs=1e-5)
    with pytest.raises(UserError, match="takes a folder of dermsynth utility"):
        load_extractor("classifier=nowhere")
    again = run_experiment(material, plan, tmp_path / "again")
    assert [f.auc_repeats for f in again.figures] == [f.auc_repeats for f in first.figures]
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "scores").glob("*.csv")}
    more = run_experiment(material, replace(plan, arms=(REAL, OVERSAMPLED), repeats=1), tmp_path / "out")
    assert all(p.stat().st_mtime_ns == t for p, t in kept.items())
    assert [f.arm for f in more.figures] == [*(arm.name for arm in plan.arms), OVERSAMPLED.name]
    assert all(f.repeats == 2 for f in more.figures)
    swapped = replace(material, validation_rows=material.tests[0].rows)
    with pytest.raises(UserError, match="begun with another validation_rows"):
        run_experiment(swapped, plan, tmp_path / "out")
    with pytest.raises(UserError, match="begun with another seed"):
        run_experiment(material, replace(plan, seed=5), tmp_path / "out")


def test_the_verb_trains_tests_and_writes_a_page(
    real: DataSet, synthetic: DataSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb.utility(
        synthetic.folder, real=real.folder, out=tmp_path / "out", classes=verb.Classes("melanoma", ("nevus",)),
        trainings=verb.Trainings(arms=("real", "mixed=1"), repeats=2, images="320", batch=16, learning_rate=0.003),
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "mixed 1:1" in said
    assert "real images of which 12 are positive" in said
    assert (tmp_path / "out" / "utility.html").exists()


def scored(arm: Arm, shift: float, seed: int, n: int = 300, repeats: int = 4) -> ArmScores:
    random = np.random.default_rng(0)
    truth = np.arange(n) < n // 4
    common = random.normal(size=n)
    noise = np.random.default_rng(seed).normal(size=(repeats, n))
    scores = 1 / (1 + np.exp(-(common + shift * truth + 0.5 * noise)))
    rows = DataSet(Path("t"), pd.DataFrame({"file_name": [str(i) for i in range(n)]}), {})
    return ArmScores(
        arm,
        HeldOut(
            "held out",
            rows,
            np.zeros((n, 3, 2, 2), np.uint8),
            truth,
            [Stratum("site", "arm", np.arange(n) % 2 == 0), Stratum("site", "rare", np.arange(n) < 5)],
        ),
        scores,
        0.5,
        0.5,
    )


def told(shift: float, control: float = 1.0) -> tuple[str, str]:
    rows = [
        scored(REAL, 1.0, 1),
        scored(OVERSAMPLED, control, 2),
        scored(SYNTHETIC, 0.5, 4),
        scored(mixed(1), shift, 3),
    ]
    fewer = [
        scored(Arm(f"real, {share:.0%} of the images", real=share), at, 5) for share, at in ((0.1, 0.2), (0.5, 0.8))
    ]
    arms = [row.arm for row in (*rows, *fewer)]
    figures = [arm_figures(row, 0) for row in (*rows, *fewer)]
    return verdict(figures, comparisons(rows, 0), arms).text, worth(figures, arms, 1000)


def test_the_verdict_says_what_was_planted() -> None:
    assert told(1.0)[0].startswith("No evidence that the synthetic images help or hurt: mixed 1:1")
    assert told(2.0)[0].startswith("The synthetic images help: mixed 1:1")
    assert told(0.0)[0].startswith("The synthetic images hurt: mixed 1:1")
    assert told(2.0, control=2.5)[0].startswith("No evidence that the synthetic images help more than showing")
    assert "on 300 real images of which 75 are positive" in told(2.0)[0]


def test_the_worth_is_read_off_the_curve() -> None:
    text = told(1.0)[1]
    assert text.startswith("Alone they are worth about ")
    assert 100 < float(text.split("about ")[1].split()[0]) < 500


def test_the_paired_difference_is_fair_and_sees_a_difference() -> None:
    base = scored(REAL, 1.0, 1)
    low, high, p = paired_difference(base.of_trainings, scored(mixed(1), 2.0, 2).of_trainings, 0)
    assert low > 0
    assert p < 0.02
    found = []
    for k in range(60):  # nothing but the noise of seeds tells the arms apart
        sides = (scored(arm, 1.0, seed + k).of_trainings for arm, seed in ((REAL, 100), (mixed(1), 500)))
        low, high, p = paired_difference(*sides, 0, resamples=200)
        assert low <= high
        found.append(p < 0.05)
    assert np.mean(found) <= 0.1
    one = [scored(*row, repeats=1).of_trainings for row in ((REAL, 1.0, 1), (mixed(1), 3.0, 2))]
    assert paired_difference(*one, 0)[2] == 1


def test_figures_of_an_arm_are_those_of_its_scores() -> None:
    one = scored(REAL, 1.0, 1)
    found = arm_figures(one, 0)
    assert found.auc == pytest.approx(np.mean([auc(one.test.truth, s) for s in one.scores]))
    assert found.delong[0] < found.ensemble_auc < found.delong[1]
    (part,) = found.strata  # the rare one has too few images
    assert (part.stratum, part.images, part.positive) == ("site: arm", 150, 38)
    assert part.auc == pytest.approx(auc(one.test.truth[::2], one.ensemble[::2]))
    confusion = found.confusion
    assert sum(confusion.model_dump().values()) == 300
    assert confusion.true_positive + confusion.false_negative == 75


def test_images_that_an_audit_flagged_are_a_caution(real: DataSet, synthetic: DataSet, tmp_path: Path) -> None:
    choices = {"positive": "melanoma", "negative": "nevus", "arms": "real", "repeats": 1, "images": 64}
    plain = utility(synthetic, real, out=tmp_path / "plain", **choices)  # type: ignore[arg-type]
    assert not any("its audit flagged" in caution for caution in plain.cautions)
    flagged = {str(name): "near-duplicate, by hash" for name in real.table["file_name"][real.labels == "wart"]}
    of_test = str(real.part(real.in_split("test") & (real.labels == "nevus")).table["file_name"].iloc[0])
    write_json(real.folder / RECORD, {"content_hash": real.whole_hash, "flagged": {**flagged, of_test: "black"}})
    result = utility(synthetic, real, out=tmp_path / "flagged", **choices)  # type: ignore[arg-type]
    cautions = [caution for caution in result.cautions if "its audit flagged" in caution]
    assert len(cautions) == 1
    assert f"flagged 1 of the 128 images that take part, the first {of_test} (black)" in cautions[0]
