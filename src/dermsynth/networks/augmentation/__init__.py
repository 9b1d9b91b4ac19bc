"""Differentiable augmentation of images before the discriminator (Karras et al. 2020b, appendix B)."""

from dermsynth.networks.augmentation.pipeline import Augmentation
from dermsynth.networks.augmentation.strengths import PRESETS, Strengths

__all__ = ["PRESETS", "Augmentation", "Strengths"]
