"""Images made elsewhere, as a person brings them: photographs play the synthetic ones, with copies of training images among them.

usage: python -m bench.elsewhere DATA OUT [EXTRACTOR]

DATA is the folder with isic_uda1_cc0_512 and isic2018_cc0_256x192; EXTRACTOR a network for evaluate, such as mobilenet=FILE.

The training set is isic2018 without every photograph that is in isic_uda1 too; 300 of these are the images that must not be
flagged, and 100 training images are planted among them as copies of ten kinds. Then every step that takes
a synthetic set takes this one. Written into OUT: the sets, pages, and `copies.md`, the table of what was found.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

import dermsynth as ds
from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.gate import GateResult
from dermsynth.report.gallery import write_gallery
from dermsynth.report.utility_report import write_utility_report

SEED, CLEAN, EACH, SIZE = 0, 300, 10, "256x192"
STUDY = """
positive = "synthetic"
groups = ["dermatologist", "other"]
size = 192

[title]
en = "Real or generated?"
de = "Echt oder erzeugt?"

[[conditions]]
name = "all"
images = [{ kind = "real", count = 20 }, { kind = "synthetic", count = 20 }]

[[questions]]
name = "kind"
type = "kind"
"""
Pixels = NDArray[np.uint8]


def cropped(share: float) -> Callable[[Pixels], Pixels]:
    """A part is cut off every side, the rest enlarged to the size it had."""

    def change(image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        top, left = round(share * height), round(share * width)
        return cv2.resize(
            image[top : height - top, left : width - left], (width, height), interpolation=cv2.INTER_CUBIC
        )

    return change


def shifted_zoom(factor: float) -> Callable[[Pixels], Pixels]:
    """Zoomed in, around a point that is not the middle."""

    def change(image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        matrix = np.array([[factor, 0, -0.4 * (factor - 1) * width], [0, factor, -0.6 * (factor - 1) * height]])
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC)

    return change


def same(image: Pixels) -> Pixels:
    """As it is."""
    return image


def enlarged(image: Pixels) -> Pixels:
    """Twice as long and wide."""
    return cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def mirrored(image: Pixels) -> Pixels:
    """Left is right."""
    return np.ascontiguousarray(image[:, ::-1])


KINDS: dict[str, tuple[Callable[[Pixels], Pixels], dict[str, object]]] = {
    "exact": (same, {"format": "PNG"}),
    "enlarged twice": (enlarged, {"format": "PNG"}),
    "recompressed, quality 75": (same, {"format": "JPEG", "quality": 75}),
    "recompressed, quality 30": (same, {"format": "JPEG", "quality": 30}),
    "mirrored, recompressed": (mirrored, {"format": "JPEG", "quality": 75}),
    "1 % cropped on every side": (cropped(0.01), {"format": "PNG"}),
    "3 % cropped on every side": (cropped(0.03), {"format": "PNG"}),
    "10 % cropped on every side": (cropped(0.10), {"format": "PNG"}),
    "zoomed by 1.05, off centre": (shifted_zoom(1.05), {"format": "PNG"}),
    "zoomed by 1.2, off centre": (shifted_zoom(1.2), {"format": "PNG"}),
}


def training_set(data: Path, out: Path) -> DataSet:
    """isic2018 without the photographs that are in isic_uda1: nevi and melanomas."""
    table = pd.read_csv(data / "isic2018_cc0_256x192" / "metadata.csv", dtype=str, keep_default_na=False)
    others = pd.read_csv(data / "isic_uda1_cc0_512" / "metadata.csv", dtype=str)
    stems = {Path(name).stem for name in others["image"]}
    table = table[[Path(name).stem not in stems for name in table["image"]]]
    table = table[table["label"].isin(["nevus", "melanoma"])].drop(columns=["mask", "source"])
    table.to_csv(out / "training.csv", index=False)
    folder = data / "isic2018_cc0_256x192"
    return ds.import_csv(
        out / "training.csv", image="image", label="label", image_folder=folder, out=out / "training", seed=SEED
    ).data_set


def plant(data: Path, training: DataSet, out: Path) -> pd.DataFrame:
    """The folder of the tool elsewhere: 300 other photographs and 100 copies under names that tell nothing; what they are."""
    folder, random = data / "isic_uda1_cc0_512", np.random.default_rng(SEED)
    table = pd.read_csv(folder / "metadata.csv", dtype=str, keep_default_na=False)
    table = table[table["label"] != ""].reset_index(drop=True)
    clean = table.iloc[np.sort(random.permutation(len(table))[:CLEAN])]
    seen = np.flatnonzero(training.in_split("train"))
    copied = random.permutation(seen)[: EACH * len(KINDS)]
    (out / "elsewhere").mkdir(parents=True)
    rows = []
    for number, row in enumerate(clean.to_dict("records")):
        name = f"{number:04d}.jpg"
        (out / "elsewhere" / name).write_bytes((folder / row["image"]).read_bytes())
        rows.append({"image": name, "label": row["label"], "kind": "", "of": row["image"]})
    for number, index in enumerate(copied):
        kind = list(KINDS)[number % len(KINDS)]
        change, how = KINDS[kind]
        name = f"{CLEAN + number:04d}.{'jpg' if how['format'] == 'JPEG' else 'png'}"
        with Image.open(training.paths[index]) as image:
            Image.fromarray(change(np.asarray(image.convert("RGB")))).save(out / "elsewhere" / name, **how)
        rows.append(
            {"image": name, "label": training.labels[index], "kind": kind, "of": training.table["file_name"][index]}
        )
    truth = pd.DataFrame(rows)
    truth[["image", "label"]].to_csv(out / "elsewhere.csv", index=False)
    truth.to_csv(out / "truth.csv", index=False)
    return truth


def score(result: GateResult, truth: pd.DataFrame) -> list[str]:
    """A row a kind: how many were flagged, and how many of these with the right original."""
    table = result.to_frame().assign(name=[Path(name).name for name in result.table["file_name"]])
    table = table.assign(stem=[Path(name).stem for name in table["name"]])
    truth = truth.assign(stem=[Path(name).stem for name in truth["image"]])
    both = truth.merge(table, on="stem", validate="one_to_one")
    lines = ["| image | n | flagged | with the right original |", "|--|--|--|--|"]
    for kind in KINDS:
        rows = both[both["kind"] == kind]
        right = (rows["copy_flag"] & (rows["copy_of"] == rows["of"])).sum()
        lines.append(f"| {kind} | {len(rows)} | {rows['copy_flag'].sum()} | {right} |")
    rows = both[both["kind"] == ""]
    lines.append(f"| another photograph (false alarm) | {len(rows)} | {rows['copy_flag'].sum()} | |")
    return lines


def further_steps(imported: DataSet, training: DataSet, out: Path, extractor: str) -> list[str]:
    """Evaluate, export, study, utility and gallery of the imported set: a line of each."""
    evaluation = ds.evaluate(imported, extractor=extractor, resolution=SIZE, out=out / "evaluation")
    evaluation.save(out / "evaluation" / "assessment.html")
    lines = [f"evaluate: {line.question} {line.light}: {line.says}" for line in evaluation.verdict]
    released = ds.export(imported, out=out / "released", evaluation=out / "evaluation")
    lines.append(f"export: {len(released)} of {len(imported)} images")
    (out / "study.toml").write_text(STUDY)
    study = ds.create_study(str(out / "study.toml"), training, imported, out / "study", seed=SEED)
    lines += [f"study: {len(study.items)} images", *(f"study: {note}" for note in study.notes)]
    useful = ds.utility(
        imported, training, out=out / "utility", positive="melanoma", negative="nevus", resolution="64x48",
        arms=["real", "oversampled", "mixed=0.25"], repeats=3, images=4000, trust_provenance=True, seed=SEED,
    )  # fmt: skip
    write_utility_report(out / "utility", useful, "python -m bench.elsewhere")
    write_gallery([], out / "gallery", sets=[released])
    return [*lines, f"utility: {useful.verdict}", *(f"utility: {line}" for line in useful.cautions)]


def main(data: Path, out: Path, extractor: str = "embedded") -> None:
    """Import, evaluate, gate, study, utility, export, gallery; the table of what was found."""
    out.mkdir(parents=True, exist_ok=True)
    training = training_set(data, out)
    truth = plant(data, training, out)
    imported = ds.import_csv(
        out / "elsewhere.csv", image="image", label="label", image_folder=out / "elsewhere", out=out / "synthetic",
        synthetic=True, trained_on=training, generator="photographs that play a generator",
    ).data_set  # fmt: skip
    result = ds.gate(out / "elsewhere", training, out=out / "gate", resolution=SIZE)
    lines = [f"seed {SEED}; {result.facts.training} training images, threshold from {result.facts.held_out} held-out ones, "
             f"{result.facts.false_alarms:g} false alarms wanted; {result.sizes}", "", *score(result, truth)]  # fmt: skip
    print("\n".join(lines), flush=True)  # evaluate and utility take long
    further = further_steps(imported, training, out, extractor)
    (out / "copies.md").write_text("\n".join([*lines, "", *further]) + "\n")
    print("\n".join(["", *further]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
