"""Classifiers learn what can be learnt, and nothing from labels drawn by lot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.errors import UserError
from dermsynth.statistics.roc import auc
from dermsynth.utility.classifier import (
    Classifier,
    Examples,
    Training,
    classical_augmentation,
    normalise,
    random_dihedral,
    train_classifier,
)


def examples(n: int, seed: int, signal: float = 60) -> Examples:
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.3
    images = random.integers(60, 180, (n, 3, 16, 16)).astype(np.float32)
    images[:, 0] += signal * truth[:, None, None] * (random.random((n, 1, 1)) + 0.2)
    return Examples(images.clip(0, 255).astype(np.uint8), truth)


def test_a_visible_difference_is_learnt_and_the_same_seed_gives_the_same_scores() -> None:
    training = Training(images=1600, batch=16, learning_rate=0.003)
    model, said = train_classifier(examples(200, 0), examples(80, 1), training, random_dihedral, seed=0)
    test = examples(150, 2)
    assert auc(test.truth, model.probabilities(test.images)) > 0.9
    assert said.validation_auc > 0.9
    again, _ = train_classifier(examples(200, 0), examples(80, 1), training, random_dihedral, seed=0)
    np.testing.assert_array_equal(again.probabilities(test.images), model.probabilities(test.images))
    other, _ = train_classifier(examples(200, 0), examples(80, 1), training, random_dihedral, seed=1)
    assert not np.array_equal(other.probabilities(test.images), model.probabilities(test.images))


def test_labels_drawn_by_lot_teach_nothing() -> None:
    shown, test = examples(200, 3, signal=0), examples(400, 4, signal=0)
    model, _ = train_classifier(
        shown, examples(80, 5, signal=0), Training(images=800, batch=16), random_dihedral, seed=0
    )
    assert 0.38 < auc(test.truth, model.probabilities(test.images)) < 0.62


def test_classes_are_drawn_equally_often_and_weights_count_within_them() -> None:
    truth = np.arange(100) < 10
    weights = np.ones(100)
    weights[:5] = 9
    drawn = Examples(np.zeros((100, 3, 4, 4), np.uint8), truth, weights).draw(20_000, np.random.default_rng(0))
    assert truth[drawn].mean() == pytest.approx(0.5, abs=0.02)
    assert (drawn[truth[drawn]] < 5).mean() == pytest.approx(0.9, abs=0.02)


def test_augmentation_changes_images_and_keeps_their_kind() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 3, 12, 12)).astype(np.uint8)
    turned = random_dihedral(images, np.random.default_rng(1))
    assert all(np.array_equal(np.sort(a.ravel()), np.sort(b.ravel())) for a, b in zip(images, turned, strict=True))
    assert len({t.tobytes() for t in random_dihedral(images[:1].repeat(64, axis=0), np.random.default_rng(2))}) == 8
    wide = random_dihedral(images[..., :8], np.random.default_rng(3))
    assert wide.shape == (16, 3, 12, 8)
    changed = classical_augmentation(images, np.random.default_rng(4))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, turned)


def test_images_are_normalised_like_imagenets() -> None:
    white = normalise(np.full((1, 3, 2, 2), 255, np.uint8))
    torch.testing.assert_close(white[0, :, 0, 0], torch.tensor([2.2489, 2.4286, 2.6400]), rtol=1e-4, atol=1e-4)


def test_backbones_are_named_and_wrong_names_are_refused(tmp_path: Path, drawn_mobilenet: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64)).astype(np.uint8)
    assert Classifier(f"mobilenet={drawn_mobilenet}", 0).probabilities(image).shape == (3,)
    pytest.importorskip("timm", reason="needs timm")
    for name, width in (("efficientnet_b2", 1408), ("inception_v4", 1536)):  # ROSEN's and BISSOTO's
        model = Classifier(f"timm:{name}", 0)
        assert model.head.in_features == width
        assert model.probabilities(np.zeros((2, 3, 96, 96), np.uint8)).shape == (2,)
    for place in ("resnet", "mobilenet", "timm"):
        with pytest.raises(UserError, match="write small, mobilenet=FILE"):
            Classifier(place, 0)
    with pytest.raises(UserError, match="no such file of weights"):
        Classifier(f"mobilenet={tmp_path / 'none'}", 0)
