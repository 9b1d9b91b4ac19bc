"""The verb `recipes`."""

from dermsynth.cli.options import Resolution, Switch


def recipes(*, resolution: Resolution = "64", measure: Switch = False) -> None:
    """List the GAN families: paper, input, what each is good for, presets and parameters.

    Parameters
    ----------
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
