"""The data card of a release: front matter that Hugging Face reads, and the seven Cs of a synthetic medical data card.

References
----------
Zamzmi et al. (2025), Scorecard for synthetic medical data evaluation, Communications Engineering 4, 130.
"""

import html
import re
from functools import cache

from jinja2 import Environment, PackageLoader, Template

from dermsynth import __version__
from dermsynth.data.dataset import DataSet
from dermsynth.data.folder import METADATA
from dermsynth.evaluation.results import Evaluation
from dermsynth.export.features import features_of
from dermsynth.export.licences import Terms, hub_licence, licence_address
from dermsynth.export.origins import kind_of, personal_columns, what_labels_are, what_of_copies, what_they_are
from dermsynth.metrics.registry import METRICS

CARD = "README.md"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(data_set: DataSet, evaluation: Evaluation | None, terms: Terms, name: str) -> str:
    """The data card in Markdown of an exported set called `name`."""
    count, step = len(data_set.table), data_set.provenance.history[-1]
    figures = [] if evaluation is None else evaluation.on_card
    return _template().render(
        name=name,
        count=count,
        what=what_they_are(data_set),
        kind=kind_of(data_set.provenance.generator),
        labels=what_labels_are(data_set),
        size=next((text for bound, text in SIZES if count < bound), "n>1M"),
        classes={label: data_set.count(label) for label in data_set.classes},
        features=features_of(data_set.folder / METADATA),
        columns=list(data_set.table),
        licences=sorted({hub_licence(licence) for licence in terms.licence}),
        address=licence_address,
        terms=terms,
        claim=data_set.provenance.generator.claim,
        generator=data_set.provenance.generator,
        hash=data_set.content_hash,
        evaluation=evaluation,
        lights={} if evaluation is None else {line.question: line for line in evaluation.verdict},
        congruence=[figure for figure in figures if METRICS[figure.id].question != "diversity"],
        coverage=[figure for figure in figures if METRICS[figure.id].question == "diversity"],
        consistency={} if evaluation is None else evaluation.class_verdicts,
        copies=what_of_copies(step),
        checked=step.checked_for_copies,
        why="" if evaluation is None else evaluation.copying_refused,
        gate=data_set.provenance.copy_gate,
        signed=step.signed,
        personal=personal_columns(data_set),
        tones={} if evaluation is None else evaluation.skin_tones,
        tones_measured={} if evaluation is None else evaluation.skin_tones_measured,
        blanks=_blanks(data_set),
        version=__version__,
    )


@cache
def _template() -> Template:
    """The card's template, compiled once in a process."""
    environment = Environment(loader=PackageLoader("dermsynth.export"), trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = markdown_text
    return environment.get_template("data_card.md")


def _blanks(data_set: DataSet) -> dict[str, int]:
    """How many rows of each column are blank, of those columns that have any value."""
    counts = {str(column): int((data_set.table[column] == "").sum()) for column in data_set.table.columns}
    return {column: blank for column, blank in counts.items() if blank < len(data_set.table)}


def markdown_text(value: object) -> str:
    """A value that stands in Markdown as it is, also in a cell of a table: no markup, no HTML, one line."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(str(value).split()), quote=False))
