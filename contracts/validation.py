"""Validates an event against its contract.

Law: `is_valid` and `violations` use one compiled validator, so they never contradict each other; nothing is
fetched; no message quotes a value, or a name that the schema does not declare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from contracts.errors import SchemaUnusableError
from contracts.paths import EVERY, Step, render_path
from contracts.schema.dialect import (
    DRAFT_07,
    DRAFT_2020_12,
    Schema,
    by_id,
    declared_names,
    dialect_of,
    named_formats,
)
from contracts.schema.formats import LEFT_ALONE
from contracts.schema.json_values import NOT_JSON, first_not_json, is_larger, json_type, steps_of
from contracts.schema.wording import ROWS, describe, describe_in_short

MAX_VIOLATIONS: Final = 1_000
_Kind = jsonschema_rs.ValidationErrorKind

_FAST = {DRAFT_2020_12: jsonschema_rs.Draft202012Validator, DRAFT_07: jsonschema_rs.Draft7Validator}


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One violation of a contract by data.

    Attributes:
        path: The place, such as `$.person.id`; `[*]` replaces a property that the schema does not declare.
        keyword: The violated JSON Schema keyword, or `json` for a value that JSON cannot represent.
        message: One sentence, such as ``Expected `string`, got `integer` - at `$.person.id` ``.
    """

    path: str
    keyword: str
    message: str

    def __str__(self) -> str:
        return self.message


class CompiledSchema:
    """A schema and its references, compiled by jsonschema-rs: 0.5 us an event.

    Raises:
        SchemaUnusableError: The dialect is unknown, the schema is malformed, or a `$ref` has no target.
    """

    def __init__(self, schema: Schema, references: Mapping[str, Schema], *, assert_formats: bool) -> None:
        self._documents = (schema, *references.values())
        # Given any function, jsonschema-rs takes half as long again for every event, so only what is needed.
        named = {name for document in self._documents for name in named_formats(document)}
        ignored: dict[str, Callable[[Any], bool]] = dict.fromkeys(
            named.intersection(LEFT_ALONE) if assert_formats else (), lambda _text: True
        )
        try:
            validator = _FAST[dialect_of(schema)](
                dict(schema),
                registry=jsonschema_rs.Registry(
                    [(uri, dict(document)) for uri, document in by_id(schema, references).items()]
                ),
                validate_formats=assert_formats,
                formats=ignored or None,
                offline=True,
            )
        except (*NOT_JSON, jsonschema_rs.ReferencingError) as error:
            raise SchemaUnusableError(f"Expected a schema that compiles - {_fault(error)}") from None
        self._validator = validator

    def is_valid(self, data: object) -> bool:
        """Whether the data is valid. A value that JSON cannot represent is not, if the schema checks it."""
        try:
            return self._validator.is_valid(data)
        except NOT_JSON:
            return False

    def violations(self, data: object) -> tuple[Violation, ...]:
        """All violations, sorted by path; empty when the data is valid.

        When there are more than `MAX_VIOLATIONS`, that many, with shorter messages.
        """
        if self.is_valid(data):
            return ()
        try:
            # jsonschema-rs builds all errors before the first: 7 s for 500,000 of them. Counting takes 0.3 s.
            counted = self._validator.evaluate(data).errors() if is_larger(data, MAX_VIOLATIONS) else []
            if len(counted) > MAX_VIOLATIONS:
                found = {self._in_short(entry, data) for entry in counted[:MAX_VIOLATIONS]}
            else:
                errors = islice(_with_nearest(self._validator.iter_errors(data)), MAX_VIOLATIONS)
                found = {self._violation(error, data) for error in errors}
        except NOT_JSON:
            found = {self._not_json(data)}
        return tuple(sorted(found))

    def path_of(self, steps: Iterable[Step]) -> str:
        """A place in data, with `[*]` for each name that the schema does not declare."""
        return render_path(self._declared(steps))

    def _violation(self, error: jsonschema_rs.ValidationError, data: object) -> Violation:
        row, limit = _row(error)
        steps = self._declared(error.instance_path)
        message = describe(row, limit, _type_at(data, error.instance_path), steps)
        return Violation(render_path(steps), row.partition(" ")[0], message)

    def _in_short(self, entry: jsonschema_rs.EvaluationErrorEntry, data: object) -> Violation:
        keyword = entry["schemaLocation"].rpartition("/")[2]
        keyword = keyword if keyword in ROWS else "false"
        steps = self._declared(steps_of(data, entry["instanceLocation"]))
        return Violation(render_path(steps), keyword, describe_in_short(keyword, steps))

    def _not_json(self, data: object) -> Violation:
        steps = self._declared(first_not_json(data))
        return Violation(render_path(steps), "json", describe("json", None, "", steps))

    def _declared(self, path: Iterable[Step]) -> tuple[Step, ...]:
        return tuple(step if isinstance(step, int) or step in self._names else EVERY for step in path)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name for document in self._documents for name in declared_names(document))


def _with_nearest(errors: Iterable[jsonschema_rs.ValidationError]) -> Iterator[jsonschema_rs.ValidationError]:
    """Each error, and where no alternative matches, also the errors of the closest one."""
    rest = [iter(errors)]
    while rest:
        error = next(rest[-1], None)
        if error is None:
            rest.pop()
            continue
        yield error
        if isinstance(error.kind, _Kind.AnyOf | _Kind.OneOfNotValid):
            rest.append(iter(min(error.kind.context, key=partial(_distance, error), default=[])))


def _distance(
    parent: jsonschema_rs.ValidationError, alternative: list[jsonschema_rs.ValidationError]
) -> tuple[int, int]:
    other_kind = sum(
        error.kind.name in ("type", "const", "enum") and error.instance_path == parent.instance_path
        for error in alternative
    )
    return other_kind, len(alternative)


def _row(error: jsonschema_rs.ValidationError) -> tuple[str, Any]:
    kind = error.kind
    if isinstance(kind, _Kind.FalseSchema):
        return "false", None
    if isinstance(kind, _Kind.OneOfMultipleValid):
        return "oneOf several", kind.context
    if isinstance(kind, _Kind.Required):
        words = [step for step in error.schema_path if isinstance(step, str)]
        return ("dependentRequired" if "dependentRequired" in words[-2:] else "required"), kind.property
    if isinstance(kind, _Kind.PropertyNames):
        return "propertyNames", None
    return kind.name, _limit(kind)


def _limit(kind: jsonschema_rs.ValidationErrorKind) -> Any:
    content = kind.as_dict()
    for name in (
        "limit",
        "types",
        "options",
        "expected_value",
        "format",
        "pattern",
        "multiple_of",
        "context",
    ):
        if name in content:
            return content[name]
    return content.get("content_encoding", content.get("content_media_type"))


def _type_at(data: object, path: list[str | int]) -> str:
    value: Any = data
    for step in path:
        value = value[step]
    return json_type(value)


def _fault(error: BaseException) -> str:
    first = str(getattr(error, "message", error)).splitlines()
    return first[0][:300] if first else type(error).__name__
