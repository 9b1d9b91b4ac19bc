"""What a data set holds and what is wrong with it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dermsynth.api.places import open_named
from dermsynth.artefacts.bias import Bias, NoBias, artefact_bias, bias_findings
from dermsynth.data.audit import Audit, as_json, as_text
from dermsynth.data.audit import audit as audit_images
from dermsynth.data.dataset import Data
from dermsynth.errors import require_path, require_seed
from dermsynth.io import write_json
from dermsynth.report.audit_report import bias_tables, flag_texts, write_audit_report


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
        """Write an HTML page, and the same as JSON beside it; without `photographs` no image of the set is on the page."""
        path = require_path(page, "page")
        write_audit_report(self.content, path, self.bias, photographs=photographs, refused=self.bias_refused)
        write_json(path.with_suffix(".json"), self._values())
        return path

    def _values(self) -> dict[str, Any]:
        content = {**as_json(self.content), "flags": flag_texts(self.content)}
        if self.bias is None:
            return {**content, "artefacts": {"confirmed": [], "refused": self.bias_refused}}
        bias = {"told": self.bias.predictive, "ratios": self.bias.ratios, "tones": self.bias.tones}
        tables = {name: table.to_dict("records") for name, table in bias.items()}
        confirmed = [{**asdict(trust), "passes": trust.passes} for trust in self.bias.trust]
        return {**content, "artefacts": {**tables, "confirmed": confirmed}}


def audit(data: Data, *, seed: int = 0, jobs: int | None = None) -> AuditResult:
    """Look at a data set before training: classes, sizes, broken images, masks, duplicates, leaks between splits, artefacts.

    Parameters
    ----------
    data : DataSet, Path or str
        The data set.
    seed : int
        Seed of the folds with which columns are tested for what they reveal of the label, at least 0.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    AuditResult
        ``findings`` (sentences), ``to_frame()``, ``text()``, and ``save(page)`` for an HTML page.

    Raises
    ------
    UserError
        The folder is no data set.

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
    content = audit_images(data_set, jobs=jobs, seed=seed)
    try:
        bias = artefact_bias(data_set, seed)
    except NoBias as error:
        return AuditResult(content, None, str(error))
    return AuditResult(content.with_findings(bias_findings(bias, data_set.folder)), bias)
