"""Images that an audit has found fault with, known to what uses the set later."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dermsynth.data.audit_pictures import Pictures
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json

RECORD = "audit.json"
"""What an audit writes into a set beside its page."""


def audit_record(data_set: DataSet, exclusions: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
    """Of which set an audit is, and its images that are better left out, with the reason: for the audit's JSON file."""
    faults = {picture.name: " and ".join(picture.image_faults) for picture in pictures.rows if picture.image_faults}
    twins = dict(zip(exclusions["file_name"], exclusions["reason"], strict=True))
    return {"content_hash": data_set.whole_hash, "flagged": faults | twins}


def flagged_images(data_set: DataSet) -> dict[str, str]:
    """Images that the audit in the set's own folder flagged, and why; none where it is of other images, or there is none."""
    path = data_set.folder / RECORD
    if not path.exists():
        return {}
    try:
        record = read_json(path)
    except UserError:
        return {}
    flagged = record.get("flagged")
    if record.get("content_hash") != data_set.whole_hash or not isinstance(flagged, dict):
        return {}
    return {str(name): str(reason) for name, reason in flagged.items()}


def flagged_text(data_set: DataSet, names: Sequence[str]) -> str:
    """How many of the named images of a set its audit flagged, and the way out; the empty string without any."""
    flagged = flagged_images(data_set)
    those = [name for name in names if name in flagged]
    if not those:
        return ""
    return (
        f"{data_set.folder}: its audit flagged {len(those)} of the {len(names)} images that take part, the first "
        f"{those[0]} ({flagged[those[0]]}); look at them in {data_set.folder / 'audit.html'}, and import the set again with "
        "`leave_out` where they do not belong here"
    )
