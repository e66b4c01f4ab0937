"""The fields of a version, with types, limits and examples. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.contract import ContractVersion
from contracts.paths import Step, parse_path, render_path
from contracts.schema.fields import is_required, names_below, schemas_at, types_of
from contracts.schema.references import Subschema

_DEEPEST: Final = 8
_MOST: Final = 1_000
_BOUNDS: Final = (
    ("minLength", "maxLength", "{} characters"),
    ("minItems", "maxItems", "{} items"),
    ("minimum", "maximum", "{}"),
)
_LIMITS: Final = {
    "format": "{}",
    "pattern": "matches {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
}
_UNKNOWN: Final = {
    "keep": "new values may be added: keep unknown ones",
    "refuse": "no other values",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event.

    Attributes:
        personal: The category of personal data, or None.
        values: The allowed values, if they are listed.
        limits: Other limits, each in a few words.
        examples: Up to two, as JSON.
        leaf: Whether the schema declares no fields inside it.
    """

    path: str
    type: str
    required: bool
    personal: str | None
    description: str
    values: tuple[str, ...]
    limits: tuple[str, ...]
    examples: tuple[str, ...]
    leaf: bool


def fields_of(version: ContractVersion) -> tuple[Field, ...]:
    """The fields of a version, at most a thousand; each object comes before its fields."""
    root = version.root
    personal = {parse_path(path): category for path, category in version.contract.personal_fields.items()}
    found: list[Field] = []
    rest: list[tuple[Step, ...]] = [()]
    while rest and len(found) < _MOST:
        steps = rest.pop()
        schemas = schemas_at(root, steps)
        if steps:
            found.append(_field(root, steps, schemas, personal))
        if len(steps) < _DEEPEST:
            rest.extend((*steps, name) for name in reversed(names_below(schemas)))
    return tuple(found)


def _field(
    root: Subschema,
    steps: tuple[Step, ...],
    schemas: list[Subschema],
    personal: Mapping[tuple[Step, ...], str],
) -> Field:
    nodes = [here.schema for here in schemas]
    categories = [personal[steps[:length]] for length in range(len(steps) + 1) if steps[:length] in personal]
    descriptions = [text for schema in nodes if isinstance(text := schema.get("description"), str)]
    values = [value for schema in nodes for value in _values(schema)]
    given = [example for schema in nodes for example in _listed(schema, "examples")]
    examples = [_json(example) for example in given if not isinstance(example, dict | list)]
    return Field(
        path=render_path(steps),
        type=" or ".join(sorted(types_of(schemas))) or "any",
        required=is_required(root, steps),
        personal=categories[0] if categories else None,
        description=descriptions[0] if descriptions else "",
        values=tuple(dict.fromkeys(_json(value) for value in values)),
        limits=tuple(dict.fromkeys(limit for schema in nodes for limit in _limits(schema))),
        examples=tuple(dict.fromkeys(examples))[:2],
        leaf=not names_below(schemas),
    )


def _values(schema: Mapping[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else _listed(schema, "enum")


def _listed(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    listed = schema.get(keyword)
    return listed if isinstance(listed, list) else []


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for keyword, words in _LIMITS.items():
        if keyword in schema:
            yield words.format(schema[keyword])
    for least, most, words in _BOUNDS if "format" not in schema else ():
        if (bounds := _between(schema.get(least), schema.get(most))) is not None:
            yield words.format(bounds)
    if (policy := _UNKNOWN.get(str(schema.get("x-unknown-values")))) is not None:
        yield policy


def _between(least: Any, most: Any) -> str | None:
    match least, most:
        case None, None:
            return None
        case _, None:
            return f"at least {least}"
        case None, _:
            return f"at most {most}"
        case _:
            return str(most) if least == most else f"{least} to {most}"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
