"""What a data set holds and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.api.places import open_named
from dermsynth.artefacts.bias import Bias, NoBias, artefact_bias, bias_findings
from dermsynth.data.audit import Audit, as_json, as_text
from dermsynth.data.audit import audit as audit_images
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import Data, DataSet
from dermsynth.data.feature_twins import Network
from dermsynth.errors import UserError, require_path, require_seed
from dermsynth.io import write_json, write_text
from dermsynth.report.audit_report import bias_tables, flag_texts, write_audit_report
from dermsynth.values import as_tuple

if TYPE_CHECKING:
    from dermsynth.backbones.extractors import Extractor

PAIRS = "_pairs.csv"
"""End of the name of the table of near-duplicates beside a page."""
LESION_SIDE = 64
"""Pixels a side at which lesions are compared: the distance below which two are the same was found at it."""


@dataclass(frozen=True)
class AuditResult:
    """What a data set holds and what is wrong with it.

    `content` has the tables of classes, sizes, splits, columns and duplicates; `bias` says how much artefacts alone reveal of
    the label, or is None, and then `bias_refused` says why.
    """

    content: Audit
    bias: Bias | None
    bias_refused: str = ""

    def __repr__(self) -> str:
        return f"AuditResult({self.content.data_set!r}; {len(self.findings)} findings)"

    @property
    def findings(self) -> tuple[str, ...]:
        """What should be looked at, a sentence each."""
        return self.content.findings

    def to_frame(self) -> pd.DataFrame:
        """A row a finding."""
        return pd.DataFrame({"finding": self.findings})

    def text(self) -> str:
        """The tables and findings for a terminal."""
        parts = [as_text(self.content)]
        for title, table in bias_tables(self.bias) if self.bias is not None else []:
            if len(table):
                parts.append(f"\n{title}\n{table.to_string(index=False)}")
        if self.bias_refused:
            parts.append(f"\nartefacts: {self.bias_refused}")
        return "\n".join(parts)

    def save(self, page: Path | str, *, photographs: bool = True) -> Path:
        """Write an HTML page, the same as JSON beside it, and a CSV of the near-duplicates where there are any.

        Without `photographs` no image of the set is on the page.
        """
        path = require_path(page, "page")
        pairs = self.content.duplicates
        if len(pairs):
            write_text(path.with_name(f"{path.stem}{PAIRS}"), pairs.to_csv(index=False))
        write_audit_report(self.content, path, self.bias, photographs=photographs, refused=self.bias_refused)
        write_json(path.with_suffix(".json"), self._values())
        return path

    def save_exclusions(self, table: Path | str) -> Path:
        """Write which image of each pair of near-duplicates is left out, as a CSV that an import takes as `leave_out`."""
        path = require_path(table, "table")
        write_text(path, self.content.exclusions.to_csv(index=False))
        return path

    def _values(self) -> dict[str, Any]:
        content = {**as_json(self.content), "flags": flag_texts(self.content)}
        if self.bias is None:
            return {**content, "artefacts": {"confirmed": [], "refused": self.bias_refused}}
        bias = {"told": self.bias.predictive, "ratios": self.bias.ratios, "tones": self.bias.tones}
        tables = {name: table.to_dict("records") for name, table in bias.items()}
        confirmed = [{**asdict(trust), "passes": trust.passes} for trust in self.bias.trust]
        return {**content, "artefacts": {**tables, "confirmed": confirmed}}


def audit(
    data: Data,
    *,
    also: Data | Sequence[Data] = (),
    extractor: "str | Extractor" = "",
    same_lesions: bool = False,
    seed: int = 0,
    jobs: int | None = None,
) -> AuditResult:
    """Look at a data set before training: classes, sizes, broken images, masks, duplicates, leaks between splits, artefacts.

    Parameters
    ----------
    data : DataSet, Path or str
        The data set.
    also : DataSet, Path, str, or sequence of them
        Further data sets: which of their photographs does this one hold too?
    extractor : str or Extractor
        A network by whose features near-duplicates are looked for, too: ``lite0`` (EfficientNet-Lite0, of the extra
        ``efficientnet``), ``mobilenet=FILE``, ``timm:NAME=FILE`` and the others of `extractor`. By default hashes alone.
    same_lesions : bool
        Whether to look for lesions that were photographed more than once, in any pose and light: about a quarter of a second an
        image. Such pairs count as one group.
    seed : int
        Seed of the folds with which columns are tested for what they reveal of the label, at least 0.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    AuditResult
        ``findings`` (sentences), ``to_frame()``, ``text()``, ``save(page)`` for an HTML page, and ``save_exclusions(table)`` for
        the near-duplicates that are better left out.

    Raises
    ------
    UserError
        The folder is no data set, the extractor is not understood, or `also` names the set itself.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.audit("data", jobs=1)
    >>> result.content.classes["images"].sum()
    np.int64(600)
    >>> result.save("audit.html").exists()
    True
    """
    require_seed(seed)
    data_set = open_named(data, "data")
    others = _others(data_set, also)
    network = _network(extractor) if extractor else None
    lesions = partial(_lesion_pairs, jobs=jobs) if same_lesions else None
    content = audit_images(data_set, also=others, network=network, lesions=lesions, jobs=jobs, seed=seed)
    try:
        bias = artefact_bias(data_set, seed)
    except NoBias as error:
        return AuditResult(content, None, str(error))
    return AuditResult(content.with_findings(bias_findings(bias, data_set.folder)), bias)


def _others(data_set: DataSet, also: Data | Sequence[Data]) -> tuple[DataSet, ...]:
    """The further sets, open; none of them is the set itself."""
    several: tuple[Data, ...] = (also,) if isinstance(also, DataSet) else as_tuple(also)
    others = tuple(open_named(place, "also") for place in several)
    for other in others:
        if other.folder.resolve() == data_set.folder.resolve():
            raise UserError(f"`also` {other.folder}: the audited set itself; name another one")
    return others


def _lesion_pairs(data_set: DataSet, jobs: int | None) -> NDArray[np.int64]:
    from dermsynth.evaluation.copy_poses import lesion_pairs

    return lesion_pairs(np.asarray(decode_images(data_set, Decoding(LESION_SIDE, LESION_SIDE), jobs=jobs)), jobs)


def _network(extractor: "str | Extractor") -> Network:
    from dermsynth.backbones.extractors import load_extractor  # torch takes a second to load
    from dermsynth.evaluation.feature_cache import whole_features

    loaded = load_extractor(extractor) if isinstance(extractor, str) else extractor
    return Network(loaded.name, partial(whole_features, extractor=loaded))
