"""A second validator, jsonschema: slow and independent, for lint alone; events never meet it.

Lint refuses a contract where the two validators differ. jsonschema takes long to load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import jsonschema
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped] # it has no types
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from contracts.errors import SchemaUnusableError
from contracts.schema.dialect import DRAFTS, Schema, by_id, dialect_of
from contracts.schema.formats import ASSERTED
from contracts.schema.json_values import NOT_JSON

_KINDS: Final = {
    4: (jsonschema.Draft4Validator, DRAFT4),
    6: (jsonschema.Draft6Validator, DRAFT6),
    7: (jsonschema.Draft7Validator, DRAFT7),
    2019: (jsonschema.Draft201909Validator, DRAFT201909),
    2020: (jsonschema.Draft202012Validator, DRAFT202012),
}


def _format_checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())
    for name, holds in ASSERTED.items():
        checker.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return checker


_FORMAT_CHECKER: Final = _format_checker()


def jsonschema_validator(
    schema: Schema | bool, references: Mapping[str, Schema], draft: int, *, assert_formats: bool
) -> Callable[[Any], bool]:
    """Whether data is valid, by jsonschema; raises its exceptions. Fetches nothing.

    Args:
        schema: The schema.
        references: Further documents by URI.
        draft: One of the values of `DRAFTS`, for the schema and each document without a `$schema`.
        assert_formats: Whether the five formats of `contracts.schema.formats` are asserted.
    """
    kind, specification = _KINDS[draft]
    specifications: Registry[Any] = SPECIFICATIONS
    registry = specifications.with_resources(
        (uri, Resource.from_contents(dict(document), default_specification=specification))
        for uri, document in references.items()
    )
    checker = _FORMAT_CHECKER if assert_formats else None
    is_valid: Callable[[Any], bool] = kind(schema, registry=registry, format_checker=checker).is_valid
    return is_valid


def reference_validator(
    schema: Schema, references: Mapping[str, Schema], *, assert_formats: bool
) -> Callable[[object], bool]:
    """Whether data is valid, by jsonschema.

    Returns:
        A function of the data, which raises SchemaUnusableError where the schema cannot be followed.

    Raises:
        SchemaUnusableError: The dialect is unknown.
    """
    documents, draft = by_id(schema, references), DRAFTS[dialect_of(schema)]
    is_valid = jsonschema_validator(schema, documents, draft, assert_formats=assert_formats)

    def accepts(data: object) -> bool:
        try:
            return is_valid(data)
        except (*NOT_JSON, Unresolvable, jsonschema.SchemaError, re.error) as error:
            raise SchemaUnusableError(
                f"Expected a schema that jsonschema can follow, got {type(error).__name__}"
            ) from None

    return accepts
