"""The lines of a training's log in other programs: W&B, MLflow, trackio. All of it stays in the run's folder.

Nothing goes over a network unless the program's own environment variable asks for it: WANDB_MODE, MLFLOW_TRACKING_URI,
TRACKIO_SPACE_ID.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from dermsynth.errors import UserError, require_choice
from dermsynth.training.callbacks import Callback, LogLine, TrainingStart
from dermsynth.training.config import RunConfig

logger = logging.getLogger(__name__)
PROJECT = "dermsynth"


class Writer(Callback):
    """Follows a training and writes every number of its log, over the real images shown.

    A program that fails while the training runs is left out from then on, with one warning: it never stops a training.
    """

    package = ""

    def __init__(self) -> None:
        self.open = False

    def begin(self, training: TrainingStart, settings: Mapping[str, Any]) -> None:
        """Open a run of the program; `settings` are those of the training, flat."""
        raise NotImplementedError

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Write numbers at an amount of images shown."""
        raise NotImplementedError

    def end(self) -> None:
        """Close the run."""
        raise NotImplementedError

    def start(self, training: TrainingStart) -> None:
        """Open a run of the program.

        Raises UserError where it cannot.
        """
        try:
            self.begin(training, settings_of(training.config))
        except Exception as error:  # whatever the program raises
            raise UserError(f"`log_to` {self.package}: cannot be started ({_first_line(error)})") from error
        self.open = True

    def log(self, line: LogLine) -> None:
        """Losses and statistics, seconds and memory."""
        own = {"seconds": line.seconds, "memory_gib": line.memory_gib}
        self._guarded(lambda: self.write(line.images, {**line.losses, **line.statistics, **own}))

    def measure(self, images: int, figures: Mapping[str, float]) -> None:
        """What the watchers measured."""
        self._guarded(lambda: self.write(images, figures))

    def close(self) -> None:
        """Close the run, if it was opened."""
        self._guarded(self.end)
        self.open = False

    def _guarded(self, act: Callable[[], None]) -> None:
        if not self.open:
            return
        try:
            act()
        except Exception as error:  # whatever the program raises
            self.open = False
            logger.warning(f"{self.package}: {_first_line(error)}; nothing more is written there")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def settings_of(config: RunConfig) -> dict[str, Any]:
    """The settings of a training as dotted names, without the folder of the data."""
    return {key: value for key, value in _flat(config.model_dump(mode="json"), "") if key != "data.folder"}


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextmanager
def _variables(**defaults: str) -> Iterator[None]:
    """Environment variables, where the user has not set them, while the block runs."""
    missing = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


class WandB(Writer):
    """Weights & Biases: offline files in the run's folder `wandb`, which `wandb sync` sends; WANDB_MODE=online sends at once."""

    package = "wandb"

    def begin(self, training: TrainingStart, settings: Mapping[str, Any]) -> None:
        """Open a run."""
        import wandb

        quiet = wandb.Settings(console="off", silent=True, disable_git=True, save_code=False)
        mode = os.environ.get("WANDB_MODE", "offline")
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=training.run.name, dir=str(training.run), mode=mode,  # type: ignore[arg-type]
            config=dict(settings), settings=quiet,
        )  # fmt: skip

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """One step, counted in images."""
        self.run.log(dict(values), step=images)

    def end(self) -> None:
        """Close the run."""
        self.run.finish()


class MLflow(Writer):
    """MLflow: a SQLite file in the run's folder `mlflow`; MLFLOW_TRACKING_URI names another place."""

    package = "mlflow"

    def begin(self, training: TrainingStart, settings: Mapping[str, Any]) -> None:
        """Open a run."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        folder = training.run.absolute() / "mlflow"
        place = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not place:
            folder.mkdir(exist_ok=True)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.client = MlflowClient(tracking_uri=place or f"sqlite:///{folder}/mlflow.db")
        project = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self.client.get_experiment_by_name(project)
        artefacts = None if place else (folder / "artifacts").as_uri()
        experiment = (
            found.experiment_id if found else self.client.create_experiment(project, artifact_location=artefacts)
        )
        self.id = self.client.create_run(experiment, run_name=training.run.name).info.run_id
        self.client.log_batch(self.id, params=[Param(_plain(key), str(value)[:500]) for key, value in settings.items()])

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Metrics with the images as their step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(_plain(name), float(value), now, images) for name, value in values.items()]
        self.client.log_batch(self.id, metrics=rows)

    def end(self) -> None:
        """Close the run."""
        self.client.set_terminated(self.id)


def _plain(name: str) -> str:
    """A name with the letters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name)


class Trackio(Writer):
    """Trackio: a SQLite file in the run's folder `trackio`, or in TRACKIO_DIR; TRACKIO_SPACE_ID names a Space to send to.

    It settles on a place when it is imported: several trainings in one process share that of the first, and a notebook that
    imported it before keeps its own, of which the training warns.
    """

    package = "trackio"

    def begin(self, training: TrainingStart, settings: Mapping[str, Any]) -> None:
        """Open a run."""
        folder = os.environ.get("TRACKIO_DIR") or str(training.run.absolute() / "trackio")
        with _variables(TRACKIO_DIR=folder):
            import trackio  # reads the variable now, once in a process
        self.trackio = trackio
        space = os.environ.get("TRACKIO_SPACE_ID")
        place = space or str(trackio.utils.TRACKIO_DIR)
        logger.log(logging.INFO if space or place == folder else logging.WARNING, f"trackio: writes into {place}")
        with redirect_stdout(sys.stderr):
            trackio.init(
                project=PROJECT, name=training.run.name, config=dict(settings), space_id=space, resume="allow", embed=False,
                auto_log_gpu=False, auto_log_cpu=False,
            )  # fmt: skip

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """One step, counted in images."""
        self.trackio.log(dict(values), step=images)

    def end(self) -> None:
        """Close the run."""
        with redirect_stdout(sys.stderr):
            self.trackio.finish()


class AlreadyWritten(Callback):
    """TensorBoard, which every training writes where it is installed."""

    package = "tensorboard"


WRITERS: Mapping[str, type[Writer] | type[AlreadyWritten]] = MappingProxyType(
    {"tensorboard": AlreadyWritten, "wandb": WandB, "mlflow": MLflow, "trackio": Trackio}
)
"""Programs by the names that `log_to` has for them."""


def writers(names: Sequence[str]) -> list[Callback]:
    """A callback for each program.

    Raises UserError for a name that is unknown, and for a program that is not installed.
    """
    found = list[Callback]()
    for name in dict.fromkeys(names):
        require_choice(name, "log_to", list(WRITERS))
        if not _installed(WRITERS[name].package):
            raise UserError(
                f"`log_to` {name}: {name} is not installed; it is an extra: pip install 'dermsynth[{name}]'"
            )
        found.append(WRITERS[name]())
    return found


def _installed(package: str) -> bool:
    """Whether a package is there, without importing it."""
    try:
        return find_spec(package) is not None
    except ValueError:  # set to None by a program that wants it away
        return False
