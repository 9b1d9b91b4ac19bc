"""Results of evaluations from a few numbers, as tests need them."""

from collections.abc import Mapping, Sequence
from typing import Any

from dermsynth.evaluation.results import Evaluation
from dermsynth.metrics.registry import parse_name

SYNTHETIC = {"folder": "made", "images": 8, "content_hash": "s", "classes": (), "generator": {}}
REAL = {
    "folder": "real", "images": 8, "split": "all", "content_hash": "r", "trained_on": 0, "training_set_known": False,
    "classes": (), "left_out": {},
}  # fmt: skip
EXTRACTOR = {
    "name": "inception-v3 (2048)",
    "resizer": "area",
    "identity": "e",
    "comparable_with_published_fid": False,
}


def evaluation(estimates: Sequence[Mapping[str, Any]] = (), *, extractor: str = "", **more: Any) -> Evaluation:
    """An evaluation with these estimates (rows as in JSON, of which only the given keys matter)."""
    document = {
        "synthetic": SYNTHETIC,
        "real": REAL,
        "extractor": {**EXTRACTOR, "name": extractor or EXTRACTOR["name"]},
        "size": (8, 8),
        "measurements": [row(**values) for values in estimates],
    }
    return Evaluation.model_validate({**document, **more})


def row(metric: str, **values: Any) -> dict[str, Any]:
    """A row of JSON of an earlier version, with an id."""
    id, part = parse_name(metric)
    empty = {
        "value": 0.0,
        "low": 0.0,
        "high": 0.0,
        "floor": 0.0,
        "matched": 0.0,
        "half": 4,
        "synthetic": 8,
        "real": 8,
        "seed": 0,
    }
    return {"id": id, "part": part, "metric": metric, "group": "all classes", **empty, **values}


def copy_row(metric: str, **values: Any) -> dict[str, Any]:
    """A row of an estimate of copying."""
    id, part = parse_name(metric)
    empty = {"synthetic": 8, "training": 90, "held_out": 20, "seed": 0}
    return {"id": id, "part": part, "metric": metric, **empty, **values}
