"""Evaluate a synthetic data set on disk against a real one: overall, per class, per skin tone, per column."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dermsynth.backbones.extractors import Extractor
from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.estimate import Measurement, as_rows
from dermsynth.evaluation.feature_cache import embedding_view
from dermsynth.evaluation.generator_metrics import Judge, generator_of, path_figures
from dermsynth.evaluation.inputs import Compared
from dermsynth.evaluation.memorisation import copy_section
from dermsynth.evaluation.sides import beyond_belief
from dermsynth.evaluation.subgroups import (
    EVERYTHING,
    Group,
    groups,
    skin_tone_groups,
    tone_shares,
    tones_measured,
    unmatched,
)
from dermsynth.evaluation.verdict import USEFULNESS, class_verdicts, verdict
from dermsynth.io import read_json
from dermsynth.progress import progress_bar

Measure = Callable[[Group], list[Measurement]]


def evaluate(
    synthetic: DataSet, real: DataSet, extractor: Extractor, *, split: str = "all", seed: int = 0
) -> dict[str, Any]:
    """Measure FID, KID and SWD for all images and for each class, and write `assessment.json` into the synthetic set.

    Real images are brought to the synthetic images' size in the way the generator's training images were. Says how
    many of the real images the generator was trained on.

    Raises UserError when either set is not what it should be or too small.
    """
    compared = Compared(synthetic, real, extractor, split, seed)
    found, refused = _measured(groups(synthetic, compared.real), [compared.distances, compared.pyramids])
    rows = as_rows(found)
    sides = [*beyond_belief(rows), *compared.facts["sides"]]
    return compared.written({"measurements": rows, "refused": refused, "sides": sides})


def evaluate_fully(
    synthetic: DataSet,
    real: DataSet,
    extractor: Extractor,
    *,
    split: str = "all",
    columns: Sequence[str] = (),
    judge: Judge | None = None,
    perceptual: PerceptualSpace | None = None,
    paths: int = 0,
    utility: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything of `evaluate`, and manifolds, colours, named features, diversity, labels, skin tones, copies, and a verdict.

    Marks in the synthetic set's `metadata.csv` which images pass the copy gate. `columns` are compared value by value;
    `judge` gives the discriminator's confidence for membership inference, `perceptual` a distance for pairs, neighbours, and the
    lengths of `paths` walks through the generator's latents; `utility` is the folder of a utility experiment with this set.

    Raises UserError as `evaluate` does, for a column that either set lacks, for paths without a generator or a distance, and
    for a utility experiment with other images.
    """
    compared = Compared(synthetic, real, extractor, split, seed, perceptual)
    parts = groups(synthetic, compared.real, columns)
    walks = _walks(synthetic, real, perceptual, paths, seed)
    every = [compared.distances, compared.further, compared.pyramids, compared.colours, compared.looks, compared.pairs]
    found, refused = _measured(parts, every)
    tones, missing = _measured(
        skin_tone_groups(*compared.appearances), [compared.distances, compared.further, compared.looks]
    )
    labels, unlearned = compared.label_fidelity()
    copies = copy_section(compared, judge)
    rows = as_rows([*found, *tones])
    result = {
        "measurements": rows,
        "sides": [*beyond_belief(rows), *compared.facts["sides"]],
        "label_fidelity": labels,
        "refused": [*unmatched(synthetic, compared.real, columns), *refused, *missing, *unlearned],
        "skin_tones": tone_shares(*compared.appearances),
        "skin_tones_measured": tones_measured(*compared.appearances),
        "path_lengths": walks,
        "embedding": embedding_view(synthetic, compared.real, compared.features, seed),
        "usefulness": _usefulness(synthetic, utility),
        **copies,
    }
    whole = compared.facts | result
    return compared.written({**result, "verdict": verdict(whole), "class_verdicts": class_verdicts(whole)})


def _walks(
    synthetic: DataSet, real: DataSet, perceptual: PerceptualSpace | None, paths: int, seed: int
) -> list[dict[str, Any]]:
    if not paths:
        return []
    if perceptual is None:
        raise UserError("`path_lengths`: needs a distance; add `perceptual` lpips=FILE or mobilenet=FILE")
    generator = generator_of(synthetic)
    if generator is None:
        raise UserError(f"`path_lengths`: the run that made {synthetic.folder} is not where it was; leave it out")
    return as_rows(path_figures(generator, perceptual, paths, seed, [str(label) for label in real.labels]))


def _usefulness(synthetic: DataSet, utility: Path | None = None) -> dict[str, Any] | None:
    """The verdict of a utility experiment on exactly these images; earlier versions wrote it into the set's folder."""
    path = (utility or synthetic.folder) / USEFULNESS
    usefulness: dict[str, Any] | None = read_json(path) if path.exists() else None
    if usefulness is not None and usefulness["content_hash"] == synthetic.content_hash:
        return usefulness
    if utility is not None:
        raise UserError(
            f"`utility` {utility}: no utility experiment with the images of {synthetic.folder}; name the `out` of one"
        )
    return None


def _measured(parts: Sequence[Group], measures: Sequence[Measure]) -> tuple[list[Measurement], list[str]]:
    """The figures of every part, and why some have none; the first measure must work for all images together."""
    found: list[Measurement] = []
    refused: list[str] = []
    for part in progress_bar(parts, total=len(parts), label="measuring", unit="group"):
        for measure in measures:
            try:
                found += measure(part)
            except UserError as error:
                if part.name == EVERYTHING and measure is measures[0]:
                    raise
                refused += [str(error)] if str(error) not in refused else []
    return found, refused


def as_text(result: dict[str, Any], group: str = "") -> str:
    """The table a person reads in the terminal: of every group, or of one."""
    extractor, real = result["extractor"], result["real"]
    lines = [f"features: {extractor['name']}, resized {extractor['resizer']}"]
    if not extractor["comparable_with_published_fid"]:
        lines.append("  not comparable with published FID or KID; compare only figures made with the same extractor")
    if real["trained_on"]:
        lines.append(f"  the generator was trained on {real['trained_on']} of the {real['images']} real images")
    elif not real["training_set_known"]:
        lines.append("  unknown whether the generator was trained on these real images")
    lines += [f"  {one['level']}: {one['says']}" for one in result["sides"]]
    if real["left_out"]:
        others = ", ".join(f"{label} {count}" for label, count in real["left_out"].items())
        lines.append(f"  real images of classes that the set does not have are not compared: {others}")
    header = f"{'group':<22}{'metric':<34}{'value':>9}  {'95 % interval':<19}{'n':>11}"
    header += f"   {'real-real':>9} {'synth-real':>10} {'n':>6}"
    lines += [header, "-" * len(header)]
    for row in result["measurements"]:
        if group not in ("", row["group"]):
            continue
        interval = f"{row['low']:.2f} ... {row['high']:.2f}"
        lines.append(
            f"{row['group']:<22}{row['metric']:<34}{row['value']:>9.2f}  {interval:<19}"
            f"{row['synthetic']:>5}/{row['real']:<5}   {row['floor']:>9.2f} {row['matched']:>10.2f} {row['half']:>6}"
        )
    lines += [f"refused: {line}" for line in result["refused"]]
    return "\n".join(lines)


def as_lights(result: dict[str, Any]) -> str:
    """The verdict, a line a question, and a line for each question and class."""
    lines = [("", line) for line in result["verdict"]]
    lines += [(f"{label}: ", line) for label, found in result["class_verdicts"].items() for line in found]
    width = max(len(prefix + line["question"]) for prefix, line in lines) + 2
    return "\n".join(f"{prefix + line['question']:<{width}}{line['light']:<14}{line['says']}" for prefix, line in lines)
