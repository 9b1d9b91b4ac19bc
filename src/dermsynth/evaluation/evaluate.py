"""Evaluate a synthetic data set on disk against a real one, overall and per class."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.data.cache import Decoding, cache_path, decoded
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed
from dermsynth.evaluation.comparison import Measurement, as_rows, require
from dermsynth.evaluation.fidelity import feature_measurements, swd_measurements
from dermsynth.networks.features import Extractor
from dermsynth.progress import progress_bar
from dermsynth.runs import environment, replacing, write_json
from dermsynth.training.checkpoints import checkpoints

RESULT = "evaluation.json"
EVERYTHING = "all classes"


def evaluate(
    synthetic: DataSet, real: DataSet, extractor: Extractor, *, split: str = "all", seed: int = 0
) -> dict[str, Any]:
    """Measure FID, KID and SWD for all images and for each class, and write `evaluation.json` into the synthetic set.

    Real images are brought to the synthetic images' size in the way the generator's training images were. Says how
    many of the real images the generator was trained on.

    Raises UserError when either set is not what it should be or too small.
    """
    require_seed(seed)
    _check_sides(synthetic, real)
    chosen = _real_rows(synthetic, real, split)
    decoding = _decoding(synthetic)
    groups = _groups(synthetic, chosen)
    fake_images, real_images = decoded(synthetic, decoding), decoded(chosen, decoding)
    fake_features = features(synthetic, fake_images, decoding, extractor)
    real_features = features(chosen, real_images, decoding, extractor)
    found: list[Measurement] = []
    refused: list[str] = []
    for group, mine, theirs in progress_bar(groups, total=len(groups), label="measuring", unit="group"):
        try:
            found += feature_measurements(fake_features[mine], real_features[theirs], group, extractor.suffix, seed)
            found += swd_measurements(np.asarray(fake_images[mine]), np.asarray(real_images[theirs]), group, seed)
        except UserError as error:
            if group == EVERYTHING:
                raise
            refused.append(str(error))
    result = _result(synthetic, real, chosen, extractor, decoding, split) | {
        "measurements": as_rows(found),
        "refused": refused,
    }
    write_json(synthetic.folder / RESULT, result)
    _copy_to_run(synthetic, result)
    return result


def _check_sides(synthetic: DataSet, real: DataSet) -> None:
    if not synthetic.synthetic:
        raise UserError(f"{synthetic.folder}: not a synthetic set; the first folder must come from: dermsynth generate")
    if real.synthetic:
        raise UserError(f"{real.folder}: a synthetic set; --against takes the real one")


def _real_rows(synthetic: DataSet, real: DataSet, split: str) -> DataSet:
    """The real images of the split and of the classes that were generated."""
    keep = np.ones(len(real.table), dtype=bool)
    if split != "all":
        if "split" not in real.table or split not in set(real.table["split"]):
            raise UserError(f"--split {split!r}: no such split in {real.folder}")
        keep &= (real.table["split"] == split).to_numpy()
    generator = synthetic.description.get("generator", {})
    if synthetic.classes:
        keep &= np.isin(real.labels.astype(str), synthetic.classes)
    keep &= ~np.isin(real.labels.astype(str), generator.get("exclude", []))
    chosen = real.select(keep)
    require(len(synthetic.table), "synthetic", EVERYTHING)
    require(len(chosen.table), "real", EVERYTHING)
    return chosen


def _decoding(synthetic: DataSet) -> Decoding:
    with Image.open(synthetic.paths[0]) as image:
        width, height = image.size
    generator = synthetic.description.get("generator", {})
    return Decoding(height, width, generator.get("crop", "centre"), generator.get("filter", "area"))


def _groups(synthetic: DataSet, real: DataSet) -> list[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """All images, and each class."""
    everything = (EVERYTHING, np.arange(len(synthetic.table)), np.arange(len(real.table)))
    classes = [c for c in synthetic.classes if c in real.classes]
    each = [(c, np.flatnonzero(synthetic.labels == c), np.flatnonzero(real.labels == c)) for c in classes]
    return [everything, *each]


def features(
    data_set: DataSet, images: NDArray[np.uint8], decoding: Decoding, extractor: Extractor
) -> NDArray[np.float32]:
    """Features [n, d], cached by the images' content, the decoding and the extractor's identity."""
    source = cache_path(data_set, decoding)
    key = hashlib.sha256(f"{source.stem}/{extractor.identity}/{extractor.resizer}".encode()).hexdigest()[:16]
    path = source.with_name(f"{source.stem}.features-{key}.npy")
    if path.exists():
        return np.load(path)
    size = 64
    starts = range(0, len(images), size)
    bar = progress_bar(starts, total=len(starts), label=f"features of {data_set.folder.name}", unit=f"x{size} img")
    found = np.concatenate([extractor(np.asarray(images[start : start + size])) for start in bar])
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, found)
    return found


def _result(
    synthetic: DataSet, real: DataSet, chosen: DataSet, extractor: Extractor, decoding: Decoding, split: str
) -> dict[str, Any]:
    generator = synthetic.description.get("generator", {})
    same = generator.get("data_hash") == real.content_hash
    seen = 0
    if same:
        trained_on = generator.get("split", "train")
        in_training = (
            chosen.table["split"] == trained_on if "split" in chosen.table else np.ones(len(chosen.table), bool)
        )
        seen = len(chosen.table) if trained_on == "all" else int(np.sum(in_training))
    return {
        "schema": 1,
        "synthetic": {"folder": synthetic.folder.name, "images": len(synthetic.table), "generator": generator},
        "real": {
            "folder": real.folder.name,
            "images": len(chosen.table),
            "split": split,
            "trained_on": seen,
            "training_set_known": same,
        },
        "extractor": {
            "name": extractor.name,
            "resizer": extractor.resizer,
            "identity": extractor.identity,
            "comparable_with_published_fid": extractor.comparable,
        },
        "size": [decoding.width, decoding.height],
        "interval": "95 % basic bootstrap",
        "environment": environment(),
    }


def _copy_to_run(synthetic: DataSet, result: dict[str, Any]) -> None:
    """Leave a copy where the run's report looks, if the run is still there and is the one meant."""
    generator = synthetic.description.get("generator", {})
    run = Path(str(generator.get("run", "")))
    same = any(
        c.state.get("hashes", {}).get("network.safetensors") == generator.get("checkpoint") for c in checkpoints(run)
    )
    if generator.get("run") and same:
        write_json(run / "evaluations" / f"{synthetic.folder.name}.json", result)


def as_text(result: dict[str, Any]) -> str:
    """The table a person reads in the terminal."""
    extractor, real = result["extractor"], result["real"]
    lines = [f"features: {extractor['name']}, resized {extractor['resizer']}"]
    if not extractor["comparable_with_published_fid"]:
        lines.append("  not comparable with published FID or KID; compare only figures made with the same extractor")
    if real["trained_on"]:
        lines.append(f"  the generator was trained on {real['trained_on']} of the {real['images']} real images")
    elif not real["training_set_known"]:
        lines.append("  unknown whether the generator was trained on these real images")
    header = f"{'group':<22}{'metric':<24}{'value':>9}  {'95 % interval':<19}{'n':>11}"
    header += f"   {'real-real':>9} {'synth-real':>10} {'n':>6}"
    lines += [header, "-" * len(header)]
    for row in result["measurements"]:
        interval = f"{row['low']:.2f} ... {row['high']:.2f}"
        lines.append(
            f"{row['group']:<22}{row['metric']:<24}{row['value']:>9.2f}  {interval:<19}"
            f"{row['synthetic']:>5}/{row['real']:<5}   {row['floor']:>9.2f} {row['matched']:>10.2f} {row['half']:>6}"
        )
    lines += [f"refused: {line}" for line in result["refused"]]
    return "\n".join(lines)
