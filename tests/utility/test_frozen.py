"""Classifiers whose linear layer alone learns: features are computed once, and are those of the network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.backbones.mobilenet import load_mobilenet
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json, write_json
from dermsynth.statistics.roc import auc
from dermsynth.utility.augmentation import classical_augmentation, random_dihedral
from dermsynth.utility.classifier import Training, load_classifier, normalise, write_classifier
from dermsynth.utility.experiment import SETTINGS
from dermsynth.utility.frozen import VIEWS, FeatureStore, require_frozen, train_head
from dermsynth.utility.usefulness import utility
from tests.utility.test_classifier import examples
from tests.utility.test_generators import made, real

__all__ = ["real"]


@pytest.fixture
def store(drawn_mobilenet: Path) -> FeatureStore:
    return FeatureStore(f"mobilenet={drawn_mobilenet}")


def test_features_are_those_of_the_network(store: FeatureStore, drawn_mobilenet: Path) -> None:
    images, network = examples(5, 0).images, load_mobilenet(drawn_mobilenet).eval()
    with torch.inference_mode():
        expected = network(normalise(images)).numpy()
    assert np.allclose(store.plain(images), expected, atol=1e-5)
    looks = store.looks(images, random_dihedral)
    assert looks.shape == (5, VIEWS, expected.shape[1])
    assert len(np.unique(looks[0].round(4), axis=0)) > 2


def test_features_are_computed_once_whoever_asks(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    plain = FeatureStore._features
    monkeypatch.setattr(FeatureStore, "_features", lambda self, x: (counts.append(len(x)), plain(self, x))[1])
    images = examples(7, 0).images
    first = store.looks(images, random_dihedral)
    assert np.array_equal(store.looks(images[[3, 3, 1]], random_dihedral), first[[3, 3, 1]])
    assert sum(counts) == 7 * VIEWS
    other = store.looks(images[:2], classical_augmentation)
    assert sum(counts) == 9 * VIEWS
    assert not np.allclose(other, first[:2])
    store.plain(images)
    assert sum(counts) == 9 * VIEWS + 7


def test_a_visible_difference_is_learnt_and_the_backbone_stays(store: FeatureStore, tmp_path: Path) -> None:
    training = Training(store.place, images=3200, batch=32, learning_rate=0.003, frozen=True)
    model, best = train_head(store, examples(150, 0, 150), examples(60, 1, 150), training, random_dihedral, seed=0)
    test = examples(80, 2, 150)
    scores = model.probabilities(test.images)
    assert auc(test.truth, scores) > 0.85
    assert best.validation_auc > 0.85
    again, _ = train_head(store, examples(150, 0, 150), examples(60, 1, 150), training, random_dihedral, seed=0)
    assert np.array_equal(again.probabilities(test.images), scores)
    untouched = FeatureStore(store.place).plain(test.images)
    assert np.array_equal(store.plain(test.images), untouched)
    write_classifier(tmp_path, model, training, Decoding(16, 16), 0.5)
    assert load_classifier(tmp_path).probabilities(test.images) == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize(
    ("place", "way", "said"),
    [
        ("small", "", "`frozen`: 'small' has no pretrained weights"),
        ("timm:resnet18", "", "`frozen`: 'timm:resnet18' has no pretrained weights"),
        ("lite0", "mixup", "`frozen`: the arm mixup mixes pixels"),
    ],
)
def test_what_cannot_be_frozen_is_refused(place: str, way: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        require_frozen(Training(place, frozen=True), {"", way})  # type: ignore[arg-type]


def test_an_experiment_with_frozen_backbones(tmp_path: Path, real: DataSet, drawn_mobilenet: Path) -> None:
    synthetic = made(tmp_path / "made", real, 1, "a")
    words = {
        "positive": "melanoma",
        "negative": "nevus",
        "images": 640,
        "repeats": 2,
        "model": f"mobilenet={drawn_mobilenet}",
    }
    words |= {"arms": ["real", "classical", "mixed=1", "weights"], "learning_rate": 0.003}
    result = utility(synthetic, real, out=tmp_path / "out", frozen=True, **words)  # type: ignore[arg-type]
    assert result.settings.training.frozen
    assert all(row.auc > 0.6 for row in result.figures)
    assert read_json(tmp_path / "out" / SETTINGS)["training"]["frozen"]
    with pytest.raises(UserError, match="begun with another frozen"):
        utility(synthetic, real, out=tmp_path / "out", **words)  # type: ignore[arg-type]


def test_settings_of_before_are_still_those_of_an_experiment(tmp_path: Path, real: DataSet) -> None:
    synthetic = made(tmp_path / "made", real, 1, "a")
    words = {"positive": "melanoma", "negative": "nevus", "images": 64, "repeats": 1, "arms": ["real"]}
    utility(synthetic, real, out=tmp_path / "out", **words)  # type: ignore[arg-type]
    settings = read_json(tmp_path / "out" / SETTINGS)
    assert set(settings["training"]) == {"backbone", "images", "batch", "learning_rate", "weight_decay"}
    assert "generators" not in settings
    write_json(tmp_path / "out" / SETTINGS, settings)
    utility(synthetic, real, out=tmp_path / "out", **words)  # type: ignore[arg-type]
