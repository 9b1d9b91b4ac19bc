"""Diffusion from semantic maps: the denoiser sees where lesion and markers are to be, beside the noisy image."""

from types import MappingProxyType
from typing import Self

from pydantic import BaseModel
from torch import Tensor

from dermsynth.models.base import Preset
from dermsynth.models.diffusion import Config, Diffusion, laptop, paper
from dermsynth.models.inputs import LABELLED_MAPS, Conditions
from dermsynth.models.layers.maps import map_planes
from dermsynth.models.layers.shapes import Shape


class MapDiffusion(Diffusion):
    """EDM with the planes of a map as further channels of its input, as image-to-image diffusion has (Saharia et al. 2022).

    An image is a function of its map, its class and its seed: other seeds give other lesions of the same outline.
    """

    publication = "Karras et al. 2022, Saharia et al. 2022"
    good_for = "images whose lesion is known pixel by pixel, several of one map; slow to sample"
    inputs = LABELLED_MAPS
    truncation = "a number above 0 up to 1: guidance towards map and class, by 1 over it"
    presets = MappingProxyType({"laptop": Preset(laptop, batch=16), "paper": Preset(paper, batch=256)})

    @classmethod
    def create(cls, config: BaseModel, shape: Shape, conditions: Conditions) -> Self:
        """With a plane a map value, and one for superpixel boundaries."""
        assert isinstance(config, Config)
        return cls(config, shape, conditions.classes, conditions.map_values, superpixels=conditions.superpixels)

    def __init__(self, config: Config, shape: Shape, classes: int, values: int, *, superpixels: bool) -> None:
        super().__init__(config, shape, classes, values + superpixels)
        self.values, self.superpixels = values, superpixels

    def planes(self, maps: Tensor | None, count: int) -> Tensor:
        """One-hot planes of the maps, and boundaries of superpixels: [n, planes, h, w]."""
        assert maps is not None
        return map_planes(maps, self.values, superpixels=self.superpixels)
