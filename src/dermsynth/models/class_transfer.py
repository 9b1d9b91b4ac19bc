"""Weights of StyleGAN2's networks with classes, as those of networks with others, or with none, that do the same."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dermsynth.models.stylegan2_networks import Mapping

State = dict[str, Tensor]


class Classes(NamedTuple):
    """Names of the classes before and now, and `only`, the label of all images of a training without classes."""

    before: Sequence[str]
    now: Sequence[str]
    only: str = ""

    @property
    def kept(self) -> str:
        """What networks without classes do from now on, in words; blank where nothing is given up."""
        if self.now or not self.before:
            return ""
        return f"the class {self.only}" if self.only in self.before else f"the mean of {', '.join(self.before)}"

    def one_hot(self) -> Tensor:
        """[1, classes before]: the class that a network without classes keeps, or equal shares of all."""
        if self.only in self.before:
            return torch.eye(len(self.before))[[self.before.index(self.only)]]
        return torch.full((1, len(self.before)), 1 / len(self.before))

    def rescaled(self, columns: Tensor) -> Tensor:
        """The columns of the classes, whose layer divides by the root of the number of classes."""
        return columns * (len(self.now) / len(self.before)) ** 0.5


def adapt_mapping(state: State, prefix: str, classes: Classes) -> State:
    """The weights of a mapping from z and class to w for other classes.

    Layers are scaled by 1 / sqrt(inputs), so weights change with the number of inputs. Without classes, what the kept one added
    to the first layer becomes part of its bias; classes where there were none begin with columns of nought.
    """
    first, bias, embed = (f"{prefix}{name}" for name in ("layers.0.weight", "layers.0.bias", "embed.weight"))
    state, weight = dict(state), state[first].float()
    width, inputs = weight.shape
    if classes.before and classes.now:
        state[embed] = classes.rescaled(state[embed])
    elif classes.now:
        fresh = weight.new_zeros(width, width)
        state[first] = torch.cat([weight * ((inputs + width) / inputs) ** 0.5, fresh], dim=1)
    elif classes.before:
        latent = inputs - width
        with torch.no_grad():
            added = _mapping(state, prefix, latent, classes).embedded(classes.one_hot())
        state[first] = weight[:, :latent] * (latent / inputs) ** 0.5
        state[bias] = state[bias].float() + weight[:, latent:] @ added[0] / inputs**0.5
    return state


def adapt_discriminator(state: State, prefix: str, classes: Classes) -> State:
    """The weights of a discriminator that is conditional by projection for other classes.

    Without classes the projection on the kept class is one row of the last layer. Classes where there were none get what the
    fresh network has.
    """
    state, mapping = dict(state), f"{prefix}label_mapping."
    embed = f"{mapping}embed.weight"
    if embed not in state:
        return state
    if classes.now:
        state[embed] = classes.rescaled(state[embed])
        return state
    label = classes.one_hot()
    with torch.no_grad():
        projection = _mapping(state, mapping, 0, classes)(label.new_zeros(1, 0), label)
    for name in ("weight", "bias"):
        layer = state[f"{prefix}output.{name}"].float()
        state[f"{prefix}output.{name}"] = projection @ layer / len(layer) ** 0.5
    return state


def _mapping(state: State, prefix: str, latent: int, classes: Classes) -> Mapping:
    """The mapping that a checkpoint holds under a prefix, in float32."""
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    layers = sum(name.startswith("layers.") and name.endswith(".weight") for name in own)
    mapping = Mapping(latent, len(own["embed.weight"]), layers, len(classes.before))
    mapping.load_state_dict(own)
    return mapping
