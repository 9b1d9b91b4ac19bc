"""Why an evaluation lacks an estimate: of which kind it is, of which class, and the reason."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

LABEL_FIDELITY = "label fidelity"
_PREFIX = f"{LABEL_FIDELITY} of "


class Refusal(BaseModel):
    """A reason why something was not measured; in JSON its text alone.

    Attributes
    ----------
    text
        The whole line.
    kind
        What was not measured; empty for all but the fidelity of labels.
    label
        The class that was not measured; empty where it is not one class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    kind: Literal["", "label fidelity"] = ""
    label: str = ""

    def __str__(self) -> str:
        """The whole line."""
        return self.text

    @classmethod
    def of_label_fidelity(cls, reason: str, label: str = "") -> "Refusal":
        """Why label fidelity was not measured: of one class, or of all."""
        subject = f"{_PREFIX}{label}" if label else LABEL_FIDELITY
        return cls(text=f"{subject}: {reason}", kind=LABEL_FIDELITY, label=label)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """Read a line of a file; reasons have no colon, labels may have one."""
        if not isinstance(value, str):
            return value
        subject, _, _ = value.rpartition(": ")
        if subject != LABEL_FIDELITY and not subject.startswith(_PREFIX):
            return {"text": value}
        return {"text": value, "kind": LABEL_FIDELITY, "label": subject.removeprefix(LABEL_FIDELITY)[len(" of ") :]}

    @model_serializer
    def _to_text(self) -> str:
        return self.text
