"""The paragraph on methods that a paper needs, and what reporting guidelines ask for, filled from files alone."""

import csv
import io
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from dermsynth.errors import UserError
from dermsynth.evaluation.results import Evaluation, read_evaluation
from dermsynth.io import write_text
from dermsynth.records import Record
from dermsynth.report.facts import Fact, Facts, facts_of
from dermsynth.training.checkpoints import checkpoints
from dermsynth.utility.experiment import read_result

UNKNOWN = "not known"
COLUMNS = ("guideline", "number", "section", "topic", "text", "file")


class Item(Record):
    """What a guideline asks for, the answer of the files (`not known` where they have none), and which files.

    `number` is that of the guideline's item.
    """

    guideline: str
    number: str
    section: str
    topic: str
    text: str
    file: str = ""

    @property
    def known(self) -> bool:
        """Whether a file answers it."""
        return self.text != UNKNOWN


class Methods(Record):
    """The methods of a run, as its files tell them.

    Attributes
    ----------
    run
        Name of the run.
    paragraphs
        Heading and text of each part: data, preparation, generator, synthetic images, figures, software.
    items
        What CLEAR Derm and STARD-AI ask for.
    """

    run: str
    paragraphs: tuple[tuple[str, str], ...]
    items: tuple[Item, ...]

    def text(self) -> str:
        """The paragraphs in Markdown."""
        known = sum(item.known for item in self.items)
        parts = [f"**{heading}.** {text}" for heading, text in self.paragraphs]
        note = (
            f"Written from files by dermsynth; '{UNKNOWN}' stands where no file says it. Files answer {known} of "
            f"{len(self.items)} items of CLEAR Derm and STARD-AI; the others are the authors' to write."
        )
        return "\n\n".join([f"# Methods of {self.run}", *parts, note]) + "\n"

    def table(self) -> str:
        """The items as CSV: guideline, number, section, topic, text, file."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(item, column) for column in COLUMNS] for item in self.items)
        return buffer.getvalue()

    def save(self, path: Path | str) -> Path:
        """Write the paragraphs into `path` (.md or .txt), and the items into a CSV file beside it.

        Raises UserError for another ending.
        """
        path = Path(path)
        if path.suffix not in (".md", ".txt"):
            raise UserError(f"`methods` {path}: must end in .md or .txt")
        write_text(path, self.text())
        write_text(path.with_suffix(".csv"), self.table())
        return path


def methods_of(
    run: Path, *, data: Path | None = None, evaluations: Sequence[Path] = (), utility: Path | None = None
) -> Methods:
    """The methods of a run.

    Raises UserError when `run` is no run, `data` another set, or a folder holds no result.
    """
    results = [_evaluation(folder, run) for folder in evaluations]
    facts = facts_of(run, data, results, utility)
    if utility is not None:
        _require_same_images(utility, results)
    return Methods(run=run.name, paragraphs=tuple(_paragraphs(facts)), items=tuple(checklist(facts)))


def _evaluation(folder: Path, run: Path) -> Evaluation:
    """A whole evaluation of a set that the run made."""
    result = read_evaluation(folder)
    if result.brief:
        raise UserError(f"`evaluation` {folder}: a brief evaluation; run dermsynth evaluate without --brief")
    if result.synthetic.generator.checkpoint not in {checkpoint.hash for checkpoint in checkpoints(run)}:
        raise UserError(f"`evaluation` {folder}: of a set that no checkpoint of {run} made")
    return result


def _require_same_images(utility: Path, results: Sequence[Evaluation]) -> None:
    """Raise UserError for a utility experiment with another synthetic set than those evaluated."""
    tested = read_result(utility).settings.synthetic.content_hash
    if results and tested not in {result.synthetic.content_hash for result in results}:
        raise UserError(f"`utility` {utility}: an experiment with another synthetic set than the evaluated one")


def _paragraphs(facts: Facts) -> list[tuple[str, str]]:
    def says(key: str) -> str:
        return facts.get(key, Fact()).text or UNKNOWN

    return [
        (
            "Data",
            f"Source: {says('source')} ({says('data hash')}). Licence: {says('licence')}; attribution: {says('attribution')}. "
            f"Images: {says('images')}; classes: {says('classes')}; groups: {says('groups')}. Types of image: "
            f"{says('image types')}; confirmation of diagnoses: {says('confirmation')}. Patients: {says('people')}; skin tone: "
            f"{says('skin tone')}.",
        ),
        ("Splits", f"Images by split: {says('partitions')}. The generator was {says('split')}."),
        ("Preparation", f"{_sentence(says('preprocessing'))}. Artefacts: {says('artefacts')}."),
        (
            "Generator",
            f"{says('generator')}. Length: {says('length')}; {says('seed')}; {says('time')}. Weights: {says('checkpoint')}. "
            f"Settings: {says('settings')}.",
        ),
        ("Synthetic images", f"{_sentence(says('synthetic'))}. Copies: {says('copies')}."),
        (
            "Figures",
            f"{_sentence(says('figures'))}. Lights of the verdict: {says('lights')}. Label fidelity: {says('label fidelity')}. "
            f"Skin tones on both sides: {says('tones')}.",
        ),
        ("Use for a classifier", _use(facts)),
        ("Software", f"Versions: {says('versions')}."),
    ]


def _use(facts: Facts) -> str:
    """The classifiers of a utility experiment and what they gained."""
    if "utility" not in facts:
        return f"{_sentence(UNKNOWN)}."
    texts = {
        key: facts.get(key, Fact()).text or UNKNOWN
        for key in ("classifier", "classifier images", "utility", "accuracy")
    }
    return (
        f"{_sentence(texts['classifier'])}. Images: {texts['classifier images']}. {_sentence(texts['utility'].rstrip('.'))}. "
        f"Accuracy: {texts['accuracy']}."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def checklist(facts: Facts) -> list[Item]:
    """What the guidelines ask for, with what the facts answer."""
    return [_item(name, row, facts) for name, row in guideline_rows()]


def guideline_rows() -> list[tuple[tuple[str, str], list[Any]]]:
    """Guideline and section of each item, and its row in the table: number, topic, keys of the facts that answer it."""
    sections = tomllib.loads(_table())
    return [
        ((guideline, section), row)
        for guideline, parts in sections.items()
        for section, rows in parts.items()
        for row in rows
    ]


def _table() -> str:
    return (files("dermsynth.report") / "checklists.toml").read_text(encoding="utf-8")


def _item(name: tuple[str, str], row: list[Any], facts: Facts) -> Item:
    (guideline, section), (number, topic, keys) = name, row
    answers = [facts[key] for key in keys if key in facts]
    text = "; ".join(answer.text for answer in answers) or UNKNOWN
    names = ", ".join(dict.fromkeys(answer.file for answer in answers))
    return Item(guideline=guideline, number=number, section=section, topic=topic, text=text, file=names)
