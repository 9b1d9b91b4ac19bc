"""Differentiable augmentation of images before a network sees them (Karras et al. 2020b, appendix B)."""

from dermsynth.models.layers.augmentation.pipeline import PARAMETERS, Augmentation
from dermsynth.models.layers.augmentation.strengths import PRESETS, Strengths

__all__ = ["PARAMETERS", "PRESETS", "Augmentation", "Strengths"]
