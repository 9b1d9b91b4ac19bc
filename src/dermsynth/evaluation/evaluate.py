"""Evaluate a synthetic data set on disk against a real one: overall, per class, per skin tone, per column."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import decoded
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed
from dermsynth.evaluation.comparison import Measurement, as_rows, require
from dermsynth.evaluation.copies import copy_section
from dermsynth.evaluation.embedding import embedding_view
from dermsynth.evaluation.fidelity import (
    appearance_measurements,
    colour_measurements,
    feature_measurements,
    further_measurements,
    pair_measurements,
    score_measurement,
    swd_measurements,
)
from dermsynth.evaluation.groups import EVERYTHING, Group, groups, skin_tone_groups, tone_shares
from dermsynth.evaluation.origin import Judge, generator_of, path_figures
from dermsynth.evaluation.rows import appearances, decoding_of, features, histograms
from dermsynth.evaluation.verdict import USEFULNESS, verdict
from dermsynth.networks.features import Extractor
from dermsynth.networks.lpips import PerceptualSpace
from dermsynth.progress import progress_bar
from dermsynth.runs import environment, read_json, write_json
from dermsynth.training.checkpoints import checkpoints

RESULT = "evaluation.json"
SCHEMA = 2
Measure = Callable[[Group], list[Measurement]]


def evaluate(
    synthetic: DataSet, real: DataSet, extractor: Extractor, *, split: str = "all", seed: int = 0
) -> dict[str, Any]:
    """Measure FID, KID and SWD for all images and for each class, and write `evaluation.json` into the synthetic set.

    Real images are brought to the synthetic images' size in the way the generator's training images were. Says how
    many of the real images the generator was trained on.

    Raises UserError when either set is not what it should be or too small.
    """
    compared = Compared(synthetic, real, extractor, split, seed)
    found, refused = _measured(groups(synthetic, compared.real), [compared.distances, compared.pyramids])
    return compared.written({"measurements": as_rows(found), "refused": refused})


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
    seed: int = 0,
) -> dict[str, Any]:
    """Everything of `evaluate`, and manifolds, colours, named features, diversity, skin tones, copies, and a verdict.

    Marks in the synthetic set's `metadata.csv` which images pass the copy gate. `columns` are compared value by value;
    `judge` gives the discriminator's confidence for membership inference, `perceptual` a distance for pairs, neighbours, and the
    lengths of `paths` walks through the generator's latents.

    Raises UserError as `evaluate` does, for a column that either set lacks, and for paths without a generator or a distance.
    """
    compared = Compared(synthetic, real, extractor, split, seed, perceptual)
    parts = groups(synthetic, compared.real, columns)
    walks = _walks(synthetic, perceptual, paths, seed)
    every = [compared.distances, compared.further, compared.pyramids, compared.colours, compared.looks, compared.pairs]
    found, refused = _measured(parts, every)
    tones, missing = _measured(
        skin_tone_groups(*compared.appearances), [compared.distances, compared.further, compared.looks]
    )
    copies = copy_section(synthetic, real, compared.decoding, compared, judge, seed)
    result = {
        "measurements": as_rows([*found, *tones]),
        "refused": [*refused, *missing],
        "skin_tones": tone_shares(*compared.appearances),
        "path_lengths": walks,
        "embedding": embedding_view(synthetic, compared.real, compared.features, seed),
        "usefulness": _usefulness(synthetic),
        **copies,
    }
    return compared.written({**result, "verdict": verdict(_facts(compared) | result)})


def _walks(synthetic: DataSet, perceptual: PerceptualSpace | None, paths: int, seed: int) -> list[dict[str, Any]]:
    if not paths:
        return []
    if perceptual is None:
        raise UserError("--path-lengths: needs a distance; add --perceptual lpips=FILE or mobilenet=FILE")
    generator = generator_of(synthetic)
    if generator is None:
        raise UserError(f"--path-lengths: the run that made {synthetic.folder} is not where it was; leave it out")
    return as_rows(path_figures(generator, perceptual, paths, seed))


def _usefulness(synthetic: DataSet) -> dict[str, Any] | None:
    """What a utility experiment has found of exactly these images."""
    path = synthetic.folder / USEFULNESS
    told: dict[str, Any] | None = read_json(path) if path.exists() else None
    return told if told is not None and told["content_hash"] == synthetic.content_hash else None


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


class Compared:
    """A synthetic set and the real images it is compared with, decoded alike; rows of numbers are made when asked for."""

    def __init__(
        self, synthetic: DataSet, real: DataSet, extractor: Extractor, split: str, seed: int,
        perceptual: PerceptualSpace | None = None,
    ) -> None:  # fmt: skip
        require_seed(seed)
        _check_sides(synthetic, real)
        self.synthetic, self.whole, self.extractor, self.split, self.seed = synthetic, real, extractor, split, seed
        self.perceptual = perceptual
        self.real = _real_rows(synthetic, real, split)
        self.decoding = decoding_of(synthetic)

    @cached_property
    def images(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Both sides' images, uint8 [n, 3, h, w]."""
        return decoded(self.synthetic, self.decoding), decoded(self.real, self.decoding)

    @cached_property
    def features(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both sides' features."""
        made, kept = self.images
        return (
            features(self.synthetic, made, self.decoding, self.extractor),
            features(self.real, kept, self.decoding, self.extractor),
        )

    def features_of(self, rows: DataSet) -> NDArray[np.float32]:
        """Features of some of the real images: those at hand, or made for images that are not compared."""
        places = {name: index for index, name in enumerate(self.real.table["file_name"])}
        wanted = [places.get(name, -1) for name in rows.table["file_name"]]
        if -1 not in wanted:
            return self.features[1][wanted]
        return features(rows, decoded(rows, self.decoding), self.decoding, self.extractor)

    @cached_property
    def histograms(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Both sides' colours."""
        made, kept = self.images
        return histograms(self.synthetic, made, self.decoding), histograms(self.real, kept, self.decoding)

    @cached_property
    def appearances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both sides' named features; NaN where an image could not be measured."""
        made, kept = self.images
        return appearances(self.synthetic, made, self.decoding), appearances(self.real, kept, self.decoding)

    def distances(self, part: Group) -> list[Measurement]:
        """FID and KID."""
        made, kept = self.features
        return feature_measurements(made[part.synthetic], kept[part.real], part.name, self.extractor.suffix, self.seed)

    def further(self, part: Group) -> list[Measurement]:
        """FID at infinity, MMD, precision, recall, density, coverage."""
        made, kept = (side[rows] for side, rows in zip(self.features, (part.synthetic, part.real), strict=True))
        suffix, head = self.extractor.suffix, self.extractor.head
        found = further_measurements(made, kept, part.name, suffix, self.seed)
        return [*found, score_measurement(head(made), head(kept), part.name, suffix, self.seed)] if head else found

    def pyramids(self, part: Group) -> list[Measurement]:
        """SWD a level."""
        made, kept = self.images
        return swd_measurements(np.asarray(made[part.synthetic]), np.asarray(kept[part.real]), part.name, self.seed)

    def pairs(self, part: Group) -> list[Measurement]:
        """MS-SSIM and perceptual distance within the set."""
        made, kept = self.images
        return pair_measurements(made[part.synthetic], kept[part.real], part.name, self.perceptual, self.seed)

    def colours(self, part: Group) -> list[Measurement]:
        """Distances of colour histograms."""
        made, kept = self.histograms
        return colour_measurements(
            {name: rows[part.synthetic] for name, rows in made.items()},
            {name: rows[part.real] for name, rows in kept.items()},
            part.name,
            self.seed,
        )

    def looks(self, part: Group) -> list[Measurement]:
        """Named features, of the images that could be measured."""
        made, kept = (side[rows] for side, rows in zip(self.appearances, (part.synthetic, part.real), strict=True))
        made, kept = (side[np.isfinite(side).all(axis=1)] for side in (made, kept))
        try:
            return appearance_measurements(made, kept, part.name, self.seed)
        except UserError as error:
            seen = f"{len(made)} of {len(part.synthetic)} synthetic, {len(kept)} of {len(part.real)} real images"
            raise UserError(f"{error} (lesions were found in {seen})") from error

    def written(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result with everything that must stand beside it, in the synthetic set and in the generator's run.

        A whole evaluation of these images is not replaced by a brief one.
        """
        result = _facts(self) | result
        if "verdict" not in result and _whole(self.synthetic):
            return result
        write_json(self.synthetic.folder / RESULT, result)
        _copy_to_run(self.synthetic, result)
        return result


def _whole(synthetic: DataSet) -> bool:
    path = synthetic.folder / RESULT
    earlier = read_json(path) if path.exists() else {}
    return "verdict" in earlier and earlier["synthetic"]["content_hash"] == synthetic.content_hash


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
            there = ", ".join(sorted({*real.table.get("split", []), "all"} - {""}))
            raise UserError(f"--split {split!r}: no such split in {real.folder}; there are: {there}")
        keep &= (real.table["split"] == split).to_numpy()
    generator = synthetic.description.get("generator", {})
    if synthetic.classes:
        keep &= np.isin(real.labels.astype(str), synthetic.classes)
    keep &= ~np.isin(real.labels.astype(str), generator.get("exclude", []))
    chosen = real.select(keep)
    require(len(synthetic.table), "synthetic", EVERYTHING)
    require(len(chosen.table), "real", EVERYTHING)
    return chosen


def _facts(compared: Compared) -> dict[str, Any]:
    synthetic, real, chosen = compared.synthetic, compared.whole, compared.real
    extractor, decoding = compared.extractor, compared.decoding
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
        "schema": SCHEMA,
        "synthetic": {
            "folder": synthetic.folder.name,
            "images": len(synthetic.table),
            "content_hash": synthetic.content_hash,
            "generator": generator,
        },
        "real": {
            "folder": real.folder.name,
            "content_hash": real.content_hash,
            "images": len(chosen.table),
            "split": compared.split,
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
        "interval": "95 %: basic bootstrap; of nearest-neighbour figures and FID at infinity, jackknife",
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
    """The verdict, a line a question."""
    return "\n".join(f"{line['question']:<12}{line['light']:<14}{line['says']}" for line in result["verdict"])
