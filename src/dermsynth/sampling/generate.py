"""Generate a labelled synthetic data set from a run: a number of images a class, resumable, marked as synthetic."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.folder import DESCRIPTION
from dermsynth.data.provenance import GeneratorProvenance, Provenance, RealImages, Step, real_images_behind
from dermsynth.data.verification import verify
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.images import encode_png
from dermsynth.io import disk_errors, read_json, write_bytes, write_json
from dermsynth.locks import claim_folder, first_difference
from dermsynth.models.sampler import CHUNK
from dermsynth.progress import progress_bar
from dermsynth.sampling.generator import Generator, check_request, render
from dermsynth.sampling.names import image_name, images_there
from dermsynth.training import distributed
from dermsynth.training.data import data_trained_on
from dermsynth.training.pretrained import trained_on

JOB = ".generating.json"
PLACES = ("run", "source", "maps")
"""Fields of an origin that say where something lies."""


def generate(
    generator: Generator,
    counts: Mapping[str, int],
    out: Path | str,
    *,
    truncation: float | None = None,
    first_seed: int = 0,
    examine: Callable[[DataSet], object] | None = None,
) -> DataSet:
    """Write `counts` images a class (class "" for an unconditional generator) into `out`.

    Image k of a class has the seed first_seed + k and depends on nothing else but checkpoint, class and truncation.
    What is already there from an earlier, interrupted call is kept. Started by `torchrun`, the processes share the work, and
    the first one alone calls `examine` with the finished set.

    Raises UserError for an unknown class, a truncation the family does not take, or a folder with anything else in it.
    """
    out = Path(out)
    distributed.keep_freed_memory()
    device = next(generator.model.parameters()).device
    distributed.start(device.type)
    try:
        check_request(generator, counts, truncation, first_seed)
        origin = generator.origin().with_facts(truncation=truncation, first_seed=first_seed)
        with distributed.held(out):
            claim(out, origin)
            images_there(out, generator.config.data.classes)  # refused now, not after the work
            missing = _missing(generator, counts, out, first_seed)
            distributed.wait()  # every process must see the folder before any writes
            parts = [missing[i : i + CHUNK] for i in range(0, len(missing), CHUNK)]
            own = parts[distributed.rank() :: distributed.count()]
            bar = progress_bar(own, total=len(own), label="generating", unit=f"x{CHUNK} img")
            for part in bar if distributed.rank() == 0 else own:
                _write_images(generator, part, truncation)
            distributed.wait()
            data_set = _write_table(generator, counts, out, origin)
        if examine is not None and distributed.rank() == 0:
            examine(data_set)
        return data_set
    finally:
        distributed.stop()


def claim(out: Path, origin: GeneratorProvenance) -> None:
    """Begin a folder of generated images, or see that it was begun with the same generator, truncation and seed.

    Raises UserError for a folder that holds anything else.
    """
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    description = read_json(out / DESCRIPTION) if (out / DESCRIPTION).exists() else None
    if description is not None and not description.get("synthetic"):
        raise UserError(f"{out}: holds real images; synthetic ones are never mixed in; choose another `out`")
    claim_folder(out, JOB, origin.document, kind="a synthetic set", difference=_difference, write=False)
    if description is not None:
        verify(open_data_set(out), unfinished=True)  # images of earlier calls are taken as they are
    distributed.wait()
    if distributed.rank() == 0:
        write_json(out / JOB, origin.document)
    distributed.wait()


def _difference(earlier: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    """How the folder's job differs from this one, other than by places: run and data may have been moved."""
    return first_difference(earlier, {key: value for key, value in job.items() if key not in PLACES})


def _missing(
    generator: Generator, counts: Mapping[str, int], out: Path, first_seed: int
) -> list[tuple[Path, str, int]]:
    """Path, class and seed of every image that is not there yet."""
    images = [
        (out / image_name(generator.config.data.classes, label, first_seed + k), label, first_seed + k)
        for label, n in counts.items()
        for k in range(n)
    ]
    return [image for image in images if not image[0].exists()]


def _write_images(generator: Generator, part: list[tuple[Path, str, int]], truncation: float | None) -> None:
    images = render(generator, [(label, seed) for _, label, seed in part], truncation)
    for (path, label, seed), image in zip(part, images, strict=True):
        text = {
            "Software": "dermsynth",
            "seed": str(seed),
            "label": label,
            "truncation": "none" if truncation is None else str(truncation),
            "checkpoint": generator.checkpoint.hash,
        }
        write_bytes(path, encode_png(image, text=text, synthetic=True))


def _write_table(generator: Generator, counts: Mapping[str, int], out: Path, origin: GeneratorProvenance) -> DataSet:
    """Table and description of every image in the folder, also of earlier calls with other quotas."""
    missing = len(_missing(generator, counts, out, origin.first_seed))
    if missing:
        raise UserError(f"{out}: {missing} images are missing; repeat the command")
    if distributed.rank() != 0:
        distributed.wait()
        return open_data_set(out)
    quotas = {label or "image": n for label, n in counts.items()}
    step = Step(command="dermsynth generate", count=quotas)
    provenance = Provenance.model_validate(description_of(origin, real_images(generator, out)))
    data_set = write_data_set(out, _table(generator, out, origin), provenance, step)
    distributed.wait()
    return data_set


def _table(generator: Generator, out: Path, origin: GeneratorProvenance) -> pd.DataFrame:
    truncation = "none" if origin.truncation is None else origin.truncation
    common = {"truncation": truncation, "checkpoint": generator.checkpoint.hash[:16], "synthetic": "true"}
    rows = [
        {"file_name": image.name, "label": image.label, "seed": str(image.seed), **common}
        for image in images_there(out, generator.config.data.classes)
    ]
    table = pd.DataFrame(rows)
    return table if generator.config.data.classes else table.drop(columns="label")


def real_images(generator: Generator, out: Path, *sources: DataSet) -> RealImages:
    """What the images that a generator was trained on, began with, and was given, ask for.

    Where the data set is gone, what an earlier call wrote into the folder `out` stays.
    """
    try:
        trained = [data_trained_on(generator.config.data).provenance]
    except UserError:
        trained = []
    if not trained and (out / DESCRIPTION).exists():
        trained = [open_data_set(out).provenance]
    origin = generator.origin()
    hashes = dict.fromkeys([origin.data_hash, *(earlier.data_hash for earlier in origin.earlier)])
    shipped = [known.terms for known in map(trained_on, hashes) if known is not None]
    return real_images_behind([*trained, *shipped, *(source.provenance for source in sources)])


def description_of(origin: GeneratorProvenance, real: RealImages) -> dict[str, object]:
    """What `dataset.json` says of a set of generated images, and of the real ones behind it."""
    return {
        "synthetic": True,
        "source": "generated images; not photographs of patients",
        "digital_source_type": "trainedAlgorithmicMedia",
        "generator": origin.document,
        "real_images": real.model_dump(),
    }
