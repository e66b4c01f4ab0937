"""A second validator, jsonschema: slow, independent, and never asked about an event on its way.

Lint refuses a contract where the two differ. Imported by lint only, as jsonschema takes long to load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import jsonschema
from referencing.exceptions import Unresolvable

from contracts.errors import SchemaUnusableError
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12, Schema, dialect_of
from contracts.schema.formats import ASSERTED
from contracts.schema.json_values import NOT_JSON
from contracts.schema.references import registry_of

_VALIDATORS = {DRAFT_2020_12: jsonschema.Draft202012Validator, DRAFT_07: jsonschema.Draft7Validator}


def _format_checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())
    for name, holds in ASSERTED.items():
        checker.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return checker


FORMAT_CHECKER: Final = _format_checker()
"""Asserts the five formats of `contracts.schema.formats`."""


def second_opinion(
    schema: Schema, references: Mapping[str, Schema], *, assert_formats: bool
) -> Callable[[object], bool]:
    """Whether data is valid, by jsonschema.

    Returns:
        A function of the data, which raises SchemaUnusableError where the schema cannot be followed.

    Raises:
        SchemaUnusableError: The dialect is unknown.
    """
    checker = FORMAT_CHECKER if assert_formats else None
    validator = _VALIDATORS[dialect_of(schema)](
        schema, registry=registry_of(schema, references), format_checker=checker
    )

    def accepts(data: object) -> bool:
        try:
            return validator.is_valid(data)
        except (*NOT_JSON, Unresolvable, jsonschema.SchemaError, re.error) as error:
            raise SchemaUnusableError(
                f"Expected a schema that jsonschema can follow, got {type(error).__name__}"
            ) from None

    return accepts
