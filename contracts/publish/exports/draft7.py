"""Converts a schema of either dialect to draft-07, for tools that support no other. Pure.

Law: keywords with a counterpart in draft-07 are converted. Others (`unevaluatedProperties`, `minContains`)
stay, and draft-07 ignores them: the result accepts all that the schema accepts, and sometimes more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from contracts.schema.dialect import DRAFT_07, Schema, dialect_of

Target = Callable[[str], str]
"""Converts a `$ref` to one within the document that will contain the schema."""

_NAMED: Final = ("properties", "patternProperties", "definitions", "dependencies")
_LISTED: Final = ("allOf", "anyOf", "oneOf", "items")
_SINGLE: Final = (
    *("items", "additionalItems", "additionalProperties", "contains"),
    *("propertyNames", "not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems"),
)
_DROPPED: Final = ("$schema", "$id", "$comment", "$anchor", "$dynamicAnchor", "$vocabulary")


class InexpressibleError(ValueError):
    """The schema has a kind of reference that cannot be moved into another document."""


def as_draft_07(schema: Schema, target: Target) -> dict[str, Any]:
    """Convert a whole document, for use inside another.

    Args:
        schema: The document, of a known dialect.
        target: Converts each `$ref`.

    Raises:
        InexpressibleError: The document has a `$dynamicRef`, a reference to an anchor, or an inner `$id`.
    """
    is_old = dialect_of(schema) == DRAFT_07
    written = _written(schema, target, is_old=is_old, is_root=True)
    assert isinstance(written, dict)  # noqa: S101 - an object stays one
    return written


def _written(node: object, target: Target, *, is_old: bool, is_root: bool = False) -> Any:
    if not isinstance(node, Mapping):
        return node
    if "$dynamicRef" in node or ("$id" in node and not is_root):
        raise InexpressibleError("a `$dynamicRef`, or an `$id` inside the document")
    found = {word: value for word, value in node.items() if word not in _DROPPED}
    inner = partial(_written, target=target, is_old=is_old)
    found = found if is_old else _renamed(found)
    found = {word: _schemas(word, value, inner) for word, value in found.items()}
    return _with_reference(found, target, is_old=is_old)


def _schemas(word: str, value: object, inner: Callable[[object], Any]) -> Any:
    if word in _NAMED and isinstance(value, Mapping):
        return {name: inner(child) for name, child in value.items()}
    if word in _LISTED and isinstance(value, list):
        return [inner(child) for child in value]
    return inner(value) if word in _SINGLE else value


def _renamed(node: dict[str, Any]) -> dict[str, Any]:
    if "prefixItems" in node:
        rest = {"additionalItems": node.pop("items")} if "items" in node else {}
        node = {**node, "items": node["prefixItems"], **rest}
        del node["prefixItems"]
    if "$defs" in node:
        node["definitions"] = {**node.get("definitions", {}), **node.pop("$defs")}
    dependent = {**node.pop("dependentRequired", {}), **node.pop("dependentSchemas", {})}
    return {**node, "dependencies": {**node.get("dependencies", {}), **dependent}} if dependent else node


def _with_reference(node: dict[str, Any], target: Target, *, is_old: bool) -> dict[str, Any]:
    if not isinstance(node.get("$ref"), str):
        return node
    reference = {"$ref": target(node["$ref"])}
    others = {} if is_old else {word: value for word, value in node.items() if word != "$ref"}
    if not others:
        return reference
    # In draft-07 a `$ref` hides its neighbours.
    return {**others, "allOf": [*others.get("allOf", ()), reference]}
