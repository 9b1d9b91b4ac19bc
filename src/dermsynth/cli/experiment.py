"""The verb `experiment`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def experiment(
    name: str,
    *,
    data: Path | None = None,
    out: Path,
    size: Literal["laptop", "paper"] = "laptop",
    images: str = "",
    resolution: str = "",
    families: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    exclude: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    generated: int = 0,
    extractor: str = "",
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Repeat a document's comparison: train, measure, draw its figures. Repeated, the command goes on.

    Parameters
    ----------
    name
        baur, furger-truncation, furger-overfitting, bissoto-maps, lunagariya-curves or rosen-bias.
    data
        The real data set; without it the phantom.
    out
        Folder for runs, synthetic sets, figures and results.
    size
        The paper's settings, or ones for a computer without a GPU.
    images
        Images shown to every run, instead of the size's own number.
    resolution
        Pixels, instead of the size's own.
    families
        Only these of the experiment's runs, or further families in their laptop preset; may be repeated.
    exclude
        Class to leave out; may be repeated.
    generated
        Synthetic images a run, instead of the size's own number.
    extractor
        Features for FID and KID, as in `dermsynth evaluate`.
    set
        NAME=VALUE, what an experiment has of its own: rosen-bias target, positive, classifier, run ...; may be repeated.
    """
    import importlib
    from dataclasses import replace

    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.phantom import default_phantom
    from dermsynth.errors import UserError
    from dermsynth.experiments import EXPERIMENTS
    from dermsynth.experiments.steps import check, chosen_options, plan
    from dermsynth.io import parse_count
    from dermsynth.models.layers.shapes import parse_shape
    from dermsynth.models.registry import family

    if name not in EXPERIMENTS:
        raise UserError(f"experiment {name!r}: unknown; there are: {', '.join(EXPERIMENTS)}")
    module = importlib.import_module(EXPERIMENTS[name])
    setting = module.configuration(size)
    for asked in families:
        if asked not in setting.plans and not family(asked).inputs.from_noise:
            raise UserError(f"--families {asked}: makes images from images, which {name} does not compare")
    setting = replace(
        setting,
        resolution=resolution or setting.resolution,
        images=parse_count(images) if images else setting.images,
        plans={f: setting.plans.get(f) or plan(f) for f in families} or setting.plans,
        generated=generated or setting.generated,
        extractor=extractor or setting.extractor,
        exclude=exclude,
        options=chosen_options(name, setting, set),
        seed=seed,
    )
    shape = parse_shape(setting.resolution)
    data_set = open_data_set(data) if data else default_phantom(shape.height, shape.width, setting.framed)
    check(setting, data_set)
    result = module.carry_out(setting, data_set, out, device)
    print("\n".join(result.table))
    print(f"\n{out}")
