"""One contract, two schemas: the writer's is closed, the reader's is open.

Law: what the writer's schema accepts, the reader's accepts too; and a field that a version adds as optional
is neither sent by those who do not know it nor refused by them.

`closed` refuses undeclared properties wherever an object declares `properties` and says nothing about others.
Where the declarations of one object are spread over `allOf`, `anyOf`, `$ref` and the like, no part is closed
by itself (it would refuse what its neighbour declares): the object is closed as a whole, in 2020-12 by
`unevaluatedProperties`; draft-07 has no such keyword, so every name that any part declares stays allowed.
`opened` lifts `additionalProperties: false` and `unevaluatedProperties: false` of objects that declare
`properties`; alternatives that speak of objects become `anyOf`, because open ones may overlap.

Left as written: what stands under `not`, `if` and `contains`, with all it refers to, because a stricter
schema there makes a laxer whole; a property that several parts of one object each declare as an object; and
objects behind `$dynamicRef` or a reference that leads nowhere.

An object may be described by several schemas: its own, its `allOf`, `anyOf`, `oneOf`, `then`, what its `$ref`
leads to. A schema is used *whole* where it alone describes a place, *in part* where others do so beside it,
and *as a test* under `not`, `if` and `contains`. One definition may be used in several ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from contracts.schema.dialect import DRAFT_2020_12, DRAFTS, Schema
from contracts.schema.json_values import unshared
from contracts.schema.references import Resolver, Subschema

Rewritten = tuple[dict[str, Any], dict[str, Any]]
"""A schema, and the documents it refers to by their `$id`."""

_Use = Literal["whole", "part", "test"]
_Rewriting = Callable[["_Parts", "Subschema", dict[str, Any]], None]

_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_PLACED: Final = ("then", "else")
_DEPENDENT: Final = ("dependentSchemas", "dependencies")
_BELOW_NAMED: Final = ("properties", "patternProperties")
_BELOW: Final = (
    *("additionalProperties", "unevaluatedProperties", "items", "additionalItems", "unevaluatedItems"),
    "prefixItems",
)
_TESTS: Final = ("not", "if", "contains")
_BRANCHES_AND_DEPENDENT: Final = (*_BRANCHES, *_DEPENDENT)
_DEEPEST: Final = 100
_HOLDING: Final = (dict, list)
"""What may hold a schema, in a copy by `unshared`."""
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties", "$dynamicRef", "$recursiveRef")


_Described: TypeAlias = dict[str, set[Subschema]]
"""Which subschemas describe each property."""


def closed(schema: Schema, references: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    """The writer's schema: only what is declared may be sent."""
    return closed_and_opened(schema, references or {})[0][0]


def opened(schema: Schema, references: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    """The reader's schema: what is not declared is ignored."""
    return closed_and_opened(schema, references or {})[1][0]


def closed_and_opened(schema: Schema, references: Mapping[str, Schema]) -> tuple[Rewritten, Rewritten]:
    """The writer's and the reader's schema, each with the documents it refers to."""
    parts = _Parts(schema, references)
    return parts.rewrite(_close), parts.rewrite(_open)


def _close(parts: _Parts, node: Subschema, written: dict[str, Any]) -> None:
    if not parts.is_whole(node) or not parts.declares(node) or parts.is_stated(node):
        return
    heirs = parts.heirs(node)
    if heirs and all(parts.is_whole(heir) or not parts.declares(heir) for heir in heirs):
        return  # closed where it leads to
    if parts.is_plain(node):
        written["additionalProperties"] = False
    elif _is_old(node):
        _close_by_names(parts, node, written)
    else:
        written["unevaluatedProperties"] = False


def _close_by_names(parts: _Parts, node: Subschema, written: dict[str, Any]) -> None:
    if "$ref" in written:  # it hides its neighbours in draft-07
        written["allOf"] = [{"$ref": written.pop("$ref")}]
    names, patterns = parts.names(node)
    own = written.get("properties", {})
    written["properties"] = {**own, **{name: True for name in names if name not in own}}
    if patterns:
        own = written.get("patternProperties", {})
        written["patternProperties"] = {**own, **{text: True for text in patterns if text not in own}}
    written["additionalProperties"] = False


def _open(parts: _Parts, node: Subschema, written: dict[str, Any]) -> None:
    if parts.declares(node):
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            if written.get(keyword) is False:
                del written[keyword]
    if "oneOf" in written and parts.speaks_of_objects(node):
        branches = written.pop("oneOf")
        if "anyOf" in written:
            written["allOf"] = [*written.get("allOf", ()), {"anyOf": branches}]
        else:
            written["anyOf"] = branches


class _Parts:
    """How every subschema of some documents is used."""

    def __init__(self, schema: Schema, references: Mapping[str, Schema]) -> None:
        self._documents = {uri: unshared(document) for uri, document in references.items()}
        self._root: dict[str, Any] = unshared(schema)
        self._resolver = Resolver(self._root, self._documents, DRAFTS[DRAFT_2020_12])
        self._uses: dict[Subschema, set[_Use]] = {}
        self._besides: dict[Subschema, list[Subschema]] = {}
        self._follow_uses()

    def rewrite(self, rewriting: _Rewriting) -> tuple[dict[str, Any], dict[str, Any]]:
        """Each document written anew, every subschema that is not used as a test put through `rewriting`."""
        documents = {uri: self._written(document, rewriting) for uri, document in self._documents.items()}
        return self._written(self._root, rewriting), documents

    def is_whole(self, node: Subschema) -> bool:
        """Whether this schema alone describes its place."""
        return self._uses.get(node) == {"whole"}

    def is_stated(self, node: Subschema) -> bool:
        """Whether some part allows or refuses other properties, or cannot be seen."""
        return node in self._stated

    def declares(self, node: Subschema) -> bool:
        """Whether some part declares properties."""
        return node in self._declared

    def is_plain(self, node: Subschema) -> bool:
        """Whether the schema declares properties by itself alone."""
        return "properties" in _seen(node) and not any(part in self._named for part in self._neighbours(node))

    def heirs(self, node: Subschema) -> list[Subschema]:
        """What stands for the schema: where its lone `$ref` leads, or the branches of its lone `oneOf`."""
        schema = node.schema
        if schema.keys() & {"properties", "patternProperties", "allOf", "anyOf", *_PLACED, *_DEPENDENT}:
            return []
        if "$ref" in schema:
            target = self._resolver.known_target(node)
            return [target] if target and ("oneOf" not in schema or _is_old(node)) else []
        return [self._resolver.at(branch) for branch in _schemas(schema.get("oneOf"))]

    def names(self, node: Subschema) -> tuple[list[str], list[str]]:
        """Every property name, and every pattern of names, that some part declares."""
        names: dict[str, None] = {}
        patterns: dict[str, None] = {}
        for part in self._parts(node):
            names |= dict.fromkeys(_seen(part).get("properties", ()))
            patterns |= dict.fromkeys(_seen(part).get("patternProperties", ()))
        return list(names), list(patterns)

    def speaks_of_objects(self, node: Subschema) -> bool:
        """Whether an alternative of the schema's `oneOf`, or anything it leads to, declares properties."""
        seen: set[Subschema] = set()
        rest = [self._resolver.at(branch) for branch in _schemas(node.schema.get("oneOf"))]
        while rest:
            here = rest.pop()
            if here in seen:
                continue
            seen.add(here)
            if "properties" in _seen(here) and "test" not in self._uses.get(here, ()):
                return True
            rest.extend(child for child, _ in self._steps(here, "whole"))
        return False

    def _follow_uses(self) -> None:
        shared = _Shared()
        rest: list[tuple[Subschema, _Use]] = [(self._resolver.at(self._root), "whole")]
        while rest:
            node, use = rest.pop()
            uses = self._uses.setdefault(node, set())
            if use in uses:
                continue
            uses.add(use)
            rest.extend(self._steps(node, use))
            if use == "whole":
                self._flatten(node, shared)
                rest.extend((each, "test") for each in shared.several)
                shared.several.clear()

    def _steps(self, node: Subschema, use: _Use) -> Iterator[tuple[Subschema, _Use]]:
        schema = _seen(node)
        heirs = self.heirs(node)
        for part in self._beside(node):
            inherited: _Use = use if part in heirs else "part"
            yield part, "test" if use == "test" else inherited
        below: _Use = "test" if use == "test" else "whole"
        for child in (*_within(schema, _BELOW_NAMED), *_at(schema, _BELOW)):
            yield self._resolver.at(child), below
        for child in _at(schema, _TESTS):
            yield self._resolver.at(child), "test"

    def _beside(self, node: Subschema) -> list[Subschema]:
        known = self._besides.get(node)
        if known is None:
            schema, target = _seen(node), self._resolver.known_target(node)
            children = (*_within(schema, _BRANCHES_AND_DEPENDENT), *_at(schema, _PLACED))
            known = [self._resolver.at(child) for child in children]
            self._besides[node] = known = [target, *known] if target else known
        return known

    def _neighbours(self, node: Subschema) -> Iterator[Subschema]:
        yield from self._beside(node)
        yield from (self._resolver.at(test) for test in _at(_seen(node), ("if",)))

    def _parts(self, node: Subschema) -> list[Subschema]:
        found: dict[Subschema, None] = {}
        rest = [node]
        while rest:
            here = rest.pop()
            if here not in found:
                found[here] = None
                rest.extend(self._neighbours(here))
        return list(found)

    @cached_property
    def _declared(self) -> frozenset[Subschema]:
        return self._reaching(lambda node: "properties" in _seen(node))

    @cached_property
    def _named(self) -> frozenset[Subschema]:
        return self._reaching(lambda node: not _seen(node).keys().isdisjoint(_BELOW_NAMED))

    @cached_property
    def _stated(self) -> frozenset[Subschema]:
        return self._reaching(
            lambda node: (
                any(keyword in node.schema for keyword in _OTHERS)
                or ("$ref" in node.schema and self._resolver.known_target(node) is None)
            )
        )

    def _reaching(self, wanted: Callable[[Subschema], bool]) -> frozenset[Subschema]:
        """The nodes of which some part is wanted."""
        found = {node for node in self._resolver.all.values() if wanted(node)}
        rest = list(found)
        while rest:
            come = self._came_from.get(rest.pop(), set()) - found
            found |= come
            rest.extend(come)
        return frozenset(found)

    @cached_property
    def _came_from(self) -> Mapping[Subschema, set[Subschema]]:
        came_from: dict[Subschema, set[Subschema]] = {}
        for node in self._resolver.all.values():
            for part in self._neighbours(node):
                came_from.setdefault(part, set()).add(node)
        return came_from

    def _flatten(self, node: Subschema, shared: _Shared, depth: int = 0) -> _Described:
        """Which subschemas describe each property; those of several firm parts go to `shared`."""
        if node in shared.described or depth > _DEEPEST:
            return shared.described.get(node, {})
        shared.described[node] = {}  # one that leads back here adds nothing
        firm = self._firm(node)
        either: _Described = {}
        for part in self._beside(node):
            if part not in firm:
                for name, children in self._flatten(part, shared, depth + 1).items():
                    either.setdefault(name, set()).update(children)
        together = [self._own(node), either, *(self._flatten(part, shared, depth + 1) for part in firm)]
        merged: _Described = {}
        for described in together:
            for name, children in described.items():
                before = merged.setdefault(name, set())
                if before and children - before:
                    shared.several |= before | children
                before |= children
        shared.described[node] = merged
        return merged

    def _own(self, node: Subschema) -> _Described:
        properties = _seen(node).get("properties", {})
        children = {
            name: self._resolver.at(child) for name, child in properties.items() if isinstance(child, dict)
        }
        return {name: {child} for name, child in children.items() if self.declares(child)}

    def _firm(self, node: Subschema) -> list[Subschema]:
        target = self._resolver.known_target(node)
        listed = [self._resolver.at(child) for child in _schemas(_seen(node).get("allOf"))]
        return [target, *listed] if target else listed

    def _written(self, value: Any, rewriting: _Rewriting) -> Any:
        # Most values are neither; telling so here saves a call for each.
        if isinstance(value, list):
            return [self._written(item, rewriting) if isinstance(item, _HOLDING) else item for item in value]
        written = {
            name: self._written(item, rewriting) if isinstance(item, _HOLDING) else item
            for name, item in value.items()
        }
        node = self._resolver.all.get(id(value))
        if node and "test" not in self._uses.get(node, {"test"}):
            rewriting(self, node, written)
        return written


@dataclass
class _Shared:
    """Who describes each property of each object, and which subschemas of one property several parts do."""

    described: dict[Subschema, _Described] = field(default_factory=dict)
    several: set[Subschema] = field(default_factory=set)


def _seen(node: Subschema) -> Mapping[str, Any]:
    """The keywords that count: in draft-07 a `$ref` hides its neighbours."""
    return {} if _is_old(node) and "$ref" in node.schema else node.schema


def _within(schema: Mapping[str, Any], keywords: Sequence[str]) -> list[dict[str, Any]]:
    """The schemas that these keywords hold by name or in a list."""
    return [child for keyword in keywords if keyword in schema for child in _schemas(schema[keyword])]


def _at(schema: Mapping[str, Any], keywords: Sequence[str]) -> list[dict[str, Any]]:
    """The schemas that these keywords are, or list."""
    values = [schema[keyword] for keyword in keywords if keyword in schema]
    return [child for value in values for child in _schemas(value if isinstance(value, list) else [value])]


def _schemas(value: object) -> list[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [child for child in children if isinstance(child, dict)]


def _is_old(node: Subschema) -> bool:
    """Whether the dialect is older than 2020-12: no `unevaluatedProperties`, and `$ref` stands alone."""
    return node.draft < DRAFTS[DRAFT_2020_12]
