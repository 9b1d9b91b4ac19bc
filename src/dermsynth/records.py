"""The base of what results are made of."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen part of a result; unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
