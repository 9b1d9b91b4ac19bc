from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from dermsynth.data.duplicates import fingerprints, near_duplicates
from dermsynth.data.phantom import PhantomSettings, draw_parameters, render
from dermsynth.images import encode_jpeg, encode_png


def test_copies_are_found_and_strangers_are_not(tmp_path: Path) -> None:
    settings = PhantomSettings(96, 96)
    images = [render(draw_parameters(seed, settings), settings).image for seed in range(40)]
    paths = []
    for number, image in enumerate(images):
        (tmp_path / f"{number}.png").write_bytes(encode_png(image))
        paths.append(tmp_path / f"{number}.png")
    changed = {
        "jpeg": encode_jpeg(images[3], 60),
        "small": encode_png(cv2.resize(images[5], (60, 60), interpolation=cv2.INTER_AREA)),
        "blurred": encode_png(cv2.GaussianBlur(images[9], (0, 0), 1)),
        "same": encode_png(images[11]),
    }
    for name, data in changed.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        paths.append(tmp_path / f"{name}.png")
    pairs = {tuple(p) for p in near_duplicates(*fingerprints(paths, 1))}
    assert pairs == {(3, 40), (5, 41), (9, 42), (11, 43)}


def test_the_known_twins_of_the_real_set_are_found(real_images: Path) -> None:
    folder = real_images.parent / "isic_uda1_cc0_512"
    names = pd.read_csv(folder / "metadata.csv")["image"].tolist()[:160]
    pairs = near_duplicates(*fingerprints([folder / name for name in names], 1))
    stems = {frozenset((Path(names[a]).stem, Path(names[b]).stem)) for a, b in np.asarray(pairs)}
    known = frozenset(("ISIC_0000279", "ISIC_0000280"))
    if known <= {Path(n).stem for n in names}:
        assert known in stems
    assert len(stems) <= 3
