"""A witness: an instance of the old schema that the new one refuses.

Law: it is shown only if two independent validators, jsonschema-rs and jsonschema, agree on both halves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import jsonschema
import jsonschema_rs
from referencing.exceptions import Unresolvable

from contracts.schema.dialect import DRAFTS, Schema
from contracts.schema.formats import LEFT_ALONE
from contracts.schema.json_values import NOT_JSON, longest_text
from contracts.schema.reference_validator import jsonschema_validator
from contracts.schema.walk import is_risky, subschemas

_VALIDATORS: Final = {
    4: (jsonschema_rs.Draft4Validator, jsonschema_rs.Draft4),
    6: (jsonschema_rs.Draft6Validator, jsonschema_rs.Draft6),
    7: (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft7),
    2019: (jsonschema_rs.Draft201909Validator, jsonschema_rs.Draft201909),
    2020: (jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft202012),
}
_FAULTS: Final = (
    *NOT_JSON,
    jsonschema_rs.ReferencingError,
    jsonschema.SchemaError,
    jsonschema.exceptions.UndefinedTypeCheck,
    Unresolvable,
    re.error,
    AttributeError,
    KeyError,
)
_SHORT: Final = 8
"""So many characters take a backtracking engine little, whatever the pattern."""
_IGNORED_FORMATS: Final = dict.fromkeys(LEFT_ALONE, lambda _text: True)


class Judge:
    """One schema in two validators, each compiled at its first use."""

    def __init__(
        self, schema: Schema | bool, references: Mapping[str, Schema], draft: int, *, assert_formats: bool
    ) -> None:
        self._schema = schema
        self._references = references
        self._formats = assert_formats
        named = schema.get("$schema") if isinstance(schema, Mapping) else None
        own = DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None
        self._draft = own or draft

    @cached_property
    def _fast(self) -> Any:
        documents = [(uri, dict(document)) for uri, document in self._references.items()]
        kind, draft = _VALIDATORS[self._draft]
        return kind(
            self._schema if isinstance(self._schema, bool) else dict(self._schema),
            registry=jsonschema_rs.Registry(documents, draft=draft) if documents else None,
            validate_formats=self._formats,
            formats=_IGNORED_FORMATS,
            offline=True,
        )

    @cached_property
    def _slow(self) -> Callable[[Any], bool]:
        return jsonschema_validator(self._schema, self._references, self._draft, assert_formats=self._formats)

    def agree_that_it_is(self, valid: bool, data: Any) -> bool:
        """Whether both validators find the data valid, or both invalid. An error is no agreement."""
        try:
            if self._fast.is_valid(data) is not valid or self._may_never_end(data):
                return False
            return self._slow(data) is valid
        except _FAULTS:
            return False

    def _may_never_end(self, data: Any) -> bool:
        """Whether the slow validator, which backtracks, may not end on the data's texts."""
        return longest_text(data) > _SHORT and self._is_risky

    @cached_property
    def _is_risky(self) -> bool:
        documents = (self._schema, *self._references.values())
        return any(is_risky(subschemas(document)) for document in documents)

    def finds(self, data: Any) -> bool | None:
        """Whether the fast validator alone accepts the data; None where it fails."""
        try:
            return bool(self._fast.is_valid(data))
        except _FAULTS:
            return None

    def refused_at(self, data: Any) -> tuple[list[str | int], list[str | int]] | None:
        """The path in the schema to the keyword that refuses the data, and the path in the data."""
        try:
            errors = list(self._fast.iter_errors(data))
        except _FAULTS:
            return None
        if not errors:
            return None
        first = min(errors, key=lambda error: (-len(error.instance_path), len(error.schema_path)))
        return list(first.schema_path), list(first.instance_path)
