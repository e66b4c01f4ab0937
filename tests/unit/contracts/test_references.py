"""Where a `$ref` leads, in each draft, and which lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12
from contracts.schema.references import Resolver, UnresolvableError, broken_references, root_of
from contracts.schema.walk import subschemas

ROOT = "https://land.example/parcel"
WORDS = "https://land.example/words"


def reached(schema: dict[str, Any], *steps: str, references: dict[str, Any] | None = None) -> object:
    """What the `$ref` of the schema at these steps leads to."""
    resolver = root_of(schema, references or {}).resolver
    node = schema
    for step in steps:
        node = node[step]
    target = resolver.at(node).target()
    return target.schema if target else None


def test_a_pointer_leads_into_the_document() -> None:
    """With its escapes: `~1` for a slash, `%25` for a per cent sign."""
    schema = {"$schema": DRAFT_2020_12, "$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "null"}}}
    assert reached(schema) == {"type": "null"}


def test_an_id_inside_changes_what_references_mean() -> None:
    """A relative reference is resolved against the nearest `$id`, and a pointer starts there."""
    part = {"$id": "owner", "properties": {"name": {"$ref": "#/$defs/name"}}, "$defs": {"name": {"const": 1}}}
    schema = {"$schema": DRAFT_2020_12, "$id": ROOT, "$ref": "owner", "$defs": {"owner": part}}
    assert reached(schema) is part
    assert reached(schema, "$defs", "owner", "properties", "name") == {"const": 1}


@pytest.mark.parametrize(
    ("dialect", "anchored"),
    [(DRAFT_2020_12, {"$anchor": "area", "minimum": 0}), (DRAFT_07, {"$id": "#area", "minimum": 0})],
)
def test_an_anchor_is_written_as_its_draft_writes_it(dialect: str, anchored: dict[str, Any]) -> None:
    """`$anchor` in 2020-12, an `$id` that is only a fragment in draft-07."""
    schema: dict[str, Any] = {
        "$schema": dialect,
        "allOf": [{"$ref": "#area"}],
        "definitions": {"area": anchored},
    }
    resolver = root_of(schema, {}).resolver
    target = resolver.at(schema["allOf"][0]).target()
    assert target is not None
    assert target.schema is anchored


def test_a_document_resolves_its_own_references() -> None:
    """Reached from another document, `#/...` still means the document where it stands."""
    words = {"$schema": DRAFT_2020_12, "$id": WORDS, "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"const": 2}}}
    schema = {"$schema": DRAFT_2020_12, "$ref": f"{WORDS}#/$defs/a", "$defs": {"b": {"const": 1}}}
    first = root_of(schema, {WORDS: words}).target()
    assert first is not None
    second = first.target()
    assert second is not None
    assert second.schema == {"const": 2}
    assert second.resolver.address(second) == f"{WORDS}#/%24defs/b"


def test_a_dynamic_reference_leads_to_the_outermost_anchor() -> None:
    """A tree of strict nodes stays strict below its root."""
    tree: dict[str, Any] = {
        "$id": "https://land.example/tree",
        "$dynamicAnchor": "node",
        "items": {"$dynamicRef": "#node"},
    }
    strict = {
        "$schema": DRAFT_2020_12,
        "$id": "https://land.example/strict",
        "$dynamicAnchor": "node",
        "$ref": "tree",
        "$defs": {"tree": tree},
    }
    root = root_of(strict, {})
    inside = root.target()
    assert inside is not None
    target = inside.inner(tree["items"]).target("$dynamicRef")
    assert target is not None
    assert target.schema is strict


def test_references_that_lead_to_no_end_are_named() -> None:
    """Nowhere, or in a circle; one that ends is not named."""
    schema = {
        "$schema": DRAFT_2020_12,
        "properties": {
            "lost": {"$ref": "#/$defs/none"},
            "round": {"$ref": "#/$defs/round"},
            "fine": {"$ref": "#/$defs/fine"},
        },
        "$defs": {"round": {"$ref": "#/$defs/round"}, "fine": {"type": "null"}},
    }
    found = {
        steps[1]: fault
        for steps, _, fault in broken_references(root_of(schema, {}).resolver, subschemas(schema))
    }
    assert found == {"lost": "leads nowhere in this contract", "round": "leads back to itself"}


def test_a_strict_resolver_refuses_what_it_cannot_read() -> None:
    """An unknown dialect, and a schema without end; a lenient one goes on."""
    foreign = {"$defs": {"a": {"$schema": "https://land.example/dialect"}}}
    assert Resolver(foreign, {}, 2020).at(foreign["$defs"]["a"]).draft == 2020
    with pytest.raises(UnresolvableError, match="dialect"):
        Resolver(foreign, {}, 2020, strict=True)
    endless: dict[str, Any] = {}
    endless["not"] = endless
    with pytest.raises(UnresolvableError, match="too deeply nested"):
        Resolver(endless, {}, 2020, strict=True)
