"""The verb `recipes`."""

from typing import Annotated

from cyclopts import Parameter


def recipes(*, resolution: str = "64", measure: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List the GAN families: paper, input, what each is good for, presets and parameters.

    Parameters
    ----------
    resolution
        Size at which parameters are counted and time is taken.
    measure
        Also train every family for some steps and say how long 1,000 images take on this machine.
    """
    from dermsynth.models.layers.shapes import parse_shape
    from dermsynth.models.registry import FAMILIES
    from dermsynth.training.benchmark import measured

    shape = parse_shape(resolution)
    for name, family in FAMILIES.items():
        facts = measured(name, shape, steps=8 if measure else 0)
        print(f"{name:<15} {family.good_for}")
        print(f"{'':<15} {family.paper}; takes {family.takes}")
        print(f"{'':<15} presets: {', '.join(facts.presets)}; laptop at {shape} pixels: {facts.text()}")
