"""The verb `utility`: do the synthetic images help a classifier?"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dermsynth.cli.machine import MACHINE, Machine

Several = Annotated[tuple[str, ...], Parameter(negative="")]


def utility(
    synthetic: Path,
    *,
    real: Path,
    out: Path,
    positive: str,
    negative: Several,
    model: str = "small",
    arms: Several = (),
    repeats: int = 5,
    images: str = "8k",
    batch: int = 32,
    learning_rate: float = 0.0003,
    test: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    drop_overlap: bool = False,
    variant: Several = (),
    by: Several = (),
    seed: int = 0,
    machine: Machine = MACHINE,
) -> None:
    """Train classifiers with and without synthetic images and test them on real images that nobody has seen.

    Repeated, the command goes on where it stopped; further --arms and --repeats are added to what is there.

    Parameters
    ----------
    synthetic
        A set made by dermsynth generate, from a generator trained on the training split.
    real
        The real data set that the generator was trained on, with the splits train, validation and test.
    out
        Folder for scores, utility.json and utility.html.
    positive
        The label to be found, for example melanoma.
    negative
        The label to be told from it; may be repeated.
    model
        small (no weights needed), mobilenet=FILE, timm:NAME (untrained) or timm:NAME=FILE.
    arms
        real, oversampled, classical, synthetic, mixed=RATIO, real=SHARE; may be repeated. By default the first four,
        mixed=0.5 and mixed=1. synthetic@NAME, mixed=RATIO@NAME and real@NAME are of a variant.
    repeats
        Trainings an arm, from consecutive seeds.
    images
        Images shown to the arm of real images; others are shown as many times more as they are longer.
    test
        A further real data set to test on; may be repeated.
    drop_overlap
        Leave photographs out of further test sets that the real set holds too, instead of stopping.
    variant
        NAME=DIR, another synthetic set, for example edited or without artefacts, that arms are made of; or a copy of the real
        set by dermsynth artefacts remove, for real@NAME; may be repeated.
    by
        A column of the test sets (an artefact, a body site) by whose values results are given apart too; may be repeated.
    """

    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.io import command_line, parse_count
    from dermsynth.report.utility_report import PAGE, write_utility_report
    from dermsynth.training.distributed import keep_freed_memory
    from dermsynth.utility.arms import arms_of, named
    from dermsynth.utility.classifier import Training, backbone
    from dermsynth.utility.datasets import Classes, gathered
    from dermsynth.utility.experiment import Plan, carry_out

    if not 1 <= repeats <= 1000:
        raise UserError(f"--repeats {repeats}: must be 1 to 1000")
    if batch < 2:
        raise UserError(f"--batch {batch}: must be at least 2")
    if learning_rate <= 0:
        raise UserError(f"--learning-rate {learning_rate}: must be above 0")
    keep_freed_memory()
    machine.prepare()
    backbone(model)  # a wrong name or file is told now, not after the images were read
    names = [named(one)[0] for one in variant]
    if len(set(names)) < len(names):
        raise UserError(f"--variant {max(names, key=names.count)}: named twice; give each set a name of its own")
    further = {name: open_data_set(Path(place)) for name, place in map(named, variant)}
    copies = sorted(name for name, rows in further.items() if not rows.synthetic)
    chosen = arms_of(arms, [name for name in further if name not in copies], copies)
    training = Training(model, parse_count(images), batch, learning_rate)
    external = [open_data_set(folder) for folder in test]
    material = gathered(
        open_data_set(real), open_data_set(synthetic), Classes(positive, negative), external,
        drop_overlap=drop_overlap, columns=by, variants=further,
    )  # fmt: skip
    if not arms and not material.both_made:
        chosen = tuple(arm for arm in chosen if arm.real)
    result = carry_out(material, Plan(chosen, repeats, training, seed), out)
    write_utility_report(out, result, command_line())
    print(f"{'arm':<34}{'test':<34}{'mean AUC':>9}{'+-':>7}  {'95 % (ensemble)':<17}{'n':>6}{'positive':>9}")
    for row in result["figures"]:
        interval = f"{row['delong'][0]:.3f} ... {row['delong'][1]:.3f}"
        print(
            f"{row['arm']:<34}{row['test']:<34}{row['auc']:>9.3f}{row['auc_deviation']:>7.3f}  {interval:<17}"
            f"{row['images']:>6}{row['positive']:>9}"
        )
    print("", result["verdict"], *result["cautions"], result["worth"], "", out / PAGE, sep="\n")
