from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation import fidelity
from dermsynth.evaluation.evaluate import as_text, evaluate
from dermsynth.evaluation.watcher import discriminator_watcher, kid_watcher
from dermsynth.networks.features import load_extractor
from dermsynth.runs import read_json
from dermsynth.sampling.generate import generate, load_generator


@pytest.fixture(scope="module")
def synthetic(run: Path, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    counts = {"melanoma": 60, "nevus": 60, "seborrheic_keratosis": 20}
    return generate(load_generator(run, device="cpu"), counts, tmp_path_factory.mktemp("s") / "set")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FID_RESAMPLES", "SWD_RESAMPLES"):
        monkeypatch.setattr(fidelity, name, 10)


def test_everything_stands_beside_the_numbers(synthetic: DataSet, phantom: DataSet, run: Path) -> None:
    result = evaluate(synthetic, phantom, load_extractor("embedded"))
    groups = {row["group"] for row in result["measurements"]}
    assert groups == {"all classes", "melanoma", "nevus"}
    assert len(result["refused"]) == 1
    assert "seborrheic_keratosis: 20 synthetic images" in result["refused"][0]
    assert all("embedded" in row["metric"] or row["metric"].startswith("SWD") for row in result["measurements"])
    assert result["extractor"]["comparable_with_published_fid"] is False
    assert result["real"]["trained_on"] == int((phantom.table["split"] == "train").sum())
    text = as_text(result)
    assert "not comparable with published FID" in text
    assert "the generator was trained on" in text
    assert read_json(synthetic.folder / "evaluation.json") == result
    assert read_json(run / "evaluations" / f"{synthetic.folder.name}.json") == result


def test_a_second_evaluation_gives_the_same_numbers(synthetic: DataSet, phantom: DataSet) -> None:
    extractor = load_extractor("embedded")
    first, second = (evaluate(synthetic, phantom, extractor, seed=4)["measurements"] for _ in range(2))
    assert first == second


def test_sides_and_splits_are_checked(synthetic: DataSet, phantom: DataSet) -> None:
    extractor = load_extractor("embedded")
    with pytest.raises(UserError, match="not a synthetic set"):
        evaluate(phantom, phantom, extractor)
    with pytest.raises(UserError, match="--against takes the real one"):
        evaluate(synthetic, synthetic, extractor)
    with pytest.raises(UserError, match="no such split"):
        evaluate(synthetic, phantom, extractor, split="holdout")
    with pytest.raises(UserError, match="at least 50 a side"):
        evaluate(synthetic, phantom, extractor, split="test")


def test_the_watcher_prefers_real_images(phantom: DataSet) -> None:
    import numpy as np

    from dermsynth.data.cache import Decoding
    from dermsynth.data.training_set import training_set
    from dermsynth.training.loop import Glimpse

    chosen = training_set(phantom, Decoding(16, 16))
    watch = kid_watcher(chosen.images, chosen.labels, 100)
    noise = np.random.default_rng(0).integers(0, 255, (100, 3, 16, 16), dtype=np.uint8)
    real = watch(
        Glimpse(0, lambda seeds, labels: np.asarray(chosen.images[-len(seeds) :]), lambda images, labels: None)
    )
    fake = watch(Glimpse(0, lambda seeds, labels: noise, lambda images, labels: None))
    name = "KID-embedded x 1000"
    assert real[name] < 0.1 * fake[name]


def test_the_discriminators_knowledge_by_heart_is_a_difference(phantom: DataSet) -> None:
    """A judge that knows the training images is told from one that does not; without a judge there is no figure."""
    import numpy as np

    from dermsynth.data.cache import Decoding
    from dermsynth.data.training_set import Selection, held_out, training_set
    from dermsynth.training.loop import Glimpse

    shown, decoding = training_set(phantom, Decoding(16, 16)), Decoding(16, 16)
    unseen = held_out(phantom, decoding, Selection(), shown.classes)
    assert unseen is not None
    known = {image.tobytes() for image in np.asarray(shown.images)}
    assert not any(image.tobytes() in known for image in np.asarray(unseen.images))
    watch = discriminator_watcher(shown, unseen, 64)

    def make(seeds: object, labels: list[int]) -> np.ndarray:
        return np.zeros((len(labels), 3, 16, 16), dtype=np.uint8)

    found = watch(
        Glimpse(0, make, lambda images, labels: np.array([0.9 if i.tobytes() in known else 0.4 for i in images]))
    )
    assert found == {
        "D(training)": pytest.approx(0.9),
        "D(held-out)": pytest.approx(0.4),
        "D(generated)": pytest.approx(0.4),
        "D(training) - D(held-out)": pytest.approx(0.5),
    }
    assert watch(Glimpse(0, make, lambda images, labels: None)) == {}
    assert held_out(phantom, decoding, Selection(split="all"), shown.classes) is None
