import html
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from dermsynth.backbones.extractors import load_extractor
from dermsynth.backbones.lpips import load_perceptual
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.manifest import update_record
from dermsynth.data.phantom import PhantomSettings, draw_parameters, render, write_phantom
from dermsynth.data.training_set import Selection, held_out_images, training_set
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.evaluation.feature_cache import POINTS
from dermsynth.evaluation.generator_metrics import PATH_SEED, discriminator_of, path_lengths, training_folder
from dermsynth.evaluation.memorisation import Sources, check_copies, sources, unrelated_images
from dermsynth.evaluation.results import evaluation_of
from dermsynth.evaluation.verdict import verdict
from dermsynth.evaluation.watcher import CHOOSING, discriminator_watcher, distance_watcher
from dermsynth.images import encode_png, fit, read_image
from dermsynth.io import read_json, write_bytes
from dermsynth.metrics.estimate import Effort, Sides
from dermsynth.metrics.frechet import fid_between
from dermsynth.metrics.path_length import trimmed_mean
from dermsynth.metrics.registry import METRICS
from dermsynth.models.sampler import one_hot, seed_noise
from dermsynth.report.evaluation_report import write_evaluation_report
from dermsynth.report.evaluation_text import evaluation_table, verdict_table
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from dermsynth.training.snapshot import Snapshot
from tests.evaluation.drawn import evaluation, row


@pytest.fixture(scope="module")
def synthetic(run: Path, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    counts = {"melanoma": 60, "nevus": 60, "seborrheic_keratosis": 20}
    return generate(load_generator(run, device="cpu"), counts, tmp_path_factory.mktemp("s") / "set")


QUICK = Effort(distance_resamples=10, kernel_resamples=20, histogram_resamples=20, mean_resamples=40, pairs=20)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_people_of_real_images_are_counted_and_drawn_whole(
    synthetic: DataSet, phantom: DataSet, tmp_path: Path
) -> None:
    """Four images a person, who are alike: photographs sorted by brightness."""
    brightness = np.argsort(np.argsort([read_image(path).mean() for path in phantom.paths]))
    people = DataSet(
        phantom.folder, phantom.table.assign(group=[f"p{rank // 4}" for rank in brightness]), phantom.description
    )
    found, plain = (
        evaluate(synthetic, real, load_extractor("embedded"), brief=True, effort=QUICK, out=tmp_path / name)
        for name, real in (("people", people), ("plain", phantom))
    )
    assert (found.real.images, found.real.groups) == (len(phantom.table), 60)
    assert plain.real.groups == plain.real.images
    assert "images are of 60 patients or lesions, which intervals and halves draw whole" in evaluation_table(found)
    assert "patients or lesions" not in evaluation_table(plain)
    assert (
        "60 patients or lesions"
        in write_evaluation_report(synthetic, people, found, "", path=tmp_path / "page.html").read_text()
    )
    one, other = (result.estimate("fid") for result in (found, plain))
    assert one.value == other.value
    assert one.high - one.low > other.high - other.low


def test_everything_stands_beside_the_numbers(synthetic: DataSet, phantom: DataSet, run: Path) -> None:
    before = files_of(synthetic.folder), files_of(run)
    result = evaluate(synthetic, phantom, load_extractor("embedded"), brief=True, effort=QUICK)
    assert result.groups == ["all classes", "melanoma", "nevus"]
    assert len(result.refused) == 1
    assert "seborrheic_keratosis: 20 synthetic images" in str(result.refused[0])
    assert all("embedded" in estimate.name or estimate.id == "swd" for estimate in result.estimates)
    assert result.extractor.comparable_with_published_fid is False
    assert result.real.trained_on == int((phantom.table["split"] == "train").sum())
    text = evaluation_table(result)
    assert "not comparable with published FID" in text
    assert "the generator was trained on" in text
    assert read_json(synthetic.folder / "assessment" / "assessment.json") == plain(result.document())
    assert evaluation_of(synthetic) == result
    assert "verdict" not in result.document()
    after = files_of(synthetic.folder)
    assert {path: after[path] for path in before[0]} == before[0], "the set itself stays as it is"
    assert {path.parent.name for path in {*after} - {*before[0]}} <= {"assessment"}
    assert files_of(run) == before[1]


def plain(value: object) -> object:
    return json.loads(json.dumps(value))


def test_the_whole_evaluation_has_every_part(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"melanoma": 55, "nevus": 60}, tmp_path / "made")
    discriminator = discriminator_of(made)
    assert discriminator is not None
    result = evaluate(
        made, phantom, load_extractor("embedded"), discriminator=discriminator, effort=QUICK, fewest_held_out=20
    )
    rows = result.to_frame()
    for name in ("MMD-embedded x 1000", "precision-embedded", "coverage-embedded",
                 "JSD x 1000 CIELAB L*", "Wasserstein x 1000 HSV S", "MS-SSIM of pairs", "Frechet distance, dermatology",
                 "difference of skin lightness"):  # fmt: skip
        assert {"all classes", "melanoma", "nevus"} <= {*rows[rows["name"] == name]["group"]}, name
    assert np.isfinite(rows[["value", "low", "high", "floor", "matched"]].to_numpy(float)).all()
    assert (rows["low"] <= rows["high"]).all()
    assert result.copying is not None
    assert result.copy_gate is not None
    figures = {estimate.name: estimate for estimate in result.copying}
    assert {"authenticity-embedded", "distance ratio-embedded", "membership by discriminator, AUC"} <= {*figures}
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in figures.values())
    again = open_data_set(made.folder)
    assert again.table.equals(made.table), "the set's own table stays as it is"
    copies = copies_of(again)
    assert copies is not None
    assert copies.facts == result.copy_gate
    assert copies.flagged.sum() == result.copy_gate.flagged
    assert {*copies.table["copy_of"]} <= {*phantom.table[phantom.table["split"] == "train"]["file_name"]}
    questions = {line.question: line.light for line in result.verdict}
    assert list(questions) == ["fidelity", "diversity", "copying", "usefulness", "fairness", "labels"]
    assert questions["fidelity"] == "red"  # the generator of these tests has hardly been trained
    assert [recognition.label for recognition in result.label_fidelity] == ["melanoma", "nevus"]
    for label in ("melanoma", "nevus"):
        assert [line.question for line in result.class_verdicts[label]] == ["fidelity", "diversity", "label"]
    assert result.real.classes == ("melanoma", "nevus")
    assert result.real.left_out == {"seborrheic_keratosis": phantom.count("seborrheic_keratosis")}
    order = copies.table["copy_score"].astype(float).argsort().to_numpy()
    flags = np.where(np.isin(np.arange(len(order)), order[:3]), "TRUE", "FALSE")  # as a spreadsheet writes them
    shouted = replace(copies, table=copies.table.assign(copy_flag=flags))
    path = write_evaluation_report(again, phantom, result, "dermsynth evaluate made", copies=shouted)
    assert path == made.folder / "assessment" / "assessment.html"
    page = path.read_text()
    assert page.count("<b>flagged</b>") == 3
    assert (
        page.index("melanoma: label")
        < page.index("Distances of distributions")
        < page.index("closest to a training image")
    )
    assert f"melanoma {phantom.count('melanoma')}, nevus {phantom.count('nevus')})" in page.split("<table")[0]
    every = [*result.estimates, *result.copying]
    assert all(METRICS[e.id].says in html.unescape(page) and e.name in html.unescape(page) for e in every)
    assert "closest to a training image" in page
    assert all(f"Closest by {measure}" in page for measure in result.closest)
    neighbours = pd.read_csv(made.folder / "assessment" / "neighbours.csv")
    assert len(neighbours) == 115
    best = result.closest["SSIM"][0]
    assert best.value == pytest.approx(neighbours["SSIM"].max(), abs=1e-5)
    assert best.of == neighbours.loc[neighbours["SSIM"].idxmax(), "SSIM: of"]
    assert page.count("<figure>") >= 24


def test_a_brief_evaluation_does_not_replace_a_whole_one(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"melanoma": 50, "nevus": 50}, tmp_path / "made")
    evaluate(made, phantom, load_extractor("embedded"), brief=True, effort=QUICK)
    whole = evaluate(made, phantom, load_extractor("embedded"), effort=QUICK)
    again = evaluate(open_data_set(made.folder), phantom, load_extractor("embedded"), brief=True, effort=QUICK)
    assert again.estimates
    assert evaluation_of(made) == whole


def test_perceptual_figures_paths_and_a_view_of_features(
    phantom: DataSet, run: Path, tmp_path: Path, drawn_mobilenet: Path
) -> None:
    made = generate(load_generator(run, device="cpu"), {"melanoma": 50, "nevus": 50}, tmp_path / "made")
    space = load_perceptual(f"mobilenet={drawn_mobilenet}")
    result = evaluate(
        made, phantom, load_extractor("embedded"), perceptual=space, paths=20, effort=QUICK, fewest_held_out=20
    )
    pairs = result.estimate("lpips", group="nevus")
    assert pairs.name == "perceptual distance, mobilenet_v2, of pairs"
    assert 0 < pairs.low < pairs.value < pairs.high
    assert pairs.floor > 0
    assert result.closest["perceptual distance, mobilenet_v2"][0].value > 0
    found = {(length.space, length.path): length for length in result.path_lengths}
    assert {*found} == {("Z", "full"), ("Z", "end"), ("W", "full"), ("W", "end")}
    assert all(length.low <= length.value <= length.high and length.paths == 20 for length in found.values())
    (view,) = (v for v in result.embedding if v.method == "PCA")
    assert len(view.points) == 100 + min(result.real.images, POINTS)
    assert all(0 <= p.x <= 1 and 0 <= p.y <= 1 for p in view.points)
    page = write_evaluation_report(open_data_set(made.folder), phantom, result, "").read_text()
    assert "Where the images lie" in page
    with pytest.raises(UserError, match="`path_lengths`: needs a distance"):
        evaluate(made, phantom, load_extractor("embedded"), paths=20, effort=QUICK)


def test_path_lengths_are_those_of_differences_along_the_path(run: Path, drawn_mobilenet: Path) -> None:
    generator = load_generator(run, device="cpu")
    space = load_perceptual(f"mobilenet={drawn_mobilenet}")
    figures = path_lengths(generator, space, 16, 3)
    again = path_lengths(generator, space, 16, 3)
    assert figures == again
    assert path_lengths(generator, space, 16, 3, ["nevus"]) != figures
    recipe, lengths = generator.model, []
    ends = [[seed_noise(PATH_SEED + 2 * (3 + k) + e, recipe.noise_shapes()) for k in range(16)] for e in (0, 1)]
    for k, (a, b) in enumerate(zip(*ends, strict=True)):
        label = one_hot([k % recipe.classes], recipe.classes, torch.device("cpu"))
        w = [recipe.style(side[0][None], label, None) for side in (a, b)]
        with torch.no_grad():
            images = [recipe.synthesise(torch.lerp(*w, t), [n[None] for n in a[1:]]) for t in (0.0, 1e-4)]
            lengths.append(float(space.distance(*images)[0]) / 1e-8)
    expected = trimmed_mean(np.array(lengths))
    (figure,) = (f for f in figures if (f.space, f.path) == ("W", "end"))
    assert figure.value == pytest.approx(expected, rel=0.05)  # float32: the step is a ten-thousandth


def test_what_was_translated_counts_as_known(synthetic: DataSet, phantom: DataSet) -> None:
    held_out_images = phantom.table["file_name"][phantom.table["split"] == "test"].tolist()[:5]
    table = synthetic.table.assign(source_image=(held_out_images * 40)[: len(synthetic.table)])
    generator = {**synthetic.description["generator"], "source_hash": phantom.content_hash}
    made = DataSet(synthetic.folder, table, {**synthetic.description, "generator": generator})
    plain, known = sources(synthetic, phantom), sources(made, phantom)
    assert {*known.training.table["file_name"]} == {*plain.training.table["file_name"], *held_out_images}
    assert not {*known.held_out.table["file_name"]} & {*held_out_images}
    foreign = DataSet(made.folder, table, {**made.description, "generator": {**generator, "source_hash": "0"}})
    with pytest.raises(UserError, match="made from photographs of another set"):
        sources(foreign, phantom)
    divided = phantom.table.assign(split=np.roll(phantom.table["split"].to_numpy(), 7))
    with pytest.raises(UserError, match="divided or labelled in another way"):
        sources(synthetic, DataSet(phantom.folder, divided, phantom.description))


def test_planted_copies_turn_the_light_red(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"melanoma": 20, "nevus": 40}, tmp_path / "made")
    training = phantom.select((phantom.table["split"] == "train").to_numpy())
    for mine, theirs in zip(made.paths[:15], training.paths[:15], strict=True):
        image = fit(read_image(theirs), *read_image(mine).shape[:2], "centre", "area")
        write_bytes(mine, encode_png(np.ascontiguousarray(image[:, ::-1])))
    check = check_copies(open_data_set(made.folder), fewest=20)
    copies = copies_of(open_data_set(made.folder))
    assert copies is not None
    assert copies.flagged[:15].all()
    assert str(check).startswith(f"{copies.flagged.sum()} of 60 images flagged")
    assert verdict(evaluation(copy_gate=copies.facts))[2].light == "red"
    posed = check_copies(open_data_set(made.folder), fewest=20, any_pose=True).facts
    assert posed is not None
    assert posed.any_pose
    assert check.facts is not None
    assert not check.facts.any_pose


def test_twins_of_training_images_set_no_threshold(phantom: DataSet) -> None:
    split = (phantom.table["split"] == "train").to_numpy()
    plain = phantom.table.drop(columns="group") if "group" in phantom.table else phantom.table
    rows = DataSet(phantom.folder, plain, phantom.description)
    known = Sources(rows.select(split), rows.select(~split))
    count = len(unrelated_images(known).table)
    twins = pd.concat([known.held_out.table, known.training.table.head(3)], ignore_index=True)
    more = Sources(known.training, DataSet(phantom.folder, twins, phantom.description))
    assert len(unrelated_images(more).table) == count
    related = known.held_out.table.assign(group=["family"] * 2 + [""] * (len(known.held_out.table) - 2))
    one = Sources(
        DataSet(phantom.folder, known.training.table.assign(group="family"), phantom.description),
        DataSet(phantom.folder, related, phantom.description),
    )
    assert len(unrelated_images(one).table) in (count - 2, count - 1, count)
    assert "family" not in set(unrelated_images(one).table["group"])


def test_sets_whose_lesions_cannot_be_found_still_have_figures(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 55}, tmp_path / "made")
    for number, path in enumerate(made.paths):
        write_bytes(path, encode_png(np.full((16, 16, 3), 100 + number, np.uint8)))
    update_record(made.folder, made.table["file_name"])
    result = evaluate(open_data_set(made.folder), phantom, load_extractor("embedded"), effort=QUICK)
    assert result["fid"].name == "FID-embedded"
    assert any("lesions were found in 0 of 55 synthetic" in str(line) for line in result.refused)


def test_a_page_on_another_real_set_shows_no_neighbours(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 55}, tmp_path / "made")
    check_copies(made, fewest=20)
    other = write_phantom(tmp_path / "other", 120, PhantomSettings(16, 16), seed=9, jobs=1)
    made = open_data_set(made.folder)
    result = evaluate(made, other, load_extractor("embedded"), effort=QUICK)
    assert "not the set that the generator was trained on" in result.copying_refused
    page = write_evaluation_report(made, other, result, "").read_text()
    assert "closest to a training image" not in page


def test_the_copying_light_allows_for_a_threshold_from_few_images() -> None:
    def light(flagged: int, held_out: int) -> str:
        facts = {"flagged": flagged, "of": 2000, "false_alarms": 0.01, "held_out": held_out}
        return verdict(evaluation(copy_gate=facts))[2].light

    assert light(20, 100) == light(20, 10_000) == "green"
    assert light(40, 100) == "green"
    assert light(40, 10_000) == "amber"
    assert light(300, 100) == "red"


def test_copies_are_not_looked_for_where_nothing_is_held_out(
    synthetic: DataSet, phantom: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="all of it was trained on"):
        sources(synthetic, DataSet(phantom.folder, phantom.table.drop(columns="split"), phantom.description))
    other = DataSet(phantom.folder, phantom.table, {**phantom.description, "content_hash": "0"})
    with pytest.raises(UserError, match="not the set that the generator was trained on"):
        sources(synthetic, other)
    with pytest.raises(UserError, match=r"dataset\.json names no generator"):
        sources(DataSet(synthetic.folder, synthetic.table, {"synthetic": True}), phantom)


def test_a_column_that_one_side_lacks_is_refused(synthetic: DataSet, phantom: DataSet) -> None:
    with pytest.raises(UserError, match="`by` 'age': no such column"):
        evaluate(synthetic, phantom, load_extractor("embedded"), columns=["age"])


def test_features_that_are_no_numbers_are_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4))
    broken = rows.copy()
    broken[3, 2] = np.nan
    with pytest.raises(UserError, match="synthetic features hold NaN"):
        fid_between(Sides(broken, rows), 10)


def test_a_second_evaluation_gives_the_same_numbers(synthetic: DataSet, phantom: DataSet) -> None:
    extractor = load_extractor("embedded")
    first, second = (evaluate(synthetic, phantom, extractor, brief=True, effort=QUICK, seed=4) for _ in range(2))
    assert first.estimates == second.estimates


def test_sides_and_splits_are_checked(synthetic: DataSet, phantom: DataSet) -> None:
    extractor = load_extractor("embedded")
    with pytest.raises(UserError, match="not a synthetic set"):
        evaluate(phantom, phantom, extractor)
    with pytest.raises(UserError, match="`against` takes the real one"):
        evaluate(synthetic, synthetic, extractor)
    with pytest.raises(UserError, match="no such split"):
        evaluate(synthetic, phantom, extractor, split="holdout")
    with pytest.raises(UserError, match="at least 50 a side"):
        evaluate(synthetic, phantom, extractor, split="test")


def test_the_watcher_prefers_real_images(phantom: DataSet) -> None:
    chosen = training_set(phantom, Decoding(16, 16))
    watch = distance_watcher(chosen.images, chosen.labels, 100)
    noise = np.random.default_rng(0).integers(0, 255, (100, 3, 16, 16), dtype=np.uint8)
    real = watch(
        Snapshot(0, lambda seeds, labels: np.asarray(chosen.images[-len(seeds) :]), lambda images, labels: None)
    )
    fake = watch(Snapshot(0, lambda seeds, labels: noise, lambda images, labels: None))
    for name in (CHOOSING, "KID-embedded x 1000"):
        assert real[name] < 0.1 * fake[name], name
    assert watch.best_by == CHOOSING


def photographs(folder: Path, alike: bool) -> np.ndarray:  # type: ignore[type-arg]
    """Two hundred, of which the second hundred is like the first or of another source."""
    paths = sorted((folder / "images").glob("*.jpg"))
    chosen = (
        np.random.default_rng(0).permutation(len(paths))[:200] if alike else np.arange(200)
    )  # sorted: another source
    return np.stack([fit(read_image(paths[i]), 64, 64, "centre", "area") for i in chosen]).transpose(0, 3, 1, 2)


def drawings(alike: bool) -> np.ndarray:  # type: ignore[type-arg]
    """Two hundred, of which the second hundred is like the first or of far darker skin."""
    settings = PhantomSettings(64, 64)
    drawn = [draw_parameters(seed, settings) for seed in range(200)]
    drawn[100:] = [p if alike else replace(p, ita=p.ita - 50) for p in drawn[100:]]
    return np.stack([render(parameters, settings).image for parameters in drawn]).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("source", ["drawings", "photographs"])
def test_noisy_and_blurred_images_are_worse_by_the_figure_that_chooses(
    source: str, alike: bool, request: pytest.FixtureRequest
) -> None:
    """Of generators that are right but for noise or blur, and of ones whose colours are far off, which noise does not mend."""
    drawn = source == "drawings"
    pixels = drawings(alike) if drawn else photographs(request.getfixturevalue("real_images"), alike)
    watch, other = distance_watcher(pixels[:100], np.zeros(100, np.int64), 100), pixels[100:]
    noise = np.random.default_rng(0).normal(size=other.shape)
    noisy = [(other + level * noise).clip(0, 255).astype(np.uint8) for level in (3, 6, 12)]
    blurred = np.stack([cv2.GaussianBlur(image.transpose(1, 2, 0), (0, 0), 1).transpose(2, 0, 1) for image in other])

    def figures(images: np.ndarray) -> Mapping[str, float]:  # type: ignore[type-arg]
        return watch(Snapshot(1, lambda seeds, labels: images, lambda images, labels: None))

    found = [figures(images) for images in (other, *noisy)]
    assert all(1.1 * a[CHOOSING] < b[CHOOSING] for a, b in pairwise(found)), [one[CHOOSING] for one in found]
    assert figures(blurred)[CHOOSING] > 1.2 * found[0][CHOOSING]
    hardly_more = 1.1 if drawn else 1.05
    assert found[2]["FID-embedded"] < hardly_more * found[0]["FID-embedded"], "which is why this figure does not choose"


def test_the_discriminators_knowledge_by_heart_is_a_difference(phantom: DataSet) -> None:
    """A judge that knows the training images is told from one that does not; without a judge there is no figure."""
    shown, decoding = training_set(phantom, Decoding(16, 16)), Decoding(16, 16)
    unseen = held_out_images(phantom, decoding, Selection(), shown.classes)
    assert unseen is not None
    known = {image.tobytes() for image in np.asarray(shown.images)}
    assert not any(image.tobytes() in known for image in np.asarray(unseen.images))
    watch = discriminator_watcher(shown, unseen, 64)

    def make(seeds: object, labels: list[int]) -> np.ndarray:
        return np.zeros((len(labels), 3, 16, 16), dtype=np.uint8)

    found = watch(
        Snapshot(0, make, lambda images, labels: np.array([0.9 if i.tobytes() in known else 0.4 for i in images]))
    )
    assert found == {
        "D(training)": pytest.approx(0.9),
        "D(held-out)": pytest.approx(0.4),
        "D(generated)": pytest.approx(0.4),
        "D(training) - D(held-out)": pytest.approx(0.5),
    }
    assert watch(Snapshot(0, make, lambda images, labels: None)) == {}
    assert held_out_images(phantom, decoding, Selection(split="all"), shown.classes) is None


def test_features_of_colour_and_texture_alone_never_give_a_green_light() -> None:
    precision = row("precision-x", matched=0.9, floor=0.91, half=99)
    lights = {
        name: verdict(evaluation([precision], extractor=name))[0].light for name in ("embedded", "inception-v3 (2048)")
    }
    assert lights == {"embedded": "not measured", "inception-v3 (2048)": "green"}


def test_a_green_light_is_written_too(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    """A synthetic set of real images is as faithful as can be: nothing on the way to its light may fail."""
    made = generate(load_generator(run, device="cpu"), {"melanoma": 50, "nevus": 60}, tmp_path / "made")
    for mine, theirs in zip(made.paths, phantom.paths, strict=False):
        write_bytes(mine, encode_png(fit(read_image(theirs), *read_image(mine).shape[:2], "centre", "area")))
    update_record(made.folder, made.table["file_name"])
    result = evaluate(open_data_set(made.folder), phantom, load_extractor("embedded"), effort=QUICK)
    assert result.light("fidelity") == "not measured"
    assert "name a network" in result.verdict[0].says
    assert "none is farther from real images" in result.verdict[0].says
    assert result.light("copying") == "red"
    assert 50 < result.shared_images <= 110  # those of labels that were not generated are not compared
    assert f"{result.shared_images} of 110 synthetic images are real ones" in verdict_table(result)
    assert any(remark.about == "alike" and remark.level == "warning" for remark in result.sides)


def test_a_set_knows_what_it_was_trained_on(synthetic: DataSet, phantom: DataSet) -> None:
    assert training_folder(synthetic).resolve() == phantom.folder.resolve()
    lost = DataSet(synthetic.folder, synthetic.table, {**synthetic.description, "generator": {"run": "gone"}})
    with pytest.raises(UserError, match="name the real set with `against` DIR"):
        training_folder(lost)


def test_a_missing_image_is_one_line(phantom: DataSet, run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 50}, tmp_path / "made")
    made.paths[0].unlink()
    with pytest.raises(UserError, match=rf"1 deleted \({made.table['file_name'].iloc[0]}\)"):
        evaluate(made, phantom, load_extractor("embedded"))
