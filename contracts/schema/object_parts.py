"""The parts of each object in a schema: which subschemas speak about one and the same place in the data.

An object may be described by several: the schema itself, its `allOf`, `anyOf`, `oneOf`, `then`, what its
`$ref` leads to. A schema is used *whole* where it alone describes a place, *in part* where others do so
beside it, and *as a test* under `not`, `if` and `contains`. One definition may be used in several ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, unquote, urldefrag, urljoin

from contracts.schema.dialect import DRAFT_2020_12, Schema

Use = Literal["whole", "part", "test"]
Rewriting = Callable[["Parts", "Node", dict[str, Any]], None]

_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_ALTERNATIVES: Final = ("anyOf", "oneOf")
_PLACED: Final = ("then", "else")
_DEPENDENT: Final = ("dependentSchemas", "dependencies")
_BELOW_NAMED: Final = ("properties", "patternProperties")
_BELOW: Final = (
    *("additionalProperties", "unevaluatedProperties", "items", "additionalItems", "unevaluatedItems"),
    "prefixItems",
)
_TESTS: Final = ("not", "if", "contains")
_BRANCHES_AND_DEPENDENT: Final = (*_BRANCHES, *_DEPENDENT)
_INNER_NAMED: Final = (*_BRANCHES_AND_DEPENDENT, *_BELOW_NAMED, "$defs", "definitions")
_INNER: Final = (*_BELOW, *_TESTS, *_PLACED, "propertyNames")
_PLAIN: Final = (str, int, float, type(None))
_DEEPEST: Final = 100
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties", "$dynamicRef", "$recursiveRef")


@dataclass(frozen=True, eq=False)
class _Resource:
    uri: str
    root: Mapping[str, Any]
    is_draft_07: bool
    anchors: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """One subschema, and the document whose base its references have."""

    schema: Mapping[str, Any]
    document: _Resource

    @property
    def key(self) -> int:
        """What tells two subschemas of equal words apart."""
        return id(self.schema)


Described: TypeAlias = dict[str, dict[int, Node]]
"""Which subschemas describe each property."""


class Parts:
    """How every subschema of some documents is used.

    Attributes:
        start: The schema that all others are reached from.
    """

    def __init__(self, schema: Schema, references: Mapping[str, Schema]) -> None:
        self._documents = {uri: _copied(document) for uri, document in references.items()}
        self._root: dict[str, Any] = _copied(schema)
        self._resources: dict[str, _Resource] = {}
        self._nodes: dict[int, Node] = {}
        self._uses: dict[int, set[Use]] = {}
        self._targets: dict[int, Node | None] = {}
        self._besides: dict[int, list[Node]] = {}
        is_draft_07 = _is_old(self._root, default=False)
        for uri, document in self._documents.items():
            self._index(document, _Resource(uri, document, _is_old(document, default=is_draft_07)))
        self.start = self._index(self._root, _Resource("", self._root, is_draft_07))
        self._follow_uses()

    def rewrite(self, rewriting: Rewriting) -> tuple[dict[str, Any], dict[str, Any]]:
        """Each document written anew, every subschema that is not used as a test put through `rewriting`."""
        documents = {uri: self._written(document, rewriting) for uri, document in self._documents.items()}
        return self._written(self._root, rewriting), documents

    def is_whole(self, node: Node) -> bool:
        """Whether no other schema ever speaks beside this one."""
        return self._uses.get(node.key) == {"whole"}

    def is_stated(self, node: Node) -> bool:
        """Whether some part says what becomes of other properties, or cannot be seen."""
        return node.key in self._stated

    def declares(self, node: Node) -> bool:
        """Whether some part declares properties."""
        return node.key in self._declared

    def is_plain(self, node: Node) -> bool:
        """Whether the schema declares properties by itself alone."""
        return "properties" in _seen(node) and not any(
            part.key in self._named for part in self._neighbours(node)
        )

    def heirs(self, node: Node) -> list[Node]:
        """What stands for the schema: where its lone `$ref` leads, or the branches of its lone `oneOf`."""
        schema = node.schema
        if schema.keys() & {"properties", "patternProperties", "allOf", "anyOf", *_PLACED, *_DEPENDENT}:
            return []
        if "$ref" in schema:
            target = self.target(node)
            return [target] if target and ("oneOf" not in schema or node.document.is_draft_07) else []
        return [self._nodes[id(branch)] for branch in _schemas(schema.get("oneOf"))]

    def names(self, node: Node) -> tuple[list[str], list[str]]:
        """Every property name, and every pattern of names, that some part declares."""
        names: dict[str, None] = {}
        patterns: dict[str, None] = {}
        for part in self._parts(node):
            names |= dict.fromkeys(_seen(part).get("properties", ()))
            patterns |= dict.fromkeys(_seen(part).get("patternProperties", ()))
        return list(names), list(patterns)

    def speaks_of_objects(self, node: Node) -> bool:
        """Whether an alternative of the schema's `oneOf`, or anything it leads to, declares properties."""
        seen: set[int] = set()
        rest = [self._nodes[id(branch)] for branch in _schemas(node.schema.get("oneOf"))]
        while rest:
            here = rest.pop()
            if here.key in seen:
                continue
            seen.add(here.key)
            if "properties" in _seen(here) and "test" not in self._uses.get(here.key, ()):
                return True
            rest.extend(child for child, _ in self._steps(here, "whole"))
        return False

    def node(self, schema: Mapping[str, Any]) -> Node:
        """The node of a subschema that another node's schema holds."""
        return self._nodes[id(schema)]

    def pointer(self, node: Node) -> str:
        """The JSON pointer of a node in its document, without `#`."""
        rest: list[tuple[Any, str]] = [(node.document.root, "")]
        while rest:
            value, path = rest.pop()
            if value is node.schema:
                return path
            if isinstance(value, Mapping):
                names = ((name, name.replace("~", "~0").replace("/", "~1")) for name in value)
                rest.extend((value[name], f"{path}/{quote(step)}") for name, step in names)
            elif isinstance(value, list):
                rest.extend((item, f"{path}/{index}") for index, item in enumerate(value))
        raise KeyError("the node is of another document")

    def _index(self, schema: dict[str, Any], resource: _Resource) -> Node:
        self._resources[resource.uri] = resource
        rest = [(schema, resource)]
        while rest:
            here, owner = rest.pop()
            identity = here.get("$id")
            if isinstance(identity, str) and not identity.startswith("#"):
                uri = urldefrag(urljoin(owner.uri, identity)).url
                owner = _Resource(uri, here, _is_old(here, default=owner.is_draft_07))
                self._resources[uri] = owner
            node = self._nodes[id(here)] = Node(here, owner)
            anchor = here.get("$anchor", identity if isinstance(identity, str) else None)
            if isinstance(anchor, str):
                owner.anchors[anchor.removeprefix("#")] = node
            rest.extend((child, owner) for child in (*_within(here, _INNER_NAMED), *_at(here, _INNER)))
        return self._nodes[id(schema)]

    def _follow_uses(self) -> None:
        shared = _Shared()
        rest: list[tuple[Node, Use]] = [(self.start, "whole")]
        while rest:
            node, use = rest.pop()
            uses = self._uses.setdefault(node.key, set())
            if use in uses:
                continue
            uses.add(use)
            rest.extend(self._steps(node, use))
            if use == "whole":
                self._flatten(node, shared)
                rest.extend((self._nodes[key], "test") for key in shared.keys)
                shared.keys.clear()

    def _steps(self, node: Node, use: Use) -> Iterator[tuple[Node, Use]]:
        schema = _seen(node)
        heirs = {heir.key for heir in self.heirs(node)}
        for part in self._beside(node):
            inherited: Use = use if part.key in heirs else "part"
            yield part, "test" if use == "test" else inherited
        below: Use = "test" if use == "test" else "whole"
        for child in (*_within(schema, _BELOW_NAMED), *_at(schema, _BELOW)):
            yield self._nodes[id(child)], below
        for child in _at(schema, _TESTS):
            yield self._nodes[id(child)], "test"

    def _beside(self, node: Node) -> list[Node]:
        known = self._besides.get(node.key)
        if known is None:
            schema, target = _seen(node), self.target(node)
            children = (*_within(schema, _BRANCHES_AND_DEPENDENT), *_at(schema, _PLACED))
            known = [self._nodes[id(child)] for child in children]
            self._besides[node.key] = known = [target, *known] if target else known
        return known

    def _neighbours(self, node: Node) -> Iterator[Node]:
        yield from self._beside(node)
        yield from (self._nodes[id(test)] for test in _at(_seen(node), ("if",)))

    def _parts(self, node: Node) -> list[Node]:
        found: dict[int, Node] = {}
        rest = [node]
        while rest:
            here = rest.pop()
            if here.key not in found:
                found[here.key] = here
                rest.extend(self._neighbours(here))
        return list(found.values())

    @cached_property
    def _declared(self) -> frozenset[int]:
        return self._reaching(lambda node: "properties" in _seen(node))

    @cached_property
    def _named(self) -> frozenset[int]:
        return self._reaching(lambda node: not _seen(node).keys().isdisjoint(_BELOW_NAMED))

    @cached_property
    def _stated(self) -> frozenset[int]:
        return self._reaching(
            lambda node: (
                any(keyword in node.schema for keyword in _OTHERS)
                or ("$ref" in node.schema and self.target(node) is None)
            )
        )

    def _reaching(self, wanted: Callable[[Node], bool]) -> frozenset[int]:
        """The nodes of which some part is wanted."""
        found = {key for key, node in self._nodes.items() if wanted(node)}
        rest = list(found)
        while rest:
            come = self._came_from.get(rest.pop(), set()) - found
            found |= come
            rest.extend(come)
        return frozenset(found)

    @cached_property
    def _came_from(self) -> Mapping[int, set[int]]:
        came_from: dict[int, set[int]] = {}
        for key, node in self._nodes.items():
            for part in self._neighbours(node):
                came_from.setdefault(part.key, set()).add(key)
        return came_from

    def _flatten(self, node: Node, shared: _Shared, depth: int = 0) -> Described:
        """Gather who describes each property; tell `shared` what parts that hold together both describe."""
        if node.key in shared.described or depth > _DEEPEST:
            return shared.described.get(node.key, {})
        shared.described[node.key] = {}  # one that leads back here adds nothing
        firm = self._firm(node)
        either: Described = {}
        for part in self._beside(node):
            if part not in firm:
                for name, children in self._flatten(part, shared, depth + 1).items():
                    either.setdefault(name, {}).update(children)
        together = [self._own(node), either, *(self._flatten(part, shared, depth + 1) for part in firm)]
        merged: Described = {}
        for described in together:
            for name, children in described.items():
                before = merged.setdefault(name, {})
                if before and children.keys() - before.keys():
                    shared.keys |= before.keys() | children.keys()
                before.update(children)
        shared.described[node.key] = merged
        return merged

    def _own(self, node: Node) -> Described:
        children = [
            (name, self._nodes[id(child)])
            for name, child in _seen(node).get("properties", {}).items()
            if isinstance(child, dict)
        ]
        return {name: {child.key: child} for name, child in children if self.declares(child)}

    def _firm(self, node: Node) -> list[Node]:
        target = self.target(node)
        listed = [self._nodes[id(child)] for child in _schemas(_seen(node).get("allOf"))]
        return [target, *listed] if target else listed

    def target(self, node: Node) -> Node | None:
        """What a schema's `$ref` leads to; None when it has none, or it leads nowhere."""
        if node.key not in self._targets:
            self._targets[node.key] = self._found(node)
        return self._targets[node.key]

    def _found(self, node: Node) -> Node | None:
        reference = node.schema.get("$ref")
        if not isinstance(reference, str):
            return None
        uri, fragment = urldefrag(reference)
        resource = node.document if not uri else self._resources.get(urljoin(node.document.uri, uri))
        if resource is None:
            return None
        if fragment and not fragment.startswith("/"):
            return resource.anchors.get(fragment)
        found: Any = resource.root
        for step in fragment.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, Mapping) and name in found:
                found = found[name]
            else:
                return None
        return self._nodes.get(id(found))

    def _written(self, value: Any, rewriting: Rewriting) -> Any:
        if isinstance(value, list):
            return [self._written(item, rewriting) for item in value]
        if not isinstance(value, dict):
            return value
        written = {name: self._written(item, rewriting) for name, item in value.items()}
        node = self._nodes.get(id(value))
        if node and "test" not in self._uses.get(node.key, {"test"}):
            rewriting(self, node, written)
        return written


@dataclass
class _Shared:
    """Who describes each property of each object, and which subschemas of one property several parts do."""

    described: dict[int, Described] = field(default_factory=dict)
    keys: set[int] = field(default_factory=set)


def _seen(node: Node) -> Mapping[str, Any]:
    """The keywords that count: in draft-07 a `$ref` hides its neighbours."""
    return {} if node.document.is_draft_07 and "$ref" in node.schema else node.schema


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


def _copied(value: Any) -> Any:
    """The same again, no part of it shared with another part."""
    if isinstance(value, _PLAIN):
        return value  # most are; asked first, as it takes long to tell that something is no mapping
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value


def _is_old(schema: Mapping[str, Any], *, default: bool) -> bool:
    """Whether the dialect is older than 2019-09: no `unevaluatedProperties`, and `$ref` stands alone."""
    named = schema.get("$schema")
    return named.removesuffix("#") != DRAFT_2020_12 if isinstance(named, str) else default
