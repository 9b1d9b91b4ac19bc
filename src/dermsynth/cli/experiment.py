"""The verb `experiment`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.flags import say
from dermsynth.cli.options import Device, Seed, Several

if TYPE_CHECKING:
    from dermsynth.experiments.steps import Setting
    from dermsynth.training.data import Plan


@Parameter(name="*")
@dataclass(frozen=True)
class Changes:
    """What of an experiment's own settings is changed."""

    images: str = ""
    """Images shown to every run, instead of the size's own number."""
    resolution: str = ""
    """Size in pixels, instead of the size's own: one number for squares, or WIDTHxHEIGHT."""
    families: Several = ()
    """Only these of the experiment's runs, or further families in their laptop preset; may be repeated."""
    exclude: Several = ()
    """A class to leave out; may be repeated."""
    count: int = 0
    """Synthetic images a run, instead of the size's own number."""
    extractor: str = ""
    """Features for FID and KID, as in `dermsynth evaluate`."""
    minutes: float = 0.0
    """Of families: minutes of this machine for each training, instead of the size's own."""
    seeds: int = 0
    """Of families: trainings of each family, from consecutive seeds."""
    set: Several = ()
    """NAME=VALUE, what an experiment has of its own: rosen-bias target, positive, classifier, run ...; may be repeated."""


CHANGES = Changes()


def experiment(
    name: str,
    *,
    data: Annotated[Path | None, places.data_set("data")] = None,
    out: Path,
    size: Literal["laptop", "paper"] = "laptop",
    changes: Changes = CHANGES,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Repeat a document's comparison: train, measure, draw its figures. Repeated, the command continues.

    Parameters
    ----------
    name
        baur, furger-truncation, furger-overfitting, bissoto-maps, lunagariya-curves, rosen-bias, or families: all families at
        equal time.
    data
        The real data set; without it the phantom.
    out
        Folder for runs, synthetic sets, figures and results.
    size
        The paper's settings, or ones for a computer without a GPU.
    """
    import importlib

    from dermsynth.errors import UserError
    from dermsynth.experiments import EXPERIMENTS

    if name not in EXPERIMENTS:
        raise UserError(f"experiment {name!r}: unknown; there are: {', '.join(EXPERIMENTS)}")
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.phantom import default_phantom
    from dermsynth.experiments.steps import check
    from dermsynth.models.layers.shapes import parse_shape

    module = importlib.import_module(EXPERIMENTS[name])
    setting = changed_setting(name, module.configuration(size), changes, seed)
    shape = parse_shape(setting.resolution)
    data_set = open_data_set(data) if data else default_phantom(shape.height, shape.width, setting.framed)
    check(setting, data_set)
    result = module.carry_out(setting, data_set, out, device)
    say(*result.table, "", out)


def changed_setting(name: str, setting: "Setting", changes: Changes, seed: int) -> "Setting":
    """The experiment's setting with what a person chose instead."""
    from dataclasses import replace

    from dermsynth.experiments.steps import chosen_options
    from dermsynth.io import parse_count

    values: dict[str, Any] = {
        "resolution": changes.resolution,
        "images": parse_count(changes.images, "images") if changes.images else 0,
        "plans": plans_of(name, setting, changes.families),
        "generated": changes.count,
        "extractor": changes.extractor,
    }
    timed = [f"{field}={value:g}" for field, value in (("minutes", changes.minutes), ("seeds", changes.seeds)) if value]
    options = chosen_options(name, setting, [*timed, *changes.set])
    changed = {field: value for field, value in values.items() if value}
    return replace(setting, **changed, exclude=changes.exclude, options=options, seed=seed)


def plans_of(name: str, setting: "Setting", families: Sequence[str]) -> dict[str, "Plan"]:
    """The experiment's own plans of some families, and the laptop preset of others.

    Raises UserError for a family that makes images from images.
    """
    from dermsynth.errors import UserError
    from dermsynth.experiments.steps import plan
    from dermsynth.models.registry import family

    for run in families:
        if run not in setting.plans and not family(run).inputs.from_noise:
            raise UserError(f"`families` {run}: makes images from images, which {name} does not compare")
    return {run: setting.plans.get(run) or plan(run) for run in families}
