"""What the files of a run, its data and its results say: each fact with the file that says it, and nothing else."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dermsynth.data.dataset import DataSet
from dermsynth.data.folder import DESCRIPTION, METADATA
from dermsynth.data.provenance import real_images_behind
from dermsynth.errors import UserError
from dermsynth.evaluation.results import RESULT, Evaluation, Line
from dermsynth.io import count_text, read_json, read_json_lines
from dermsynth.models.registry import family
from dermsynth.training.checkpoints import Checkpoint, checkpoints, find
from dermsynth.training.config import RunConfig, read_config
from dermsynth.training.data import data_trained_on
from dermsynth.training.run_folder import CONFIG
from dermsynth.utility.experiment import RESULT as UTILITY
from dermsynth.utility.experiment import read_result
from dermsynth.utility.results import ArmFigures
from dermsynth.values import is_missing

ENVIRONMENT, LOG = "environment.json", "log.jsonl"
IMAGE_TYPES = ("image_type", "dermoscopic_type")
CONFIRMED = ("diagnosis_confirm_type", "dx_type")
PEOPLE = ("age", "age_approx", "sex", "site", "anatom_site", "anatom_site_general", "localization")
TONES = ("fitzpatrick", "fitzpatrick_skin_type", "monk", "ita", "skin_tone")
ARTEFACTS = ("dark_corner", "hair", "gel_border", "gel_bubble", "ruler", "ink", "patches")


class Fact(NamedTuple):
    """A sentence or a few words, and the file that they stand in; both blank for what is not known."""

    text: str = ""
    file: str = ""


Facts = dict[str, Fact]


def facts_of(run: Path, data: Path | None, evaluations: Sequence[Evaluation], utility: Path | None) -> Facts:
    """Everything that the files say, by what it is of.

    Raises UserError when `run` is no run, or `data` is another set than the one trained on.
    """
    config = read_config(run)
    made = {result.synthetic.generator.checkpoint for result in evaluations}
    used = [checkpoint for checkpoint in checkpoints(run) if checkpoint.hash in made] or [find(run)]
    facts = {**_run_facts(run, config, used), **_preparation(config)}
    data_set = _data_set(config, data)
    if data_set is not None:
        facts |= _data_facts(data_set)
    facts |= _together([_evaluation_facts(evaluation) for evaluation in evaluations])
    return facts | ({} if utility is None else _utility_facts(utility))


def _together(several: Sequence[Facts]) -> Facts:
    """The facts of several results in one: each with its number, where there are more than one."""
    if len(several) == 1:
        return several[0]
    facts: Facts = {}
    for key in dict.fromkeys(key for one in several for key in one):
        texts = [f"({number}) {one[key].text}" for number, one in enumerate(several, 1) if key in one]
        facts[key] = Fact("; ".join(texts), RESULT)
    return facts


def _data_set(config: RunConfig, data: Path | None) -> DataSet | None:
    try:
        return data_trained_on(config.data, data)
    except UserError:
        if data is not None:
            raise
        return None


def _run_facts(run: Path, config: RunConfig, used: Sequence[Checkpoint]) -> Facts:
    """The generator, the length of its training up to the checkpoints used, its seed, and the versions it was made with."""
    settings, shape = config.training, config.data
    paper = re.sub(r" \([A-Z0-9, ]+\)", "", family(config.family).publication)
    labels = f"conditional on {', '.join(shape.classes)}" if shape.classes else "unconditional"
    shown = " and ".join(count_text(checkpoint.images) for checkpoint in used)
    start = f", starting from the weights of {Path(settings.initial).name}" if settings.initial else ""
    facts = {
        "generator": f"{config.family} ({paper}; preset {config.preset}, {shape.width} x {shape.height} pixels, {labels})",
        "settings": ", ".join(f"{key} {value}" for key, value in config.model.items()),
        "length": f"{shown} real images shown, {settings.batch} a step, in {settings.precision}{start}",
        "seed": f"seed {settings.seed}",
        "checkpoint": f"SHA-256 {' and '.join(checkpoint.hash for checkpoint in used)}",
    }
    named = {key: Fact(text, CONFIG) for key, text in facts.items()}
    places = ", ".join(checkpoint.path.relative_to(run).as_posix() for checkpoint in used)
    named["checkpoint"] = named["checkpoint"]._replace(file=places)
    return {**named, **_machine(run, used[-1].images)}


def _machine(run: Path, images: int) -> Facts:
    """Versions, and how long it took until so many images were shown."""
    facts: Facts = {}
    if (run / ENVIRONMENT).exists():
        versions = {key: value for key, value in read_json(run / ENVIRONMENT).items() if isinstance(value, str)}
        facts["versions"] = Fact(", ".join(f"{key} {value}" for key, value in versions.items()), ENVIRONMENT)
    seconds = [line["seconds"] for line in read_json_lines(run / LOG) if "seconds" in line and line["images"] <= images]
    if seconds:
        facts["time"] = Fact(f"{_duration(seconds[-1])} of training", LOG)
    return facts


def _duration(seconds: float) -> str:
    for length, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def _preparation(config: RunConfig) -> Facts:
    """How images came to their size, and which were shown."""
    shape = config.data
    crop = {
        "centre": "cut to the shape in their centre",
        "pad": "padded to the shape",
        "stretch": "stretched to the shape",
    }
    left_out = f"; left out: {', '.join(shape.exclude)}" if shape.exclude else ""
    balance = "" if shape.temperature == 1 else f"; classes balanced with temperature {shape.temperature:g}"
    size = f"{shape.width} x {shape.height} pixels"
    text = f"images were {crop[shape.crop]} and brought to {size} ({shape.filter} filter){left_out}{balance}"
    return {
        "preprocessing": Fact(text, CONFIG),
        "data hash": Fact(f"content hash {shape.content_hash[:16]}", CONFIG),
        "split": Fact(f"trained on the split {shape.split}", CONFIG),
    }


def _data_facts(data_set: DataSet) -> Facts:
    """The real images: whose they are, how many of what, how they were divided, and what is known of people."""
    origin = data_set.provenance
    counts = Counter(zip(data_set.splits, data_set.labels, strict=True))
    groups = {str(group) for group in data_set.groups if group}
    facts = {
        "source": (origin.source, DESCRIPTION),
        "licence": (", ".join(origin.licence), DESCRIPTION),
        "attribution": ("; ".join(real_images_behind([origin]).attribution), DESCRIPTION),
        "images": (f"{len(data_set):,} images", METADATA),
        "groups": (f"{len(groups):,} patients or lesions, which no split divides" if groups else "", METADATA),
        "partitions": (_partitions(counts) if data_set.divided else "", METADATA),
        "classes": (", ".join(f"{label} {data_set.count(label):,}" for label in data_set.classes), METADATA),
        "image types": (_values(data_set, IMAGE_TYPES), METADATA),
        "confirmation": (_values(data_set, CONFIRMED), METADATA),
        "people": ("; ".join(_known(data_set, PEOPLE)), METADATA),
        "skin tone": ("; ".join(_known(data_set, TONES)), METADATA),
        "artefacts": ("; ".join(_artefacts(data_set)), METADATA),
    }
    return {key: Fact(text, file) for key, (text, file) in facts.items() if text}


def _partitions(counts: Mapping[tuple[str, str], int]) -> str:
    splits = dict.fromkeys(split for split, _ in sorted(counts))
    parts = []
    for split in splits:
        rows = {label or "without label": n for (part, label), n in sorted(counts.items()) if part == split}
        inside = ", ".join(f"{label} {n:,}" for label, n in rows.items())
        parts.append(f"{split or 'no split'} {sum(rows.values()):,} ({inside})")
    return "; ".join(parts)


def _values(data_set: DataSet, columns: Iterable[str]) -> str:
    """How often which value of the first of these columns occurs."""
    for column in columns:
        if column in data_set.table:
            values = Counter(str(value) for value in data_set.table[column] if not is_missing(str(value)))
            if values:
                missing = len(data_set) - values.total()
                texts = [f"{value} {n:,}" for value, n in values.most_common()]
                return ", ".join([*texts, f"not said {missing:,}"] if missing else texts)
    return ""


def _known(data_set: DataSet, columns: Iterable[str]) -> list[str]:
    """Of which share of the images a column says something."""
    found = []
    for column in columns:
        if column in data_set.table:
            known = sum(not is_missing(str(value)) for value in data_set.table[column])
            found.append(f"{column} is known of {100 * known / len(data_set):.0f} % of the images")
    return found


def _artefacts(data_set: DataSet) -> list[str]:
    """The share of images with each artefact that was annotated, or found by `artefacts detect`."""
    columns = [str(c) for c in data_set.table.columns if c in ARTEFACTS or str(c).startswith("found_")]
    shares = []
    for column in columns:
        try:
            shares.append(f"{column.removeprefix('found_')} {100 * data_set.flags(column).mean():.0f} %")
        except UserError:  # a column of something else
            continue
    return shares


def _evaluation_facts(result: Evaluation) -> Facts:
    """The synthetic images and the figures with their intervals and floors."""
    made, file = result.synthetic, RESULT
    truncation = made.generator.truncation
    how = "no truncation" if truncation is None else f"truncation {truncation:g}"
    origin = f"checkpoint {made.generator.checkpoint[:16]}"
    figures = "; ".join(_figure_texts(result))
    facts = {
        "synthetic": f"{made.images:,} synthetic images ({origin}, {how}, first seed {made.generator.first_seed} of each class)",
        "figures": f"{figures} (features: {result.extractor.name}, {result.real.images:,} real images)"
        if figures
        else "",
        "copies": _copies(result),
        "tones": _tones(result),
        "lights": _lights(result.verdict),
        "classes compared": "; ".join(f"{label}: {_lights(lines)}" for label, lines in result.class_verdicts.items()),
        "label fidelity": "; ".join(
            f"{row.label} {row.value:.2f} (95 % interval {row.low:.2f} to {row.high:.2f}; held-out real {row.floor:.2f})"
            for row in result.label_fidelity
        ),
    }
    return {key: Fact(text, file) for key, text in facts.items() if text}


def _lights(lines: Iterable[Line]) -> str:
    return ", ".join(f"{line.question} {line.light}" for line in lines)


def _figure_texts(result: Evaluation) -> list[str]:
    return [
        f"{row.name} {row.value:.3g} (95 % interval {row.low:.3g} to {row.high:.3g}; real against real {row.floor:.3g})"
        for row in result.on_card
    ]


def _copies(result: Evaluation) -> str:
    gate = result.copy_gate
    if gate is None:
        return (
            f"copies of training images were not looked for ({result.copying_refused})"
            if result.copying_refused
            else ""
        )
    return (
        f"{gate.flagged} of {gate.of} synthetic images lay closer to one of {gate.training} training images than "
        f"{100 * gate.false_alarms:g} % of {gate.held_out} held-out real images do"
    )


def _tones(result: Evaluation) -> str:
    """Shares of the skin tones on both sides."""
    sides = result.skin_tones
    rows = (f"{tone} {100 * s['synthetic']:.0f} % / {100 * s['real']:.0f} %" for tone, s in sides.items())
    return f"by ITA, synthetic / real, {', '.join(rows)}" if sides else ""


def _utility_facts(folder: Path) -> Facts:
    """The classifiers of a utility experiment, its verdict, and the AUC and counts of each arm."""
    result = read_result(folder)
    settings, training = result.settings, result.settings.training
    tests = ", ".join(f"{test.name} {test.images:,} ({test.positive:,} {settings.positive})" for test in settings.tests)
    facts = {
        "classifier": f"{training.backbone} network, {settings.positive} against {', '.join(settings.negative)}; "
        f"{training.images:,} images shown, {training.batch} a step; {settings.repeats} repeats from seed {settings.seed}",
        "classifier images": f"{settings.real.training_images:,} real training images, {settings.validation_images:,} "
        f"validation images; test images: {tests}",
        "threshold": "of each arm the highest sum of sensitivity and specificity on the validation images",
        "utility": result.verdict,
        "accuracy": "; ".join(_accuracy(row) for row in result.figures),
        "confusion": "; ".join(_counts(row) for row in result.figures),
    }
    return {key: Fact(text, UTILITY) for key, text in facts.items() if text}


def _accuracy(row: ArmFigures) -> str:
    low, high = row.delong
    return (
        f"{row.arm} on {row.test}: AUC of the ensemble of {row.repeats} classifiers {row.ensemble_auc:.3f} (95 % interval "
        f"{low:.3f} to {high:.3f}, {row.images} images)"
    )


def _counts(row: ArmFigures) -> str:
    counts = row.confusion
    return (
        f"{row.arm} on {row.test}: {counts.true_positive} true positive, {counts.false_negative} false negative, "
        f"{counts.false_positive} false positive, {counts.true_negative} true negative"
    )
