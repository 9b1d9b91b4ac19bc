"""The protocol of a study: which images raters see and what they are asked; a small file, checked when it is read."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dermsynth.errors import UserError
from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.texts import LANGUAGES, catalogue

BUILT_IN = ("baur", "furger", "rosen", "quartet", "pairs", "generators")
Kind = Literal["real", "synthetic"]
MOST_PICTURES = 6
"""Pictures shown together."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class Strict(BaseModel):
    """Unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Images(Strict):
    """How many images of a kind, and which.

    `label` asks for one class; `each_label` for as many of every class. `where` and `exclude` name columns of `metadata.csv`
    and a value. `selection` is `random`, `similar` (those that look most like another class) or `listed` (the file names in
    `names`).
    """

    kind: Kind
    count: int = Field(gt=0, le=5000)
    label: str = ""
    each_label: bool = False
    where: dict[str, str] = {}
    exclude: dict[str, str] = {}
    selection: Literal["random", "similar", "listed"] = "random"
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if (self.selection == "listed") != bool(self.names):
            raise ValueError("`names` goes with selection = 'listed'")
        if self.names and self.count > len(set(self.names)):
            raise ValueError(f"count = {self.count}, but {len(set(self.names))} different `names`")
        if self.label and self.each_label:
            raise ValueError("`label` and `each_label` exclude each other")
        return self


class Condition(Strict):
    """A set of images; `per_label` makes one such set of every class, as FURGER's four."""

    name: Name
    images: tuple[Images, ...] = Field(min_length=1)
    per_label: bool = False


class Sets(Strict):
    """Pictures that are shown together, of which raters choose one: so many sets of so many `pictures`.

    With `real` exactly one of them is a photograph, and the others are of the generators in turn; without, all are synthetic, of
    different generators where there are as many. All pictures of a set are of one class; `label` asks for one class in all sets.
    """

    count: int = Field(gt=0, le=2000)
    pictures: int = Field(default=4, ge=2, le=MOST_PICTURES)
    real: bool = True
    label: str = ""


class Question(Strict):
    """One question an image: `kind` (real or synthetic), `choice` from options, `scale` from low to high, or `text`.

    Of pictures shown together: `position`, which of them.
    """

    name: Name
    type: Literal["kind", "choice", "scale", "text", "position"]
    text: dict[str, str] = {}
    options: tuple[str, ...] = ()
    option_texts: dict[str, dict[str, str]] = {}
    low: int = 1
    high: int = 5
    required: bool = True

    @model_validator(mode="after")
    def _options(self) -> Self:
        if (self.type == "choice") != bool(self.options):
            raise ValueError("`options` goes with type = 'choice'")
        if self.type == "scale" and not 0 <= self.low < self.high <= 10:
            raise ValueError(f"a scale from {self.low} to {self.high}: write 0 <= low < high <= 10")
        if self.name in RESERVED:
            raise ValueError(f"a question cannot be named {self.name!r}")
        if self.name == "certainty" and self.type != "scale":
            raise ValueError("`certainty` must be a scale")
        if not set(LANGUAGES) & set(self.text) and self.name not in KNOWN:
            raise ValueError(f"question {self.name!r} has no `text` in {' or '.join(LANGUAGES)}")
        return self

    def accepts(self, value: str, pictures: int = 1) -> bool:
        """Whether a submitted value is one of the answers; none is one where the question is not required.

        `pictures` is how many are shown together.
        """
        if not value.strip():
            return not self.required
        if self.type == "position":
            return value in positions(pictures)
        if self.type == "kind":
            return value in (REAL, SYNTHETIC)
        if self.type == "choice":
            return value in self.options
        if self.type == "scale":
            return value.isascii() and value.isdigit() and self.low <= int(value) <= self.high
        return len(value) <= LONGEST_TEXT


def positions(pictures: int) -> tuple[str, ...]:
    """Answers to which of so many pictures: 1 is the first of the upper row."""
    return tuple(str(number) for number in range(1, pictures + 1))


RESERVED = (
    "rater", "group", "years", "excluded", "finished", "item", "truth", "label", "condition", "position", "repeat",
    "attention", "shown", "chosen",
    "answer", "seconds", "views", "revisions", "received", "positive", "form", "nonce", "shown_ms", "hidden_ms", "answered_ms",
    "window_width", "window_height", "zoom", "pixel_ratio",
)  # fmt: skip
"""Names of columns of the answers and of fields of the pages, which questions must not have."""
KNOWN = ("kind", "which", "diagnosis", "certainty", "quality", "remark")
"""Questions whose words are in the catalogue."""
LONGEST_TEXT = 2000


class Protocol(Strict):
    """A reader study: images one at a time, in `conditions`, or several at a time, in `sets`.

    `positive` is the kind whose recognition counts as a hit. `exposure_ms` hides an image after so long (0: never). `repeats`
    images are shown to a rater a second time, `attention` trials ask for a given answer, `examples` of either kind are
    shown with the truth before the start. A rater sees `conditions_each` of the conditions, in random order where
    `order` is `random`, one condition after the other where it is `blocked`.
    """

    title: dict[str, str]
    positive: Kind = "real"
    conditions: tuple[Condition, ...] = ()
    sets: Sets | None = None
    questions: tuple[Question, ...] = Field(min_length=1)
    groups: tuple[Name, ...] = Field(min_length=1)
    group_texts: dict[str, dict[str, str]] = {}
    languages: tuple[Literal["en", "de"], ...] = ("en", "de")
    order: Literal["random", "blocked"] = "random"
    conditions_each: int = Field(default=1, ge=1)
    exposure_ms: int = Field(default=0, ge=0, le=60_000)
    back: bool = False
    feedback: bool = False
    repeats: int = Field(default=0, ge=0, le=100)
    attention: int = Field(default=0, ge=0, le=10)
    examples: int = Field(default=0, ge=0, le=20)
    comments: bool = True
    consent: dict[str, str] = {}
    size: int = Field(default=0, ge=0, le=2048)

    @model_validator(mode="after")
    def _check_questions(self) -> Self:
        self._check_sets()
        self._check_groups()
        if (
            self.conditions
            and self.conditions_each > len(self.conditions)
            and not any(c.per_label for c in self.conditions)
        ):
            raise ValueError(f"conditions_each = {self.conditions_each}, but {len(self.conditions)} conditions")
        names = [question.name for question in self.questions]
        if len(set(names)) < len(names):
            raise ValueError("two questions have one name")
        if self.exposure_ms and self.back:
            raise ValueError("an image that is hidden after a while cannot be gone back to: exposure_ms or back")
        return self

    def _check_sets(self) -> None:
        """Conditions and a question of the kind, or sets and a question of the position."""
        if bool(self.conditions) == bool(self.sets):
            raise ValueError("either `conditions` (images one at a time) or `sets` (several at a time)")
        wanted, other = ("position", "kind") if self.sets else ("kind", "position")
        types: list[str] = [question.type for question in self.questions]
        if types.count(wanted) != 1 or other in types:
            raise ValueError(f"exactly one question must have the type {wanted!r}, and none the type {other!r}")
        without = {"conditions_each", "order", "positive"} & self.model_fields_set if self.sets else set()
        if without:
            raise ValueError(f"`{min(without)}` is of images shown one at a time; leave it out with `sets`")
        if self.sets and self.examples:
            raise ValueError("`examples` are of images shown one at a time; leave them out with `sets`")
        if self.sets and not self.sets.real and self.feedback:
            raise ValueError("without a photograph in the sets nobody can be right: leave `feedback` out")
        if "conditions" in self.model_fields_set and "positive" not in self.model_fields_set:
            raise ValueError("positive: say which kind counts as a hit, real or synthetic")

    def _check_groups(self) -> None:
        for group in self.groups:
            if f"group_{group}" not in catalogue() and group not in self.group_texts:
                raise ValueError(f"group {group!r} has no words: add [group_texts.{group}]")

    @model_validator(mode="after")
    def _check_languages(self) -> Self:
        texts = (self.title, self.consent, *(question.text for question in self.questions))
        for text in texts:
            missing = [language for language in self.languages if text and language not in text]
            if missing:
                raise ValueError(f"a text is missing in {', '.join(missing)}: {next(iter(text.values()))[:40]!r}")
        return self

    @property
    def needs_labels(self) -> bool:
        """Whether images of single classes are asked for."""
        return any(
            condition.per_label or any(rule.each_label for rule in condition.images) for condition in self.conditions
        )

    @property
    def kind_question(self) -> str:
        """Name of the question that asks for real or synthetic, or which of the pictures."""
        return next(q.name for q in self.questions if q.type in ("kind", "position"))

    @property
    def consent_key(self) -> str:
        """Which words raters agree to, where the protocol has none of its own."""
        return "consent_text_generated" if self.sets and not self.sets.real else "consent_text"

    @property
    def pictures(self) -> int:
        """How many are shown together."""
        return self.sets.pictures if self.sets else 1


def protocol_text(place: str) -> str:
    """The text of a protocol: a built-in one by name (baur, furger, rosen, quartet, pairs, generators), or a TOML file.

    Raises UserError for another name that is no readable file.
    """
    if place in BUILT_IN:
        return (files("dermsynth.study") / "protocols" / f"{place}.toml").read_text(encoding="utf-8")
    try:
        return Path(place).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`protocol` {place!r}: neither {', '.join(BUILT_IN)} nor a readable file") from error


def parse_protocol(text: str, place: str) -> Protocol:
    """A protocol from its text; `place` is what messages name.

    Raises UserError with the place in the text and what is wrong there.
    """
    try:
        return Protocol.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{place}: not TOML ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{place}: {where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from error
