"""The whole pipeline in the paper's order, computing nothing for an image that a transformation leaves alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dermsynth.models.layers.augmentation.colour import cut_out, equalise, random_colour, random_gains, recolour
from dermsynth.models.layers.augmentation.geometry import random_transform, warp
from dermsynth.models.layers.augmentation.strengths import Strengths
from dermsynth.on_device import reads_are_free
from dermsynth.rng import Draws

PARAMETERS = 18
"""Numbers that describe one augmentation: 6 of the geometry, 9 and 3 of the colour's linear map and offset."""


Rows = Tensor | slice


def _apply_where(changed: Tensor, image: Tensor, transform: Callable[[Tensor, Rows], Tensor]) -> Tensor:
    """Run `transform(images, rows)` for the images for which `changed` [n] holds, and leave the others as they are.

    On those alone where it can be known which they are; on a GPU, which would have to be waited for, on all.
    """
    if not reads_are_free(image.device):
        return torch.where(changed[:, None, None, None], transform(image, slice(None)), image)
    index = changed.nonzero()[:, 0]
    if len(index) == 0:
        return image
    if len(index) == len(image):
        return transform(image, index)
    return image.index_copy(0, index, transform(image.index_select(0, index), index))


class Augmentation(nn.Module):
    """Augment images with probability p; p follows the overfitting heuristic r_t (Karras et al. 2020b, section 3).

    Buffers hold p and the statistics since its last update, so that they are saved with the networks.
    """

    def __init__(self, strengths: Strengths, initial: float = 0.0) -> None:
        super().__init__()
        self.strengths = strengths
        self.register_buffer("p", torch.tensor(float(initial)))
        self.register_buffer("signs", torch.zeros(2))
        self.register_buffer("overfitting", torch.zeros(()))
        self.p: Tensor
        self.signs: Tensor
        self.overfitting: Tensor

    @torch.no_grad()
    def forward(self, image: Tensor, draws: Draws) -> Tensor:
        """[n, 3, h, w] -> the same size; differentiable twice with respect to the image."""
        if self._nothing():
            return image
        image, _ = self._transform(image, draws)
        with torch.enable_grad():
            return self._corrupt(image, draws)

    @torch.no_grad()
    def with_parameters(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Augmented images [n, 3 + planes, h, w] and what was done to each, [n, PARAMETERS]; all zeros for one left as it was.

        For networks that are told of the augmentation, so that it does not show in what they generate (Karras et al. 2022,
        section 5). Geometry and colour only; planes after the colours, such as those of a map, take part in the geometry.
        """
        if self._nothing():
            return image, image.new_zeros(len(image), PARAMETERS)
        return self._transform(image, draws)

    def _nothing(self) -> bool:
        """Whether it is known that no image is changed."""
        never = not any(self.strengths.model_dump().values())
        return never or (reads_are_free(self.p.device) and float(self.p) == 0)

    def _transform(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Geometry and colour, and their parameters."""
        uniform, normal, size, p = draws.uniform, draws.normal, (image.shape[2], image.shape[3]), self.p.double()
        inverse = random_transform(uniform, normal, p, self.strengths, size)
        linear, offset = random_colour(uniform, normal, p, self.strengths)
        unmoved = torch.eye(3, device=image.device)
        with torch.enable_grad():
            image = _apply_where((inverse != unmoved).any((1, 2)), image, lambda x, i: warp(x, inverse[i]))
            recoloured = (linear != unmoved).any((1, 2)) | (offset != 0).any(1)
            colours = _apply_where(recoloured, image[:, :3], lambda x, i: recolour(x, linear[i], offset[i]))
            image = colours if image.shape[1] == 3 else torch.cat([colours, image[:, 3:]], dim=1)
        moved = inverse[:, :2] - unmoved[:2]
        moved[:, :, 2] /= max(size)
        return image, torch.cat([moved.flatten(1), (linear - unmoved).flatten(1), offset], dim=1)

    def _corrupt(self, image: Tensor, draws: Draws) -> Tensor:
        """Image-space filtering, additive noise sigma |N(0, 0.1)| and cut-out (appendix B, lines 47 to 68)."""
        strengths, p = self.strengths, self.p.double()
        if strengths.filtering > 0:
            gains = random_gains(draws.uniform, draws.normal, p, strengths)
            image = _apply_where((gains != 1).any(1), image, lambda x, i: equalise(x, gains[i]))
        if strengths.noise > 0:
            sigma = torch.where(draws.uniform() < strengths.noise * p, draws.normal().abs() * 0.1, 0.0)
            noise = draws.normal(*image.shape[1:])
            image = _apply_where(sigma != 0, image, lambda x, i: x + noise[i] * sigma[i, None, None, None])
        if strengths.cutout > 0:
            chosen, centre = draws.uniform() < strengths.cutout * p, draws.uniform(2)
            image = _apply_where(chosen, image, lambda x, i: cut_out(x, centre[i]))
        return image

    @torch.no_grad()
    def observe(self, real_logits: Tensor, sum_processes: Callable[[Tensor], Tensor]) -> None:
        """Count the signs of the discriminator's logits on real images (equation 1: r_t = E[sign(D_train)])."""
        signs = real_logits.sign().sum().float()
        self.signs += sum_processes(torch.stack([signs, torch.full_like(signs, len(real_logits))]))

    @torch.no_grad()
    def adjust(self, *, target: float, speed: float, maximum: float) -> None:
        """Move p by `speed` an image up where r_t exceeds the target and down where it does not, within [0, maximum].

        The counters start again. Where nothing was counted, as in a further piece of the same batch, p and r_t stay.
        """
        count = self.signs[1]
        r_t = torch.where(count > 0, self.signs[0] / count.clamp(min=1), self.overfitting)
        self.overfitting.copy_(r_t)
        self.p.add_((r_t - target).sign() * count * speed).clamp_(0, maximum)
        self.signs.zero_()
