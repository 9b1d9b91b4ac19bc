"""What an image shows, drawn at random: skin, lesion, markers, artefacts and the class that follows from the lesion."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dermsynth.errors import UserError

CLASSES = ("nevus", "melanoma", "seborrheic_keratosis")
MARKERS = ("pigment_network", "negative_network", "streaks", "milia_like_cyst", "globules")
ARTEFACTS = ("hair", "ruler", "frame", "ink", "sticker")
CLASS_SHARES = (0.6, 0.25, 0.15)
ARTEFACT_SHARES = {"hair": 0.4, "ruler": 0.2, "frame": 0.2, "ink": 0.08, "sticker": 0.06}
MARKER_SHARES = {
    "nevus": {
        "pigment_network": 0.55, "negative_network": 0.06, "streaks": 0.06, "milia_like_cyst": 0.12, "globules": 0.4,
    },
    "melanoma": {
        "pigment_network": 0.55, "negative_network": 0.3, "streaks": 0.45, "milia_like_cyst": 0.12, "globules": 0.4,
    },
    "seborrheic_keratosis": {
        "pigment_network": 0.05, "negative_network": 0.06, "streaks": 0.06, "milia_like_cyst": 1.0, "globules": 0.1,
    },
}  # fmt: skip
MALIGNANT_SCORE, CYSTS_OF_KERATOSIS = 1.2, 6


@dataclass(frozen=True)
class PhantomSettings:
    """Size of the images, and the dial that ties an artefact to a class.

    With correlation c >= 0 the artefact occurs with probability b + c (1 - b) in the class and b (1 - c) in the
    others, where b is its usual share; c = 1 makes the artefact equal to the class, c < 0 keeps them apart.
    """

    height: int = 64
    width: int = 64
    artefact: str = "frame"
    tied_to: str = "melanoma"
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if self.artefact not in ARTEFACTS:
            raise UserError(f"`artefact` {self.artefact!r}: unknown; there are: {', '.join(ARTEFACTS)}")
        if self.tied_to not in CLASSES:
            raise UserError(f"`tied_to` {self.tied_to!r}: unknown; there are: {', '.join(CLASSES)}")
        if not -1 <= self.correlation <= 1:
            raise UserError(f"`correlation` {self.correlation}: must lie between -1 and 1")
        if not 16 <= min(self.height, self.width) <= max(self.height, self.width) <= 4096:
            raise UserError(f"`resolution` {self.width}x{self.height}: sides must lie between 16 and 4096")

    def artefact_probability(self, artefact: str, label: str) -> float:
        """Probability of an artefact in an image of a class."""
        share = ARTEFACT_SHARES[artefact]
        if artefact != self.artefact:
            return share
        toward = self.correlation if label == self.tied_to else -self.correlation
        return share + toward * (1 - share) if toward >= 0 else share * (1 + toward)


@dataclass(frozen=True)
class Parameters:
    """Everything a rendering depends on. Lengths are shares of the shorter side, colours are optical densities."""

    seed: int
    ita: float
    redness: float
    centre: tuple[float, float]
    radius: float
    elongation: float
    angle: float
    asymmetry: float
    irregularity: float
    colours: int
    density: float
    sharpness: float
    markers: tuple[str, ...]
    cysts: int
    artefacts: tuple[str, ...]

    @property
    def score(self) -> float:
        """A, B and C of the ABCD rule as one number: asymmetry, border irregularity and number of colours."""
        return self.asymmetry + self.irregularity + 0.25 * (self.colours - 1)

    @property
    def label(self) -> str:
        """The class, a function of the lesion alone: many cysts and a low score, a high score, or neither."""
        if self.score >= MALIGNANT_SCORE:
            return "melanoma"
        return "seborrheic_keratosis" if self.cysts >= CYSTS_OF_KERATOSIS else "nevus"

    def columns(self) -> dict[str, Any]:
        """What the data set's table says of the image."""
        numbers = {k: v for k, v in asdict(self).items() if isinstance(v, float)}
        rounded = {k: f"{v:.4f}" for k, v in numbers.items()}
        present = {name: int(name in self.markers) for name in MARKERS}
        artefacts = {name: int(name in self.artefacts) for name in ARTEFACTS}
        return {**rounded, "colours": self.colours, "cysts": self.cysts, **present, **artefacts}


def draw_parameters(seed: int, settings: PhantomSettings) -> Parameters:
    """Draw one image's parameters; the same seed and settings give the same image on every machine."""
    generator = np.random.default_rng([seed, 7])
    label = CLASSES[int(np.searchsorted(np.cumsum(CLASS_SHARES), generator.random() * sum(CLASS_SHARES)))]
    while True:
        candidate = _draw_lesion(generator, seed, label)
        if candidate.label == label:
            break
    artefacts = tuple(
        name for name in ARTEFACTS if generator.random() < settings.artefact_probability(name, candidate.label)
    )
    return Parameters(**{**asdict(candidate), "artefacts": artefacts})


def _draw_lesion(g: np.random.Generator, seed: int, label: str) -> Parameters:
    malignant = label == "melanoma"
    keratosis = label == "seborrheic_keratosis"
    chances = MARKER_SHARES[label]
    markers = tuple(name for name in MARKERS if g.random() < chances[name])
    cysts = int(g.integers(6, 16) if keratosis else g.integers(1, 5)) if "milia_like_cyst" in markers else 0
    return Parameters(
        seed=seed,
        ita=float(np.clip(g.normal(42, 18), -40, 68)),
        redness=float(g.uniform(7, 15)),
        centre=(float(g.normal(0.5, 0.045)), float(g.normal(0.5, 0.045))),
        radius=float(g.uniform(0.17, 0.40)),
        elongation=float(g.uniform(1.0, 1.6)),
        angle=float(g.uniform(0, np.pi)),
        asymmetry=float(g.beta(4, 2) if malignant else g.beta(2, 6)),
        irregularity=float(g.beta(4, 2.5) if malignant else g.beta(2, 7)),
        colours=int(g.integers(2, 5) if malignant else g.integers(1, 3)),
        density=float(g.uniform(0.6, 1.5) if malignant else g.uniform(0.35, 1.1)),
        sharpness=float(g.uniform(0.6, 1.0) if keratosis else g.uniform(0.15, 0.7)),
        markers=markers,
        cysts=cysts,
        artefacts=(),
    )
