"""The supported dialects of JSON Schema, and what is known of a schema without compiling it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

import jsonschema_rs

from contracts.errors import SchemaUnusableError
from contracts.paths import Step
from contracts.schema.walk import is_mapping

Schema: TypeAlias = Mapping[str, Any]
Documents: TypeAlias = tuple[Schema, Mapping[str, Schema]]
"""A schema, and the documents it refers to by their `$id`."""

DRAFT_07: Final = "http://json-schema.org/draft-07/schema"
DRAFT_2020_12: Final = "https://json-schema.org/draft/2020-12/schema"
DIALECTS: Final = (DRAFT_2020_12, DRAFT_07)
"""The dialects that a contract may use."""
DRAFTS: Final[Mapping[str, int]] = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    DRAFT_07: 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    DRAFT_2020_12: 2020,
}
"""The dialects that can be compared, each with its number."""


def dialect_of(schema: Schema) -> str:
    """Which of `DIALECTS` the schema's `$schema` names.

    Raises:
        SchemaUnusableError: It names none of them.
    """
    named = schema.get("$schema")
    dialect = named.removesuffix("#") if isinstance(named, str) else None
    if dialect not in DIALECTS:
        raise SchemaUnusableError(f"Expected `$schema` to be {' or '.join(f'`{uri}`' for uri in DIALECTS)}")
    return dialect


def by_id(schema: Schema, references: Mapping[str, Schema]) -> Mapping[str, Schema]:
    """All documents of a version by `$id`, itself included: a referenced schema may refer back to it."""
    uri = schema.get("$id")
    return (
        {**references, uri.removesuffix("#"): schema} if isinstance(uri, str) and ":" in uri else references
    )


def declared_names(schema: object) -> Iterator[str]:
    """Every property name a schema itself writes down; these alone may stand in a path."""
    for node in _objects(schema):
        properties = node.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        required = node.get("required")
        if isinstance(required, list):
            yield from (name for name in required if isinstance(name, str))


def named_formats(schema: object) -> Iterator[str]:
    """Every format that a schema names, also where no validator looks for one."""
    return (name for node in _objects(schema) if isinstance(name := node.get("format"), str))


def _objects(schema: object) -> Iterator[Mapping[str, Any]]:
    """Every object in a document, itself included: a reference may lead to any."""
    rest = [schema]
    while rest:
        node = rest.pop()
        if is_mapping(node):
            yield node
            rest.extend(node.values())
        elif isinstance(node, list):
            rest.extend(node)


@cache
def _meta_schema(draft: int) -> jsonschema_rs.Validator:
    """The meta-schema of a draft, compiled; its formats are left alone, as validators differ on them."""
    uri = next(uri for uri, number in DRAFTS.items() if number == draft)
    return jsonschema_rs.validator_for({"$schema": uri, "$ref": uri}, validate_formats=False, offline=True)


def broken_keyword(schema: Schema, draft: int) -> tuple[tuple[Step, ...], str] | None:
    """Where a schema is none under a draft, and the keyword of the meta-schema that says so.

    Args:
        schema: The schema.
        draft: One of the values of `DRAFTS`, for a schema that names none of `DRAFTS` itself.
    """
    named = schema.get("$schema")
    own = DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None
    meta_schema = _meta_schema(own or draft)
    try:
        if meta_schema.is_valid(schema):
            return None
        deepest = max(meta_schema.iter_errors(schema), key=lambda error: len(error.instance_path))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return (), "type"
    return tuple(deepest.instance_path), deepest.kind.name


def schema_fault(schema: Schema) -> tuple[tuple[Step, ...], str] | None:
    """Where, and how, a schema breaks the meta-schema of its dialect; None when it keeps it."""
    try:
        dialect_of(schema)  # jsonschema-rs would fetch the meta-schema of another
    except SchemaUnusableError:
        return ("$schema",), "the dialect is none of those that are read"
    try:
        jsonschema_rs.meta.validate(dict(schema))
    except jsonschema_rs.ValidationError as error:
        keyword = error.kind.name
        return tuple(error.instance_path), f"the dialect's meta-schema refuses this, by `{keyword}`"
    except (ValueError, RecursionError):
        return (), "the dialect's meta-schema cannot be applied to this"
    return None
