"""dermsynth: from a folder of skin images to a synthetic data set that can be trusted.

The names below are everything a script or a notebook needs; the command line calls the same functions. Each is imported
when it is used first, so that `import dermsynth` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dermsynth import metrics as metrics
    from dermsynth.api import artefacts as artefacts
    from dermsynth.api.advice import advise as advise
    from dermsynth.api.archives import fetch_isic as fetch_isic
    from dermsynth.api.audit import audit as audit
    from dermsynth.api.data import open_dataset as open_dataset
    from dermsynth.api.data import phantom as phantom
    from dermsynth.api.evaluation import evaluate as evaluate
    from dermsynth.api.evaluation import extractor as extractor
    from dermsynth.api.gate import gate as gate
    from dermsynth.api.generators import generate as generate
    from dermsynth.api.generators import load_generator as load_generator
    from dermsynth.api.generators import translate as translate
    from dermsynth.api.importing import import_csv as import_csv
    from dermsynth.api.importing import import_folder as import_folder
    from dermsynth.api.latents import compare_directions as compare_directions
    from dermsynth.api.latents import edit_set as edit_set
    from dermsynth.api.latents import perceptual as perceptual
    from dermsynth.api.layouts import import_layout as import_layout
    from dermsynth.api.layouts import layouts as layouts
    from dermsynth.api.preparation import edit_maps as edit_maps
    from dermsynth.api.preparation import patches as patches
    from dermsynth.api.release import export as export
    from dermsynth.api.release import methods as methods
    from dermsynth.api.release import verify as verify
    from dermsynth.api.reports import gallery as gallery
    from dermsynth.api.reports import report as report
    from dermsynth.api.training import ImageChoices as ImageChoices
    from dermsynth.api.training import LoopChoices as LoopChoices
    from dermsynth.api.training import train as train
    from dermsynth.api.training_cost import training_cost as training_cost
    from dermsynth.errors import BadImage as BadImage
    from dermsynth.errors import DiskError as DiskError
    from dermsynth.errors import Stopped as Stopped
    from dermsynth.errors import UserError as UserError
    from dermsynth.evaluation.copy_detection import CopyGate as CopyGate
    from dermsynth.latents.discovery import directions as directions
    from dermsynth.latents.edits import edit as edit
    from dermsynth.latents.inversion import invert as invert
    from dermsynth.parallel import use_workers as use_workers
    from dermsynth.study.analysis import analyse_study as analyse_study
    from dermsynth.study.choices import analyse_choices as analyse_choices
    from dermsynth.study.create import create_study as create_study
    from dermsynth.training.callbacks import Callback as Callback
    from dermsynth.utility.usefulness import utility as utility

__version__ = "0.1.0"

for _package in (
    "artefacts",
    "export",
    "report",
    "utility",
):  # packages that share a public name: loaded once, so the name is free
    import_module(f"dermsynth.{_package}")
    del globals()[_package]

_MODULES = {"artefacts": "dermsynth.api.artefacts", "metrics": "dermsynth.metrics"}
_PLACES = {
    "api.advice": ("advise",),
    "api.archives": ("fetch_isic",),
    "api.audit": ("audit",),
    "api.data": ("open_dataset", "phantom"),
    "api.evaluation": ("evaluate", "extractor"),
    "api.gate": ("gate",),
    "api.generators": ("generate", "load_generator", "translate"),
    "api.importing": ("import_csv", "import_folder"),
    "api.latents": ("compare_directions", "edit_set", "perceptual"),
    "api.layouts": ("import_layout", "layouts"),
    "api.preparation": ("edit_maps", "patches"),
    "api.release": ("export", "methods", "verify"),
    "api.reports": ("gallery", "report"),
    "api.training": ("ImageChoices", "LoopChoices", "train"),
    "api.training_cost": ("training_cost",),
    "training.callbacks": ("Callback",),
    "errors": ("BadImage", "DiskError", "Stopped", "UserError"),
    "evaluation.copy_detection": ("CopyGate",),
    "latents.discovery": ("directions",),
    "latents.edits": ("edit",),
    "latents.inversion": ("invert",),
    "parallel": ("use_workers",),
    "study.analysis": ("analyse_study",),
    "study.choices": ("analyse_choices",),
    "study.create": ("create_study",),
    "utility.usefulness": ("utility",),
}
_HOMES = {name: f"dermsynth.{module}" for module, names in _PLACES.items() for name in names}
__all__ = [
    "BadImage",
    "Callback",
    "CopyGate",
    "DiskError",
    "ImageChoices",
    "LoopChoices",
    "Stopped",
    "UserError",
    "advise",
    "analyse_choices",
    "analyse_study",
    "artefacts",
    "audit",
    "compare_directions",
    "create_study",
    "directions",
    "edit",
    "edit_maps",
    "edit_set",
    "evaluate",
    "export",
    "extractor",
    "fetch_isic",
    "gallery",
    "gate",
    "generate",
    "import_csv",
    "import_folder",
    "import_layout",
    "invert",
    "layouts",
    "load_generator",
    "methods",
    "metrics",
    "open_dataset",
    "patches",
    "perceptual",
    "phantom",
    "report",
    "train",
    "training_cost",
    "translate",
    "use_workers",
    "utility",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The public object of this name, imported now (PEP 562)."""
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'dermsynth' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
