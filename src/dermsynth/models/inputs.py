"""What families are trained on, and make images from beside noise: nothing, semantic maps, or photographs of another label.

A family names its kind of input once (`Model.inputs`). Whoever needs to know asks the kind, not the family.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.paired_sets import domain_set, map_set
from dermsynth.data.training_set import Selection, TrainingSet, held_out_images, training_set
from dermsynth.errors import UserError


@dataclass(frozen=True)
class DataRequest:
    """Which images of a data set a run is trained on.

    `source` and `target` are labels, for families that translate; `superpixels` is for those that take maps; `temperature` is
    1 where classes are shown as often as they occur and 0 where equally often.
    """

    decoding: Decoding
    selection: Selection
    temperature: float = 1.0
    superpixels: bool = False
    source: str = ""
    target: str = ""


@dataclass(frozen=True)
class Conditions:
    """What a family's networks are conditioned on: numbers of classes and of values of a map, and superpixel boundaries."""

    classes: int = 0
    map_values: int = 0
    superpixels: bool = False


class Inputs(ABC):
    """A kind of input."""

    description: str
    """For the list of families: what a data set must hold."""
    verb: str = "generate"
    """The command that makes images of this kind."""
    source: str = ""
    """The argument of that command which names what images are made from; blank where it is noise."""
    from_noise: bool = False
    """Whether an image is a function of seed and label alone."""
    from_maps: bool = False
    translates: bool = False
    """Whether photographs of one label become images of another."""
    masked: bool = False
    """Whether a mask says where a photograph may change."""
    smallest: Conditions = Conditions()
    """Conditions with which the networks can be built without a data set."""

    @abstractmethod
    def training_set(self, data_set: DataSet, request: DataRequest, seed: int) -> TrainingSet:
        """The decoded images of a data set.

        Raises UserError when the data set lacks labels, masks or maps.
        """

    @abstractmethod
    def caption(self, count: int) -> str:
        """What pictures of `count` generated images show, for a report."""

    def held_out(self, data_set: DataSet, request: DataRequest, classes: tuple[str, ...]) -> TrainingSet | None:
        """Validation images of the same kind, or None where there are too few, or the kind has none."""
        return None

    def check(self, family: str, request: DataRequest) -> None:
        """Raise UserError for a choice that does not go with this kind; `family` names the family in the message."""
        translates, labels_named = self.translates, bool(request.source or request.target)
        problems = {
            f"{family} translates between two labels: name them with `source` LABEL `target` LABEL": translates
            and not (request.source and request.target),
            f"`imbalance`: {family} is not shown classes in turn; leave it out": not self.from_noise
            and request.temperature != 1,
            f"`exclude`: {family} is shown the labels of `source` and `target` alone; leave it out": translates
            and bool(request.selection.exclude),
            f"`source`, `target`: {family} does not translate; leave them out": labels_named and not translates,
            f"`superpixels`: {family} takes no maps; leave it out": request.superpixels and not self.from_maps,
        }
        for message, wrong in problems.items():
            if wrong:
                raise UserError(message)


class Images(Inputs):
    """Images, with labels if wanted; generated from noise and a label.

    With `partly`, images without a label are shown, too, as images of a class that is not said.
    """

    from_noise = True

    def __init__(self, *, partly: bool = False) -> None:
        self.partly = partly
        self.description = "images, labels if wanted" + (", not all need one" if partly else "")

    def training_set(self, data_set: DataSet, request: DataRequest, seed: int) -> TrainingSet:
        """The images of the selection, in an order that shows classes as often as the temperature says."""
        selection = replace(request.selection, unlabelled=self.partly)
        return training_set(data_set, request.decoding, selection, temperature=request.temperature, seed=seed)

    def held_out(self, data_set: DataSet, request: DataRequest, classes: tuple[str, ...]) -> TrainingSet | None:
        """The validation split of the same classes."""
        return held_out_images(data_set, request.decoding, request.selection, classes)

    def caption(self, count: int) -> str:
        """Which seeds."""
        return f"generated: seeds 0 to {count - 1}, no truncation, none picked"


class Maps(Inputs):
    """Images with semantic maps or lesion masks; generated from a map, with `labelled` also from the image's label, if any."""

    source = "maps"
    from_maps = True
    smallest = Conditions(map_values=2)

    def __init__(self, *, labelled: bool = False) -> None:
        self.labelled = labelled
        self.description = "images with lesion masks" + (", labels if wanted" if labelled else "")

    def training_set(self, data_set: DataSet, request: DataRequest, seed: int) -> TrainingSet:
        """Images and their maps."""
        chosen = request.selection
        selection = replace(chosen, unlabelled=True) if self.labelled else replace(chosen, conditional=False)
        return map_set(data_set, request.decoding, selection, superpixels=request.superpixels, seed=seed)

    def caption(self, count: int) -> str:
        """Whose maps."""
        return f"the maps of {count} training images, and what was made of each; none picked"


class Domains(Inputs):
    """Images of two labels; photographs of one become images of the other."""

    verb, source = "translate", "input"
    translates = True
    smallest = Conditions(classes=2)

    def __init__(self, *, masked: bool) -> None:
        self.masked = masked
        self.description = "two labels, one with masks" if masked else "two labels"

    def training_set(self, data_set: DataSet, request: DataRequest, seed: int) -> TrainingSet:
        """Images of both labels, and masks where the kind has them."""
        return domain_set(
            data_set,
            request.decoding,
            request.source,
            request.target,
            masks=self.masked,
            split=request.selection.split,
            seed=seed,
        )

    def caption(self, count: int) -> str:
        """Whose photographs."""
        return f"{count} training images, and what was made of each; none picked"


IMAGES, PARTLY_LABELLED = Images(), Images(partly=True)
MAPS, LABELLED_MAPS = Maps(), Maps(labelled=True)
DOMAINS, MASKED_DOMAINS = Domains(masked=False), Domains(masked=True)
