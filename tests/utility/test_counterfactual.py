"""Counterfactual pairs: what was planted is counted, sets that are no pair are refused, and a person reads the figures."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from dermsynth.artefacts.datasets import insert_all
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.io import write_json
from dermsynth.utility.classifier import Classifier, Training, write_classifier
from dermsynth.utility.counterfactual import compare_predictions, counterfactual, paired_rows
from dermsynth.utility.experiment import table_hash

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def test_switched_predictions_are_counted() -> None:
    truth = np.array([True, True, True, False, False, False, False, False])
    before = np.array([0.9, 0.8, 0.2, 0.1, 0.2, 0.3, 0.7, 0.4])
    after = np.array([0.9, 0.4, 0.6, 0.8, 0.6, 0.3, 0.7, 0.4])
    found = counterfactual(truth, before, after, 0.5)
    assert (found.images, found.positive) == (8, 3)
    assert found.switched.share == 4 / 8
    assert (found.to_positive.share, found.to_positive.n) == (3 / 5, 5)
    assert (found.to_negative.share, found.to_negative.n) == (1 / 3, 3)
    reference = proportion_confint(4, 8, method="wilson")
    assert (found.switched.low, found.switched.high) == pytest.approx(reference)
    assert (found.auc_before or [0])[0] == pytest.approx(roc_auc_score(truth, before))
    assert (found.auc_after or [0])[0] == pytest.approx(roc_auc_score(truth, after))
    assert (found.auc_difference or [0])[0] == pytest.approx(roc_auc_score(truth, after) - roc_auc_score(truth, before))
    assert found.mean_change.positive == pytest.approx(0)
    assert found.mean_change.negative == pytest.approx((0.7 + 0.4) / 5)


def test_nothing_changed_is_nothing_switched_and_one_class_has_no_area() -> None:
    scores = np.random.default_rng(0).random(50)
    found = counterfactual(np.ones(50, bool), scores, scores, 0.5)
    assert found.switched.share == 0
    assert found.switched.high > 0
    assert found.auc_before is None


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataSet, DataSet]:
    folder = tmp_path_factory.mktemp("pairs")
    real = write_phantom(folder / "set", 60, PhantomSettings(32, 32), jobs=1)
    return real, insert_all(real, folder / "framed", ["frame"], 0, jobs=1)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """A classifier to which darkness is melanoma: minus the mean of the first layer's answers to an image."""
    import torch

    model = Classifier("small", 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        model.head.weight.mul_(-1)
    write_classifier(tmp_path / "dark", model, Training(), Decoding(32, 32), 0.5)
    settings = {"positive": "melanoma", "negative": ["nevus"], "real": {"content_hash": "another set"}, "tests": []}
    write_json(tmp_path / "dark" / "utility.json", {"settings": settings})
    return tmp_path / "dark"


def test_a_frame_makes_a_classifier_of_darkness_more_sure(pair: tuple[DataSet, DataSet], dark: Path) -> None:
    real, framed = pair
    found = compare_predictions(real, framed, dark, "all")
    assert found.label == "melanoma"
    assert found.images == real.count("melanoma") + real.count("nevus")
    assert min(found.mean_change.model_dump().values()) > 0
    assert compare_predictions(real, framed, dark, "all", threshold=0.0).switched.share == 0


def test_of_its_own_set_only_the_test_split_is_judged(pair: tuple[DataSet, DataSet], dark: Path) -> None:
    real, framed = pair
    test = real.select((real.table["split"] == "test").to_numpy() & np.isin(real.labels, ["melanoma", "nevus"]))
    settings = {"positive": "melanoma", "negative": ["nevus"], "real": {"content_hash": real.content_hash}}
    write_json(dark / "utility.json", {"settings": {**settings, "tests": [{"rows": table_hash(test)}]}})
    assert compare_predictions(real, framed, dark).images == len(test.table)
    with pytest.raises(UserError, match="`split` train: the classifier was trained on this set"):
        compare_predictions(real, framed, dark, "train")
    write_json(dark / "utility.json", {"settings": {**settings, "tests": [{"rows": "other"}]}})
    with pytest.raises(UserError, match="divided or labelled in another way"):
        compare_predictions(real, framed, dark)


def test_pairs_are_brought_into_one_order(pair: tuple[DataSet, DataSet]) -> None:
    real, framed = pair
    turned = DataSet(framed.folder, framed.table.iloc[::-1].reset_index(drop=True), framed.description)
    before, after = paired_rows(real, turned)
    assert (before.table["file_name"].to_numpy() == after.table["edited_from"].to_numpy()).all()
    with pytest.raises(UserError, match="no edited copy of"):
        paired_rows(framed, real)


def test_through_the_shell(pair: tuple[DataSet, DataSet], dark: Path, shell: Shell, tmp_path: Path) -> None:
    real, framed = pair
    said = shell("artefacts", "judge", real.folder, framed.folder, "--classifier", dark, "--split", "all").stdout
    assert "switched" in said
    assert "AUC with it" in said
    for arguments, line in (
        ((real.folder, framed.folder, "--classifier", tmp_path), "classifier=DIR takes a folder of dermsynth utility"),
        ((real.folder, real.folder, "--classifier", dark), "no edited copy of"),
        (
            (real.folder, framed.folder, "--classifier", dark, "--split", "wart"),
            "no image of melanoma, nevus in --split wart",
        ),
    ):
        refused = shell("artefacts", "judge", *arguments, status=1).stderr
        assert line in refused
        assert len(refused.strip().splitlines()) == 1
