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
from referencing.jsonschema import DRAFT7, DRAFT202012

from contracts.errors import SchemaUnusableError
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12, Schema, by_id, dialect_of
from contracts.schema.formats import ASSERTED
from contracts.schema.json_values import NOT_JSON

_KINDS: Final = {
    DRAFT_2020_12: (jsonschema.Draft202012Validator, DRAFT202012),
    DRAFT_07: (jsonschema.Draft7Validator, DRAFT7),
}


def _format_checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())
    for name, holds in ASSERTED.items():
        checker.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return checker


FORMAT_CHECKER: Final = _format_checker()
"""Asserts the five formats of `contracts.schema.formats`."""


def reference_validator(
    schema: Schema, references: Mapping[str, Schema], *, assert_formats: bool
) -> Callable[[object], bool]:
    """Whether data is valid, by jsonschema.

    Returns:
        A function of the data, which raises SchemaUnusableError where the schema cannot be followed.

    Raises:
        SchemaUnusableError: The dialect is unknown.
    """
    kind, specification = _KINDS[dialect_of(schema)]
    specifications: Registry[Any] = SPECIFICATIONS
    registry = specifications.with_resources(
        (uri, Resource.from_contents(dict(document), default_specification=specification))
        for uri, document in by_id(schema, references).items()
    )
    validator = kind(schema, registry=registry, format_checker=FORMAT_CHECKER if assert_formats else None)

    def accepts(data: object) -> bool:
        try:
            return validator.is_valid(data)
        except (*NOT_JSON, Unresolvable, jsonschema.SchemaError, re.error) as error:
            raise SchemaUnusableError(
                f"Expected a schema that jsonschema can follow, got {type(error).__name__}"
            ) from None

    return accepts
