"""Every layout that can be imported: its name, what it is, and how it is read. A published one is one entry here.

Nothing heavy is imported, for the command line lists the layouts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal

from dermsynth.errors import UserError

Place = Literal["folder", "table", "archive"]


@dataclass(frozen=True)
class TableLayout:
    """A published data set whose table names images, labels and groups in columns; the images lie anywhere below a folder.

    Attributes
    ----------
    source, licence
        Name and licences of the data set.
    image, label, group
        Columns with the image's id, its class, and its patient or lesion; all others are kept as they are.
    flag_labels
        Classes of a label column that holds flags, where it does: that of false, that of true.
    """

    source: str
    licence: tuple[str, ...]
    image: str
    label: str
    group: str
    flag_labels: tuple[str, str] | None = None


@dataclass(frozen=True)
class Importer:
    """How a layout is imported.

    Attributes
    ----------
    help
        What it is, for a list of the layouts.
    place
        What is named to be imported: a folder, a table, or an archive of arrays.
    reader
        `module:function` that makes a `Source` of it, or the layout of a table.
    """

    help: str
    place: Place
    reader: str | TableLayout

    def read(self) -> Callable[..., Any]:
        """The function that makes a `Source` of a place."""
        if isinstance(self.reader, TableLayout):
            return partial(import_module(f"{_HOME}.published").from_layout, self.reader)
        module, _, function = self.reader.partition(":")
        function_of_module: Callable[..., Any] = getattr(import_module(f"{_HOME}.{module}"), function)
        return function_of_module


_HOME = "dermsynth.data.importers"
IMPORTERS: dict[str, Importer] = {
    "folder": Importer("A folder of images; sub-folders are labels.", "folder", "generic:from_folder"),
    "csv": Importer("A CSV or Excel file with named columns and the images it names.", "table", "generic:from_csv"),
    "isic": Importer("A metadata export of the ISIC Archive.", "table", "published:from_isic_archive"),
    "ham10000": Importer(
        "HAM10000.", "table", TableLayout("HAM10000", ("CC-BY-NC-4.0",), "image_id", "dx", "lesion_id")
    ),
    "siim2020": Importer(
        "SIIM-ISIC 2020.",
        "table",
        TableLayout("SIIM-ISIC 2020", ("CC-BY-NC-4.0",), "image_name", "target", "patient_id", ("benign", "melanoma")),
    ),
    "isic2018": Importer("ISIC 2018, tasks 1 to 3.", "folder", "isic_challenges:from_isic2018"),
    "ph2": Importer("PH2.", "folder", "published:from_ph2"),
    "medmnist": Importer("A MedMNIST .npz file.", "archive", "medmnist:from_medmnist"),
}
"""Name -> importer. HAM10000: Tschandl et al. 2018; SIIM-ISIC 2020: Rotemberg et al. 2021; PH2: Mendonca et al. 2013; MedMNIST:
Yang et al. 2023."""


def reader(name: str) -> Callable[..., Any]:
    """The function that makes a `Source` of a place in a layout.

    Raises
    ------
    UserError
        For an unknown layout; it says which there are.
    """
    if name not in IMPORTERS:
        raise UserError(f"layout {name!r}: unknown; there are: {', '.join(IMPORTERS)}")
    return IMPORTERS[name].read()
