"""What a `$ref` may reach, for `referencing`, by which lint and the second opinion follow references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped] # it has no types
from referencing import Registry, Resource, Specification
from referencing.jsonschema import DRAFT7, DRAFT202012

from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12, Schema, by_id, dialect_of

_SPECIFICATIONS = {DRAFT_2020_12: DRAFT202012, DRAFT_07: DRAFT7}


def specification_of(schema: Schema) -> Specification[Any]:
    """How `referencing` reads the schema's dialect.

    Raises:
        SchemaUnusableError: The dialect is unknown.
    """
    return _SPECIFICATIONS[dialect_of(schema)]


def registry_of(schema: Schema, references: Mapping[str, Schema]) -> Registry[Any]:
    """What a `$ref` may reach: the version's own documents and the meta-schemas. Nothing is fetched."""
    specification = specification_of(schema)
    specifications: Registry[Any] = SPECIFICATIONS
    return specifications.with_resources(
        (uri, Resource.from_contents(dict(document), default_specification=specification))
        for uri, document in by_id(schema, references).items()
    )
