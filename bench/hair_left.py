"""What of drawn hair is left after removal, in photographs that are labelled as without hair.

    python bench/hair_left.py shared/data/isic2018_cc0_256x192

Of the pixels of the exact masks: the share that the widened mask covers, and the share that still stands out dark afterwards.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from dermsynth.artefacts.datasets import insert_artefacts
from dermsynth.artefacts.detection import ImageView, detect
from dermsynth.artefacts.hair_and_rulers import DARK
from dermsynth.artefacts.removal import Removal, remove_artefacts
from dermsynth.data.dataset import read_table
from dermsynth.data.maps import read_mask
from dermsynth.images import read_image


def main() -> None:
    """Print means over images."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--n", type=int, default=24)
    arguments = options.parse_args()
    table = read_table(arguments.folder / "metadata.csv")
    table = table[(table[["hair", "ruler", "ink"]] == "0").all(axis=1)]
    rows = table.iloc[np.random.default_rng(0).permutation(len(table))[: arguments.n]].to_dict("records")
    found = np.array([_left(arguments.folder, row, number) for number, row in enumerate(rows)])
    for name, values in zip(
        ("of drawn hair covered", "of the mask hair", "of drawn hair still dark"), found.T, strict=True
    ):
        print(f"{name:<26}{values.mean():.3f}  (images {len(values)}, deviation {values.std(ddof=1):.3f})")


def _left(folder: Path, row: dict[str, str], number: int) -> tuple[float, float, float]:
    image, lesion = read_image(folder / row["image"]), read_mask(folder / row["mask"])
    spoilt, masks = insert_artefacts(image, ["hair"], number)
    drawn, found = masks["hair"], detect(spoilt, ("hair",), lesion)
    result = remove_artefacts(spoilt, None, Removal({"hair": "telea"}), found)
    near = cv2.dilate(drawn.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    mask = found["hair"].mask
    dark, was = (ImageView(one).thin(bright=False) > DARK for one in (result.image, image))
    total = max(int(drawn.sum()), 1)
    covered, right = (result.filled & drawn).sum() / total, (mask & near).sum() / max(int(mask.sum()), 1)
    return float(covered), float(right), float((dark & ~was & drawn).sum() / total)


if __name__ == "__main__":
    main()
