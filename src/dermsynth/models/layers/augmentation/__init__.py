"""Differentiable augmentation of images before the discriminator (Karras et al. 2020b, appendix B)."""

from dermsynth.models.layers.augmentation.pipeline import Augmentation
from dermsynth.models.layers.augmentation.strengths import PRESETS, Strengths

__all__ = ["PRESETS", "Augmentation", "Strengths"]
