"""A witness: an instance of the old schema that the new one refuses.

Law: it is shown only if two independent validators, jsonschema-rs and jsonschema, agree on both halves. What
one of them cannot read of a schema counts only where it could change the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.compatibility.readings import Readings
from contracts.schema.dialect import DRAFTS, Schema
from contracts.schema.reference_validator import Obstacle, ReferenceValidator

_AT_LEAST_SECONDS: Final = 0.01


class Judge:
    """One schema in two validators, each compiled at its first use.

    Args:
        name: Which schema it is, such as `the old schema`, for what it says.
        schema: The schema.
        references: Further documents by URI.
        draft: How to read a schema without a `$schema` of its own.
        assert_formats: Whether formats refuse.
    """

    def __init__(
        self,
        name: str,
        schema: Schema | bool,
        references: Mapping[str, Schema],
        draft: int,
        *,
        assert_formats: bool,
    ) -> None:
        named = schema.get("$schema") if isinstance(schema, Mapping) else None
        own = DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None
        self._name = name
        self._fast = Readings(schema, references, own or draft, assert_formats=assert_formats)
        self._slow = ReferenceValidator(schema, references, own or draft, assert_formats=assert_formats)

    def doubt(self, data: Any, *, valid: bool, limit_seconds: float) -> str | None:
        """Why the two validators do not both find the data valid, or invalid; None if they do.

        Args:
            data: The instance.
            valid: What is expected of both.
            limit_seconds: Processor time for jsonschema; jsonschema-rs needs little.
        """
        slow = self._slow.judged(data, limit_seconds=max(limit_seconds, _AT_LEAST_SECONDS))
        if isinstance(slow, Obstacle):
            return slow.told(self._name)
        fast = self._fast.judged(data, self._slow.met)
        if isinstance(fast, Obstacle):
            return fast.told(self._name)
        if fast is not slow:
            accepts, refuses = ("jsonschema-rs", "jsonschema") if fast else ("jsonschema", "jsonschema-rs")
            return f"an instance that {accepts} accepts and {refuses} refuses under {self._name}"
        if fast is not valid:
            return f"an instance that {self._name} {'accepts' if fast else 'refuses'} after all"
        return None

    def finds(self, data: Any) -> bool | None:
        """Whether the cheaper validator alone accepts the data; None where it has no answer."""
        answer = self._slow.judged(data) if self._fast.is_heavy else self._fast.judged(data)
        return None if isinstance(answer, Obstacle) else answer

    def refused_at(self, data: Any) -> tuple[list[str | int], list[str | int]] | None:
        """The path in the schema to the keyword that refuses the data, and the path in the data."""
        return self._fast.refused_at(data)
