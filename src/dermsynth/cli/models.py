"""The verb `models`."""

from dermsynth.cli.options import Resolution, Switch


def models(*, resolution: Resolution = "64", measure: Switch = False) -> None:
    """List the families of generators: paper, input, what each is good for, presets and parameters.

    Parameters
    ----------
    measure
        Also train every family for some steps and say how long 1,000 images take on this machine.
    """
    from dermsynth.models.layers.shapes import parse_shape
    from dermsynth.models.registry import families, family
    from dermsynth.training.benchmark import measure as measure_family

    shape = parse_shape(resolution)
    for name in families():
        kind, facts = family(name), measure_family(name, shape, steps=8 if measure else 0)
        print(f"{name:<15} {kind.good_for}")
        print(f"{'':<15} {kind.publication}; takes {kind.inputs.description}")
        print(f"{'':<15} presets: {', '.join(facts.presets)}; laptop at {shape} pixels: {facts.text()}")
