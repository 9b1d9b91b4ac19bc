"""Ship a run as a generator of the package: weights in bfloat16, configuration, photographs seen, and a card.

    python -m tools.pretrained RUN --name base --data DATA [--checkpoint best] [--evaluation FOLDER] [--after TEXT]
        [--discriminator RUN]

The run's data set lends the fingerprints of its training images and their names, and its attribution. What stands in the
card under "Figures" comes from an evaluation of images of the shipped weights: ship once, generate and evaluate, ship again
with `--evaluation`.
"""

import argparse
import csv
import shutil
from filecmp import cmp
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.duplicates import fingerprints
from dermsynth.evaluation.results import read_evaluation
from dermsynth.evaluation.sides import remarks_on_family
from dermsynth.io import count_text, file_hash, replace_folder, write_json, write_text
from dermsynth.sampling.generator import Generator, load_generator
from dermsynth.training.checkpoints import FOLDER, NETWORK, STATE
from dermsynth.training.config import read_config
from dermsynth.training.pretrained import BASE, CARD, CONFIG, HOME, PHOTOGRAPHS, TERMS

NAMES, JUDGE = "photographs.csv", "discriminator."
SOURCE, LICENCE = "ISIC Archive (isic-archive.com)", "CC-0"
ATTRIBUTION = "International Skin Imaging Collaboration, ISIC Archive"
TEXT = """# {family} for dermoscopic images

A generator to start from (`dermsynth train {family} --from-base`), to try the program with, and to compare with. Its images
are no photographs of anyone and no evidence of anything: never use them for diagnosis, and do not take a classifier that
learnt from them alone to a clinic.

- **Images learnt from:** {images:,} dermoscopic photographs of the ISIC Archive, each CC-0 ({counts}); their ids are in
  `photographs.csv`, their fingerprints in `photographs.npz`, by which `dermsynth utility` sees whether test images were among
  them. Other photographs of the same data set were held out and never shown.
- **Generator:** {family}, preset {preset}, {width} x {height} pixels, {shown} images shown{after}; weights in bfloat16.
- **Settings:** {settings}.
- **Licence:** Apache-2.0, as the program. The photographs are from the ISIC Archive (isic-archive.com), CC-0.
- **Limits:** one archive, mostly fair skin, classes by diagnosis alone; rulers, hair, gel and dark corners are learnt with the
  lesions, and are not equally frequent in the classes. A test set that holds ISIC images may have been seen.

## Figures

{figures}
"""


def ship(
    run: Path, name: str, data: Path, checkpoint: str = "last", evaluation: Path | None = None, source: str = SOURCE,
    licence: str = LICENCE, attribution: str = ATTRIBUTION, after: str = "", discriminator: Path | None = None,
) -> Path:  # fmt: skip
    """Write the folder of a generator of the package; an earlier one of that name is replaced.

    `after` says what the weights were trained on before this run, where it started from others. With `discriminator` that of
    the image comes from another run, where this one judged images made smaller.
    """
    generator, data_set = load_generator(run, which=checkpoint, device="cpu"), open_data_set(data)
    if data_set.whole_hash != generator.config.data.content_hash:
        raise SystemExit(f"{data}: not the set that {run} was trained on")
    seen = data_set.part(data_set.in_split(generator.config.data.split) & _shown(data_set, generator))
    lender = load_generator(discriminator, device="cpu") if discriminator else generator
    shutil.rmtree(HOME / name, ignore_errors=True)
    with replace_folder(HOME / name) as folder:
        write_json(folder / CONFIG, _config(generator, lender, name))
        _write_weights(folder / FOLDER / f"{generator.checkpoint.images:09d}", generator, lender)
        _write_photographs(folder, seen)
        if name != BASE and (HOME / BASE / NAMES).exists() and cmp(folder / NAMES, HOME / BASE / NAMES, shallow=False):
            (folder / PHOTOGRAPHS).unlink()  # those of base are read
        write_json(folder / TERMS, {"source": source, "licence": [licence], "attribution": [attribution]})
        write_text(folder / CARD, card(generator, seen, evaluation, after))
    return HOME / name


def _shown(data_set: DataSet, generator: Generator) -> np.ndarray:
    return np.isin(data_set.labels.astype(str), generator.labels)


def _config(generator: Generator, lender: Generator, name: str) -> dict[str, object]:
    """The run's configuration without places of the machine it was trained on."""
    config = generator.config.model_dump(mode="json")
    if "image_size" in config["model"]:
        config["model"]["image_size"] = lender.config.model["image_size"]
    config["data"]["folder"] = f"photographs of {name}"
    config["training"]["initial"] = None
    return config


def _write_weights(folder: Path, generator: Generator, lender: Generator) -> None:
    folder.mkdir(parents=True)
    tensors = {
        key: (value.to(torch.bfloat16) if value.dtype == torch.float32 and value.ndim else value).contiguous()
        for key, value in _weights(generator, lender).items()
    }
    save_file(tensors, folder / NETWORK)
    state = generator.checkpoint.state.model_copy(
        update={"hashes": {NETWORK: file_hash(folder / NETWORK)}, "seconds": 0.0}
    )
    write_json(folder / STATE, state.model_dump(mode="json"))


def _weights(generator: Generator, lender: Generator) -> dict[str, torch.Tensor]:
    own = {key: value for key, value in generator.checkpoint.network().items() if not key.startswith(JUDGE)}
    return own | {key: value for key, value in lender.checkpoint.network().items() if key.startswith(JUDGE)}


def _write_photographs(folder: Path, seen: DataSet) -> None:
    hashes, thumbnails = fingerprints(seen.paths)
    np.savez_compressed(folder / PHOTOGRAPHS, hashes=hashes, thumbnails=thumbnails.round().astype(np.uint8))
    with (folder / NAMES).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["isic_id", "label"])
        writer.writerows(
            sorted((Path(name).stem, label) for name, label in zip(seen.table["file_name"], seen.labels, strict=True))
        )


def card(generator: Generator, seen: DataSet, evaluation: Path | None, after: str) -> str:
    """What a person should know before using it."""
    height, width = generator.resolution
    family = generator.config.family
    counts = ", ".join(f"{label} {(seen.labels == label).sum():,}" for label in generator.labels)
    return TEXT.format(
        family=family, preset=generator.config.preset, width=width, height=height, counts=counts,
        images=len(seen.table), shown=count_text(generator.checkpoint.images), figures=_figures(evaluation, family),
        settings=_settings(generator), after=f", after {after}" if after else "",
    )  # fmt: skip


def _settings(generator: Generator) -> str:
    own, loop = generator.config.model, generator.config.training
    told = {"batch": loop.batch, "precision": loop.precision, "seed": loop.seed, **own}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _figures(folder: Path | None, family: str) -> str:
    if folder is None:
        return "Not measured."
    result = read_evaluation(folder)
    rows = [
        f"| {e.name} {e.part} | {e.value:.4g} | {e.low:.4g} to {e.high:.4g} | {e.floor:.4g} | {e.n_synthetic:,} / {e.n_real:,} |"
        for e in result.on_card
    ]
    gate = result.copy_gate
    copies = (
        "not run"
        if gate is None
        else f"{gate.flagged} of {gate.of:,} images flagged, threshold from {gate.held_out} unseen ones"
    )
    head = ["| figure | value | 95 % | between real ones | images |", "|--|--|--|--|--|"]
    remarks = [remark.says for remark in remarks_on_family(family)]
    return "\n".join([*head, *rows, "", f"Features: {result.extractor.name}. Copy gate: {copies}.", *remarks])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tools.pretrained", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", default="last")
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--after", default="", help="what the weights were trained on before RUN")
    parser.add_argument("--discriminator", type=Path, help="the run whose discriminator of the image is shipped")
    given = parser.parse_args()
    if read_config(given.run).training.initial and not given.after:
        raise SystemExit(f"{given.run}: started from other weights; say which with --after")
    print(
        ship(
            given.run, given.name, given.data, given.checkpoint, given.evaluation, after=given.after,
            discriminator=given.discriminator,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
