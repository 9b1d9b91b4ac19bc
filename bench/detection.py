"""How often detectors of artefacts are right, a source at a time, against labels: precision and recall with Wilson's intervals.

    python bench/detection.py shared/data/isic2018_cc0_256x192 --apart shared/data/isic_uda1_cc0_512

The first folder's images that are also in the second are the other source; of the rest, half (seed 0) chose the thresholds and is
not judged. Image numbers below 9860 are a source of their own (children's nevi with stickers).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from dermsynth.artefacts.annotate import THRESHOLDS
from dermsynth.artefacts.confirmation import LABELS, wilson_interval
from dermsynth.artefacts.detection import ARTEFACTS, detect
from dermsynth.data.dataset import read_table
from dermsynth.data.maps import read_mask
from dermsynth.images import read_image

FIRST_OF_OTHERS = 9860


def main() -> None:
    """Print a table a source and the thresholds that the other half would choose."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--apart", type=Path, required=True)
    options.add_argument("--by-colour", action="store_true", help="find the lesion by colour although there are masks")
    options.add_argument("--jobs", type=int, default=-1)
    arguments = options.parse_args()
    table = read_table(arguments.folder / "metadata.csv")
    scores = _scores(arguments.folder, table, arguments.by_colour, arguments.jobs)
    sources, judged = _sources(table, set(read_table(arguments.apart / "metadata.csv")["image"]))
    print("| artefact | source | images | with it | found | precision (95 %) | recall (95 %) |\n|--|--|--|--|--|--|--|")
    for number, name in enumerate(ARTEFACTS):
        column = next(label for label in LABELS[name] if label in table)
        truth, found = (table[column] == "1").to_numpy(), scores[:, number] >= THRESHOLDS[name]
        for source in dict.fromkeys(sources):
            rows = judged & (sources == source)
            right, seen, there = (int(part[rows].sum()) for part in (found & truth, found, truth))
            print(
                f"| {name} | {source} | {rows.sum()} | {there} | {seen} | {_share(right, seen)} | {_share(right, there)} |"
            )
    for number, name in enumerate(ARTEFACTS):
        column = next(label for label in LABELS[name] if label in table)
        truth = (table[column] == "1").to_numpy()
        print(
            f"{name}: threshold {_threshold(scores[~judged, number], truth[~judged], 0.8 if name == 'bubble' else 0.95)}"
        )


def _scores(folder: Path, table: pd.DataFrame, by_colour: bool, jobs: int) -> np.ndarray:
    def one(name: str, mask: str) -> list[float]:
        cv2.setNumThreads(1)
        lesion = None if by_colour or not mask else read_mask(folder / mask)
        found = detect(read_image(folder / name), lesion=lesion)
        return [found[artefact].score for artefact in ARTEFACTS]

    pairs = zip(table["image"], table["mask"], strict=True)
    return np.array(Parallel(n_jobs=jobs)(delayed(one)(*pair) for pair in pairs))


def _sources(table: pd.DataFrame, apart: set[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of every image its source, and whether it is judged."""
    other = table["image"].isin(apart).to_numpy()
    numbers = table["image"].str.extract(r"(\d+)\.")[0].astype(int).to_numpy()
    sources = np.where(other, "UDA-1", np.where(numbers < FIRST_OF_OTHERS, "below 9860", "9860 and above"))
    return sources, other | (np.random.default_rng(0).random(len(table)) >= 0.5)


def _threshold(scores: np.ndarray, truth: np.ndarray, precision: float) -> float:
    """The least score from which on this share is right, with at least 15 images found."""
    order = np.argsort(-scores)
    right = np.cumsum(truth[order]) / np.arange(1, len(order) + 1)
    places = np.flatnonzero(right >= precision)
    return float(scores[order][places[places >= 15].max()]) if (places >= 15).any() else float("nan")


def _share(right: int, of: int) -> str:
    low, high = wilson_interval(right, of)
    return f"{right}/{of}: {right / of:.2f} ({low:.2f} to {high:.2f})" if of else "-"


if __name__ == "__main__":
    main()
