"""What the body of an answer 2xx says, for targets that answer 200 and write in it that they failed. Pure."""

from collections.abc import Collection
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.errors import BlockedError, RecordRejectedError, TryAgainError
from connectors.sink import Applied
from contracts import DataPath

Value = str | int | float | bool | None
_MISSING = object()


class AnswerOptions(BaseModel):
    """The `answer:` section under `sink:`.

    Attributes:
        path: Where in the body the target says what became of the event; `$` is all of it, also of a text.
        applied: Values that say it took the event.
        already_applied: Values that say it had the event before.
        rejected: Values that say it will never take the event.
        try_again: Values that say it may take the event later.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    path: str
    applied: list[Value] = Field(min_length=1)
    already_applied: list[Value] = Field(default_factory=list)
    rejected: list[Value] = Field(default_factory=list)
    try_again: list[Value] = Field(default_factory=list)

    @field_validator("path")
    @classmethod
    def _a_path(cls, path: str) -> str:
        DataPath.parse(path)
        return path

    def outcome_of(self, body: bytes) -> Applied:
        """What a body means for the event.

        Raises:
            TryAgainError: The target may take the event later.
            RecordRejectedError: It never will.
            BlockedError: The file does not say what this answer means.
        """
        said = self._said(body)
        if _is_among(said, self.applied):
            return Applied()
        if _is_among(said, self.already_applied):
            return Applied(already=True)
        where = f"in the answer at `{self.path}`"
        if _is_among(said, self.rejected):
            raise RecordRejectedError(f"Expected a value of `applied` {where}, got one of `rejected`")
        if _is_among(said, self.try_again):
            raise TryAgainError(f"Expected a value of `applied` {where}, got one of `try_again`")
        found = "nothing" if said is _MISSING else "another"
        remedy = "name under `answer` what it may be"
        raise BlockedError(f"Expected a value that the file names {where}, got {found} - {remedy}")

    def _said(self, body: bytes) -> Any:
        try:
            read = orjson.loads(body)
        except orjson.JSONDecodeError:
            read = body.decode("utf-8", "replace").strip()
        return DataPath.parse(self.path).look_up(read, _MISSING)


def _is_among(said: Any, values: Collection[Value]) -> bool:
    return any(type(said) is type(value) and said == value for value in values)
