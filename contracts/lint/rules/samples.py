"""Rules about `examples` and `default` inside a schema: each is valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema_rs

from contracts.finding import Finding, Rule
from contracts.lint.schema_parts import SchemaView
from contracts.paths import Step, pointer
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12
from contracts.schema.formats import LEFT_ALONE
from contracts.schema.json_values import NOT_JSON

EXAMPLE: Final = Rule(
    "property-example-valid",
    "an invalid example teaches a mistake",
    "correct the example or the schema",
    "BASIC",
)
DEFAULT: Final = Rule(
    "default-valid",
    "an invalid default cannot be used",
    "correct the default or the schema",
    "BASIC",
)
RULES: Final = (EXAMPLE, DEFAULT)

_VALIDATORS: Final = {True: jsonschema_rs.Draft7Validator, False: jsonschema_rs.Draft202012Validator}
_DIALECTS: Final = {True: DRAFT_07, False: DRAFT_2020_12}
_IGNORED: Final = dict.fromkeys(LEFT_ALONE, lambda _text: True)
_MOST: Final = 2_000

Sample = tuple[tuple[Step, ...], Rule, tuple[Step, ...], Any]
"""The steps of its schema, its rule, its own steps, and its value."""


def check_samples(view: SchemaView) -> Iterator[Finding]:
    """Findings about the first 2,000 examples and defaults in one document."""
    samples = [sample for steps, node in view.nodes for sample in _samples(steps, node)]
    for _, rule, where, _ in _refused(view, samples[:_MOST]):
        yield view.finding(rule, where, "is not valid")


def _samples(steps: tuple[Step, ...], node: Mapping[str, Any]) -> Iterator[Sample]:
    listed = node.get("examples")
    for index, value in enumerate(listed if isinstance(listed, list) else ()):
        yield steps, EXAMPLE, (*steps, "examples", index), value
    if "default" in node:
        yield steps, DEFAULT, (*steps, "default"), node["default"]


def _refused(view: SchemaView, samples: list[Sample]) -> list[Sample]:
    """The invalid samples, found by bisection, as compiling takes longer than validating."""
    if not samples or _accepts(view, samples):
        return []
    if len(samples) == 1:
        return samples
    middle = len(samples) // 2
    return _refused(view, samples[:middle]) + _refused(view, samples[middle:])


def _accepts(view: SchemaView, samples: list[Sample]) -> bool:
    """Whether all are valid, or cannot be checked, which other rules report."""
    uri = view.uri
    references = [{"$ref": uri + pointer(steps)} for steps, *_ in samples]
    items = {"items": references} if view.is_draft_07 else {"prefixItems": references}
    try:
        validator = _VALIDATORS[view.is_draft_07](
            {"$schema": _DIALECTS[view.is_draft_07], **items},
            registry=view.registry,
            validate_formats=view.asserts_formats,
            formats=_IGNORED,
            offline=True,
        )
    except (*NOT_JSON, jsonschema_rs.ReferencingError):
        return True
    return validator.is_valid([value for *_, value in samples])
