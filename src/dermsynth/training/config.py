"""The complete configuration of a run. Imports no torch."""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.training.pretrained import locate
from dermsynth.training.run_folder import CONFIG, require_run

LONGEST_CHAIN = 100
MEANINGS = {
    "data.content_hash": "the images are not those that were trained on: ",
    "data.rows_hash": "the images, labels or splits are not those that were trained on: ",
}
"""What the difference of a hash means."""
Precision = Literal["float32", "bfloat16", "float16"]


class DataSettings(BaseModel):
    """Which images are shown, and how they are decoded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    content_hash: str
    rows_hash: str = Field("", description="hash of which images are shown with which label")
    split: str = "train"
    exclude: tuple[str, ...] = ()
    classes: tuple[str, ...] = Field((), description="class names; empty for an unconditional generator")
    map_layers: tuple[str, ...] = Field(
        (), description="what the values of a semantic map mean, for families that take maps"
    )
    superpixels: bool = Field(False, description="whether maps come with the boundaries of superpixels")
    temperature: float = Field(1.0, ge=0, le=1, description="1: shares of the data set; 0: classes equally often")
    height: int
    width: int
    crop: Literal["centre", "pad", "stretch"] = "centre"
    filter: Literal["area", "lanczos"] = "area"


class TrainingSettings(BaseModel):
    """Settings of the training loop. Lengths are in real images shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(ge=1, description="length of the training")
    batch: int = Field(32, ge=1, description="images a step over all processes")
    accumulate: int = Field(1, ge=1, description="pieces into which a process divides its share of a batch")
    precision: Precision = "float32"
    snapshot: int = Field(5_000, ge=1, description="images between checkpoints")
    log: int = Field(500, ge=1, description="images between lines of the log")
    keep: int = Field(3, ge=1, description="how many of the last checkpoints stay, beside the best")
    seed: int = Field(0, ge=0)
    rate: float = Field(1.0, gt=0, description="factor on every learning rate of the family; below 1 for fine-tuning")
    initial: str | None = Field(None, description="run or checkpoint whose weights training starts from")


class RunConfig(BaseModel):
    """The configuration of a run: everything that its result depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    family: str = Field(alias="recipe", description="name of the family")
    preset: str
    model: dict[str, Any] = Field(description="the family's own configuration")
    data: DataSettings
    training: TrainingSettings


def read_config(run: Path) -> RunConfig:
    """Read the configuration of a run folder.

    Raises UserError when the folder is not a run, or its configuration is not valid.
    """
    run = locate(run)
    require_run(run)
    return validate(RunConfig, read_json(run / CONFIG), str(run / CONFIG))


def earlier_data(config: RunConfig) -> list[dict[str, str]]:
    """The data of the runs that a run's first weights came from, the nearest run first; blank where a run is gone."""
    earlier: list[dict[str, str]] = []
    place = config.training.initial
    while place and len(earlier) < LONGEST_CHAIN:
        folder = locate(Path(place))
        run = next((path for path in (folder, *folder.parents) if (path / CONFIG).exists()), None)
        if run is None:
            return [*earlier, {"run": folder.name, "data_hash": "", "split": ""}]
        former = read_config(run)
        earlier.append({"run": run.name, "data_hash": former.data.content_hash, "split": former.data.split})
        place = former.training.initial
    return earlier


M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], values: dict[str, Any], source: str) -> M:
    """Validate values; the first problem becomes one line that names the field, the value and what is allowed."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(model.model_fields)
            raise UserError(f"{source}: unknown option {name!r}; there are: {allowed}") from error
        raise UserError(f"{source}: {name} = {first['input']!r}: {first['msg'].lower()}") from error


def differences(old: RunConfig, new: RunConfig) -> list[str]:
    """Fields in which two configurations differ, but for the length of the training and the place of the data."""
    changes: list[str] = []

    def compare(a: Any, b: Any, name: str) -> None:
        if isinstance(a, dict) and isinstance(b, dict):
            for key in sorted({*a, *b}):
                compare(a.get(key), b.get(key), f"{name}.{key}".strip("."))
        elif a != b and name not in ("training.images", "data.folder"):
            changes.append(f"{MEANINGS.get(name, '')}{name} was {a!r}, now {b!r}")

    compare(old.model_dump(mode="json"), new.model_dump(mode="json"), "")
    return changes
