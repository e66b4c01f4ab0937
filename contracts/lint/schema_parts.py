"""A schema document as lint rules see it: its parts, and the combinations of schemas that apply to a value.

A part is a schema that describes a value: a property, an item, the event itself. A schema under `if`, `not`
and similar keywords only tests a value that is described elsewhere, so it is not a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Final

import jsonschema_rs

from contracts.documents.document import Document
from contracts.documents.loaded import LoadedContract, LoadedVersion
from contracts.finding import Finding, Rule
from contracts.paths import Step, pointer
from contracts.schema.dialect import DRAFT_07, by_id, dialect_of, schema_fault
from contracts.schema.references import Subschema
from contracts.schema.walk import NAMED

Node = Mapping[str, Any]
Steps = tuple[Step, ...]
Way = tuple[Node, ...]
"""Schemas that apply to one value together, for one choice of `anyOf` and `oneOf` branches."""

MOST_WAYS: Final = 32
_TESTS: Final = frozenset({"if", "then", "else", "not", "dependentSchemas", "contains", "propertyNames"})
_BRANCHES: Final = frozenset({"allOf", "anyOf", "oneOf"})
_VALUES: Final = frozenset(
    {
        *("properties", "patternProperties", "additionalProperties", "unevaluatedProperties"),
        *("items", "prefixItems", "additionalItems", "unevaluatedItems"),
    }
)


@dataclass(frozen=True, eq=False)
class Part:
    """A schema inside a document that describes a value.

    Attributes:
        name: The property it describes; None for an item, a definition or the event itself.
        is_value: Whether it describes a value directly, unlike a definition or a branch.
    """

    steps: Steps
    schema: Node
    name: str | None
    is_value: bool


class Shelf:
    """The documents of one version, registered for a validator under URIs of lint."""

    def __init__(self, row: LoadedVersion) -> None:
        self._documents = row.documents
        self._known = by_id(row.version.schema, row.version.references)

    def uri(self, document: Document) -> str:
        """The URI of a document."""
        return f"urn:govbus:lint:{self._documents.index(document)}"

    @cached_property
    def registry(self) -> jsonschema_rs.Registry:
        """All documents, by that URI and by their `$id`. Nothing is fetched."""
        named = [(uri, dict(schema)) for uri, schema in self._known.items()]
        named += [(uri, {**each.value, "$id": uri}) for each in self._documents for uri in [self.uri(each)]]
        return jsonschema_rs.Registry(named)


class SchemaView:
    """One document of a version, with the targets of its references."""

    def __init__(self, document: Document, row: LoadedVersion, shelf: Shelf) -> None:
        self.document = document
        self.row = row
        self._shelf = shelf
        self._known_ways: dict[tuple[int, int], tuple[Way, ...]] = {}
        self._reached: dict[int, Subschema] = {}
        self.is_draft_07 = dialect_of(document.value) == DRAFT_07

    @property
    def uri(self) -> str:
        """The URI of the document in `registry`."""
        return self._shelf.uri(self.document)

    @property
    def registry(self) -> jsonschema_rs.Registry:
        """All documents that a `$ref` may refer to, including this one."""
        return self._shelf.registry

    @property
    def asserts_formats(self) -> bool:
        """Whether the contract asserts formats."""
        return self.row.version.assert_formats

    @property
    def nodes(self) -> tuple[tuple[Steps, Node], ...]:
        """Every schema inside the document with its steps, parents first."""
        return self.row.schemas[self.document.file]

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every part of the document, parents first."""
        return tuple(part for steps, node in self.nodes if (part := _part(steps, node)))

    def finding(self, rule: Rule, steps: Steps, what: str) -> Finding:
        """A finding about the value at these steps, which the message starts with."""
        return rule.at(self.document.place(*steps), f"`{pointer(steps)[:300]}` {what}")

    def steps_of(self, schema: Node) -> Steps | None:
        """The steps to a schema in this document; None when it is in another one."""
        return self._steps.get(id(schema))

    def at(self, steps: Steps) -> Node:
        """The mapping at these steps; empty when the value is not a mapping."""
        node: Any = self.document.value
        for step in steps:
            node = node[step]
        return node if isinstance(node, Mapping) else {}

    def target(self, node: Node) -> Node | None:
        """The target of the `$ref` of a schema; None without a `$ref` or target."""
        if "$ref" not in node:
            return None
        place = self._reached.get(id(node)) or self.row.resolver.all.get(id(node))
        if place is None or (reached := place.target()) is None:
            return None
        self._reached[id(reached.schema)] = reached
        return reached.schema

    def firm(self, schema: Node) -> Way:
        """A schema and all that always apply with it: the targets of its `$ref` and `allOf`."""
        found: dict[int, Node] = {}
        rest = [schema]
        while rest and len(found) < MOST_WAYS:
            node = rest.pop()
            if id(node) not in found:
                found[id(node)] = node
                rest += listed(node, "allOf")
                if reached := self.target(node):
                    rest.append(reached)
        return tuple(found.values())

    def ways(self, schema: Node) -> tuple[Way, ...]:
        """The ways through a schema, one for each combination of branches."""
        return self._ways(schema, 8)

    def _ways(self, schema: Node, depth: int) -> tuple[Way, ...]:
        key = (id(schema), depth)
        if key not in self._known_ways:
            self._known_ways[key] = self._new_ways(schema, depth)
        return self._known_ways[key]

    def _new_ways(self, schema: Node, depth: int) -> tuple[Way, ...]:
        together = listed(schema, "allOf")
        if (reached := self.target(schema)) is not None:
            together.append(reached)
        branching = [branches for word in ("anyOf", "oneOf") if (branches := listed(schema, word))]
        if depth == 0 or not (together or branching):
            return ((schema,),)
        groups = [self._ways(node, depth - 1) for node in together[:MOST_WAYS]]
        for branches in branching:
            found = (way for node in branches[:MOST_WAYS] for way in self._ways(node, depth - 1))
            groups.append(tuple(found))
        ways: list[Way] = [(schema,)]
        for group in groups:
            ways = [(*left, *right) for left, right in product(ways, group[:MOST_WAYS])][:MOST_WAYS]
        return tuple(ways)

    @cached_property
    def _steps(self) -> Mapping[int, Steps]:
        return {id(node): steps for steps, node in self.nodes}


def views(entry: LoadedContract) -> Iterator[SchemaView]:
    """The documents of each major version's latest minor version, except deprecated and unusable ones."""
    latest = {row.version.major: row for row in sorted(entry.versions, key=lambda row: row.version.minor)}
    seen = set()
    for row in latest.values():
        if row.version.deprecated or not row.is_usable:
            continue
        shelf = Shelf(row)
        for document in row.documents:
            if document.file not in seen and (document is row.document or not schema_fault(document.value)):
                seen.add(document.file)
                yield SchemaView(document, row, shelf)


def types(way: Way) -> frozenset[str] | None:
    """The JSON types that a way allows; None when it names none."""
    found: frozenset[str] | None = None
    for node in way:
        if "type" in node:
            found = types_of(node) if found is None else found & types_of(node)
    return found


def types_of(node: Node) -> frozenset[str]:
    """The JSON types in `type` of a schema."""
    named = node.get("type", ())
    return frozenset([named] if isinstance(named, str) else named)


def listed(node: Node, keyword: str) -> list[Node]:
    """The schemas in the list of a keyword, without `true` and `false`."""
    found = node.get(keyword)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def place_of_object(steps: Steps) -> Steps:
    """The steps of the schema whose value the schema at these steps applies to.

    Branches (`allOf/0`) and tests (`then`) apply to the value of the schema around them.
    """
    while steps:
        if len(steps) > 1 and (steps[-2] in _BRANCHES or steps[-2] in ("dependentSchemas", "dependencies")):
            steps = steps[:-2]
        elif steps[-1] in ("if", "then", "else", "not") and (len(steps) < 2 or steps[-2] not in NAMED):
            steps = steps[:-1]
        else:
            break
    return steps


def _part(steps: Steps, node: Node) -> Part | None:
    keyword: Step | None = None
    index = 0
    while index < len(steps):
        keyword = steps[index]
        if keyword in _TESTS:
            return None
        following = steps[index + 1] if index + 1 < len(steps) else None
        index += 2 if keyword in NAMED or isinstance(following, int) else 1
    name = str(steps[-1]) if keyword == "properties" else None
    return Part(steps, node, name, not steps or keyword in _VALUES)
