"""The chain of verbs that the fixture was made with, and how their results are read.

The only place that knows the program's verbs, flags, file names, columns and keys: where the program renames one, this file
follows, and the committed figures stay as they are.
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from tests.unchanged.comparison import digest, summary

HERE = Path(__file__).parent
PHOTOGRAPHS = HERE / "phantom.zip"
"""Phantom images in a folder a class, as files: a training resumes only on the bytes that it was begun with."""
RUNS, EXPECTED, SAMPLES = HERE / "runs", HERE / "expected.json.gz", HERE / "samples.npz"
SEED = 7
Shell = Callable[..., object]
"""Called with the words of a command; runs it in a process of its own and raises where it fails."""
Figures = dict[str, Any]


class Family(NamedTuple):
    """A tiny training: images shown when it was killed, the flags, and the truncations sampled (none: it translates)."""

    half: int
    flags: Sequence[str]
    truncations: Sequence[float | None]

    @property
    def images(self) -> int:
        return 2 * self.half


def _choices(**choices: object) -> list[str]:
    return [word for name, value in choices.items() for word in ("--set", f"{name}={json.dumps(value)}")]


STYLEGAN = _choices(latent=8, channel_base=64, channel_max=8, label_layers=1, ada_initial=0.3, ema_images=32)
CYCLEGAN = _choices(features=4, blocks=1, discriminator_features=4, discriminator_layers=2, scales=1, pool=2)
FAMILIES = {
    "stylegan2-ada": Family(80, ["--resolution", "32", *STYLEGAN], (0.7, 1.0)),
    "dcgan": Family(32, ["--resolution", "16", *_choices(latent=16, features=8, features_max=16)], (0.7,)),
    "pgan": Family(
        32,
        ["--resolution", "16", *_choices(latent=8, channel_base=64, channel_max=8, fade_images=16, stable_images=16)],
        (None,),
    ),
    "cyclegan": Family(
        32,
        ["--resolution", "32", "--from", "nevus", "--to", "melanoma", *CYCLEGAN],
        (),
    ),
}
COUNTS = {"melanoma": 30, "nevus": 60, "seborrheic_keratosis": 10}
"""Images of the synthetic set that is evaluated; the other sets have the first FEW of each class."""
FEW = 4


def import_photographs(shell: Shell, place: Path) -> Path:
    """The real data set."""
    out = place / "real"
    if out.exists():
        return out
    with zipfile.ZipFile(PHOTOGRAPHS) as archive:
        archive.extractall(place / "photographs")
    shell("import", "folder", place / "photographs", "--out", out, "--split", "0.4/0.3/0.3", "--seed", SEED)
    return out


def training(family: str, real: Path, run: Path) -> list[str]:
    """The words of the command that begins, and resumes, a run."""
    half, flags, _ = FAMILIES[family]
    length = ["--images", str(2 * half), "--batch", "8", "--snapshot", str(half), "--log", "16", "--seed", str(SEED)]
    machine = ["--threads", "1", "--device", "cpu"]
    return ["train", family, "--data", str(real), "--out", str(run), *length, *flags, *machine]


def run_of(family: str, place: Path, name: str) -> Path:
    """A copy of the committed run: the program may write into it."""
    return shutil.copytree(RUNS / family, place / name / family, dirs_exist_ok=True)


def resume(shell: Shell, place: Path, family: str) -> Path:
    """The committed run, carried on to its end in a process of its own."""
    run = run_of(family, place, "resumed")
    shell(*training(family, import_photographs(shell, place), run))
    return run


def generate(shell: Shell, place: Path, family: str, truncation: float | None) -> Path:
    """A few images of each class by the committed half-trained run."""
    out = place / f"{family}-{truncation}"
    run = run_of(family, place, "runs")
    numbers = [f"--count={label}={FEW}" for label in COUNTS]
    flags = [] if truncation is None else ["--truncation", truncation]
    shell("generate", run, "--out", out, *numbers, *flags, "--seed", SEED, "--threads", 1, "--device", "cpu")
    return out


def generate_set(shell: Shell, place: Path) -> Path:
    """The synthetic set that is evaluated; the copy gate looks at it."""
    out = place / "synthetic"
    if out.exists():
        return out
    run = run_of("stylegan2-ada", place, "runs")
    numbers = [f"--count={label}={number}" for label, number in COUNTS.items()]
    flags = ["--data", import_photographs(shell, place), "--seed", SEED, "--threads", 1, "--device", "cpu"]
    shell("generate", run, "--out", out, *numbers, *flags)
    return out


def translate(shell: Shell, place: Path, to: str) -> Path:
    out = place / f"translated-{to}"
    real, run = import_photographs(shell, place), run_of("cyclegan", place, "runs")
    shell("translate", run, "--input", real, "--out", out, "--to", to, "--split", "validation", "--device", "cpu")
    return out


def evaluate(shell: Shell, place: Path) -> Path:
    """The synthetic set, evaluated."""
    synthetic, run = generate_set(shell, place), place / "runs" / "stylegan2-ada"
    if not (synthetic / ASSESSMENT).exists():
        flags = ["--run", run, "--seed", SEED, "--threads", 1]
        shell("evaluate", synthetic, "--against", import_photographs(shell, place), *flags)
    return synthetic


def utility(shell: Shell, place: Path) -> Path:
    """After the evaluation, whose verdict would read what is found here."""
    synthetic, out = evaluate(shell, place), place / "utility"
    arms = [f"--arms={arm}" for arm in ("real", "oversampled", "classical", "mixed=1")]
    labels = ["--positive", "melanoma", "--negative", "nevus"]
    length = ["--repeats", 2, "--images", 96, "--batch", 16, "--seed", SEED, "--threads", 1]
    shell("utility", synthetic, "--real", import_photographs(shell, place), "--out", out, *labels, *arms, *length)
    return out


def detect(shell: Shell, place: Path) -> Path:
    """A copy of the real set, in which artefacts were looked for."""
    out = place / "marked"
    if not out.exists():
        shutil.copytree(import_photographs(shell, place), out)
        shell("artefacts", "detect", out)
    return out


def audit(shell: Shell, place: Path) -> Path:
    marked = detect(shell, place)
    shell("audit", marked, "--seed", SEED)
    return marked


def export(shell: Shell, place: Path) -> Path:
    out = place / "exported"
    shell("export", evaluate(shell, place), "--out", out, "--licence", "CC0-1.0")
    return out


def phantom(shell: Shell, out: Path, count: int, *flags: object) -> Path:
    shell("phantom", "--out", out, "--count", count, "--seed", SEED, *flags)
    return out


ASSESSMENT, GATE_TABLE = "assessment/assessment.json", "assessment/copies.csv"
UTILITY, AUDIT = "utility.json", "audit.json"
LOG = ("images", "losses", "statistics", "metrics")
"""What of a line of a run's log is compared: nothing of its speed or memory."""
FIGURE = ("value", "low", "high", "synthetic", "real", "floor", "matched", "half")
COPYING = ("value", "low", "high", "without", "synthetic", "training", "held_out")
RECOGNISED = ("value", "low", "high", "synthetic", "real", "floor", "floor_low", "floor_high", "others", "passing")
GATE = ("flagged", "of", "threshold", "false_alarms", "held_out", "training")
ARM = (
    "images", "positive", "repeats", "auc", "auc_deviation", "auc_repeats", "ensemble_auc", "delong", "bootstrap",
    "balanced_accuracy", "threshold", "confusion", "sensitivity_at_90_specificity", "specificity_at_90_sensitivity",
    "calibration_error", "calibration", "average_precision", "roc", "precision_recall", "strata",
)  # fmt: skip
DIFFERENCE = ("difference", "low", "high", "p", "p_holm", "delong", "repeats_wanted", "reach_then")
AUDITED = ("classes", "sizes", "splits", "duplicates", "leaks", "telling", "columns", "flags", "artefacts")
COPIES = ("copy_score", "copy_of", "copy_lying", "copy_flag")


def table(data: Path, name: str = "metadata.csv") -> pd.DataFrame:
    """The table of a data set, or another one in its folder, all of it text."""
    return pd.read_csv(data / name, dtype=str, keep_default_na=False)


def images(data: Path, per_class: int | None = None) -> list[NDArray[np.uint8]]:
    """The images of a set in the table's order, or the first ones of each class."""
    rows = table(data)
    rows = rows if per_class is None else rows.groupby("label", sort=False).head(per_class)
    return [np.asarray(Image.open(data / name).convert("RGB")) for name in rows["file_name"]]


def columns(data: Path, *without: str) -> Figures:
    """Columns of a set's table, by name; numbers as numbers."""
    rows = table(data)
    return {name: [_number(value) for value in rows[name]] for name in rows.columns if name not in without}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def pictures(data: Path, column: str) -> Figures:
    """Content of the pictures that a column of the table names."""
    return summary(*(np.asarray(Image.open(data / name)) for name in table(data)[column] if name))


def weights(run: Path, images_shown: int) -> Figures:
    """Every tensor of a checkpoint, the optimisers' too."""
    folder = run / "checkpoints" / f"{images_shown:09d}"
    files = ("network.safetensors", "optimiser.safetensors")
    tensors = {f"{file}/{name}": value for file in files for name, value in load_file(folder / file).items()}
    return {name: {"shape": list(value.shape), **summary(value)} for name, value in sorted(tensors.items())}


def log(run: Path) -> list[Figures]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in LOG if key in line} for line in lines]


def _by(rows: Sequence[Figures], keys: Sequence[str], names: Sequence[str]) -> Figures:
    """Some values of every row, by the row's identifiers: the order of rows is no result."""
    return {" | ".join(str(row[key]) for key in keys): _of(row, names) for row in rows}


def _of(row: Figures, names: Sequence[str]) -> Figures:
    return {name: row[name] for name in names}


def _lights(verdict: Sequence[Figures]) -> dict[str, str]:
    return {line["question"]: line["light"] for line in verdict}


def imported(shell: Shell, place: Path) -> Figures:
    data = import_photographs(shell, place)
    return {"table": columns(data), "pixels": digest(*images(data))}


def resumed(family: str) -> Callable[[Shell, Path], Figures]:
    def figures(shell: Shell, place: Path) -> Figures:
        run = resume(shell, place, family)
        return {"weights": weights(run, FAMILIES[family].images), "log": log(run)}

    return figures


def evaluated(shell: Shell, place: Path) -> Figures:
    synthetic = evaluate(shell, place)
    found, gate = json.loads((synthetic / ASSESSMENT).read_text()), table(synthetic, GATE_TABLE)
    return {
        "figures": _by(found["measurements"], ("group", "metric"), FIGURE),
        "labels": _by(found["label_fidelity"], ("label",), RECOGNISED),
        "copying": _by(found["copying"], ("metric",), COPYING),
        "copy gate": _of(found["copy_gate"], GATE),
        "copies": {name: [_number(value) for value in gate[name]] for name in COPIES},
        "closest": {name: _by(rows, ("file_name",), ("of", "value")) for name, rows in found["closest"].items()},
        "skin tones": found["skin_tones"],
        "embedding": [[point["x"], point["y"]] for part in found["embedding"] for point in part["points"]],
        "lights": _lights(found["verdict"]),
        "lights of classes": {label: _lights(lines) for label, lines in found["class_verdicts"].items()},
    }


def useful(shell: Shell, place: Path) -> Figures:
    found = json.loads((utility(shell, place) / UTILITY).read_text())
    return {
        "arms": _by(found["figures"], ("arm", "test"), ARM),
        "differences": _by(found["comparisons"], ("arm", "against", "test"), DIFFERENCE),
        "outcome": found["outcome"],
        "trained on real, tested on synthetic": found["trained_on_real_tested_on_synthetic"],
    }


def marked(shell: Shell, place: Path) -> Figures:
    data = detect(shell, place)
    return {"table": columns(data), "masks": pictures(data, "artefacts_file_name")}


def audited(shell: Shell, place: Path) -> Figures:
    return _of(json.loads((audit(shell, place) / AUDIT).read_text()), AUDITED)


def exported(shell: Shell, place: Path) -> Figures:
    data = export(shell, place)
    files = sorted(path.relative_to(data).as_posix() for path in (data / "images").rglob("*.*"))
    return {"files": files, "table": columns(data, "checkpoint"), "images": summary(*images(data))}


def drawn(shell: Shell, place: Path) -> Figures:
    flags = ["--resolution", 48, "--artefact", "ruler", "--correlation", 0.5]
    data = phantom(shell, place / "phantom", 24, *flags)
    shown = {name: pictures(data, name) for name in ("file_name", "mask_file_name", "structures")}
    return {"table": columns(data), "pictures": shown}


RESULTS: dict[str, Callable[[Shell, Path], Figures]] = {
    "phantom": drawn,
    "import folder": imported,
    **{f"train {family}": resumed(family) for family in FAMILIES},
    "evaluate": evaluated,
    "utility": useful,
    "artefacts detect": marked,
    "audit": audited,
    "export": exported,
}
"""Name -> what a verb finds, as JSON. Every one can be asked for alone: it runs the verbs before it where need be."""


def sampled(family: str, truncation: float | None) -> Callable[[Shell, Path], NDArray[np.uint8]]:
    return lambda shell, place: np.stack(images(generate(shell, place, family, truncation)))


def translated(to: str) -> Callable[[Shell, Path], NDArray[np.uint8]]:
    return lambda shell, place: np.stack(images(translate(shell, place, to), 2 * FEW))


PICTURES: dict[str, Callable[[Shell, Path], NDArray[np.uint8]]] = {
    **{f"{name} {psi}": sampled(name, psi) for name, family in FAMILIES.items() for psi in family.truncations},
    **{f"cyclegan to {label}": translated(label) for label in ("melanoma", "nevus")},
}
"""Name -> uint8 images [n, h, w, 3] of a committed checkpoint."""
