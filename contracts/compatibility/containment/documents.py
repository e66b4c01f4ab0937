"""The documents of one side: where a `$ref` leads, by `$id`, anchor, pointer, dynamic scope. No fetching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urljoin

from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped] # it has no types

from contracts.compatibility.containment.limits import MAX_DEPTH, MAX_SCHEMAS, NotUnderstoodError

DRAFTS: Final[Mapping[str, int]] = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
}
DIALECT_NAMES: Final[Mapping[str, int]] = {
    **{name: draft for draft in (4, 6, 7) for name in (f"draft-0{draft}", f"draft{draft}", f"draft-{draft}")},
    **{f"{prefix}{name}": int(name[:4]) for name in ("2019-09", "2020-12") for prefix in ("", "draft")},
    **DRAFTS,
}
_NAMED: Final = (
    *("properties", "patternProperties", "$defs", "definitions"),
    *("dependentSchemas", "dependencies"),
)
_LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLE: Final = (
    *("items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
    *("contains", "propertyNames", "not", "if", "then", "else", "contentSchema"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One schema object, with what its references mean: its base URI, its draft, the way that led here."""

    schema: Mapping[str, Any]
    base: str
    draft: int
    scope: tuple[str, ...]
    documents: Documents


@dataclass(frozen=True, slots=True)
class _Resource:
    schema: Any
    draft: int


class Documents:
    """The documents a schema consists of."""

    def __init__(self, root: Mapping[str, Any], references: Mapping[str, Any], draft: int) -> None:
        self._draft = draft
        self._resources: dict[str, _Resource] = {}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._dynamic: set[tuple[str, str]] = set()
        self._bases: dict[int, tuple[str, int]] = {}
        self._places: dict[tuple[int, str, tuple[str, ...]], Place] = {}
        self._waiting = {uri.removesuffix("#"): document for uri, document in references.items()}
        self._is_dynamic = False
        self._crawled = 0
        self._crawl(root, "")
        self._root = root

    def root(self) -> Place:
        """The schema itself."""
        base, draft = self._bases[id(self._root)]
        return self._place(self._root, base, draft, (base,))

    def inner(self, place: Place, schema: Mapping[str, Any]) -> Place:
        """A schema inside another."""
        base, draft = self._bases.get(id(schema), (place.base, place.draft))
        return self._place(schema, base, draft, place.scope)

    def follow(self, place: Place, target: object, keyword: str) -> Any:
        """What a reference leads to: a place, or a boolean.

        Raises:
            NotUnderstoodError: It leads nowhere.
        """
        if not isinstance(target, str):
            raise NotUnderstoodError(f"`{keyword}` is not a string")
        uri, _, fragment = _absolute(place.base, target).partition("#")
        resource = self._resource(uri) or self._resource(target.partition("#")[0])
        if resource is None:
            raise NotUnderstoodError(f"a `{keyword}` leads out of the documents at hand")
        name = unquote(fragment)
        if keyword == "$recursiveRef":
            uri = self._recursive(place, uri)
        elif keyword == "$dynamicRef" and (uri, name) in self._dynamic:
            uri = next((base for base in place.scope if (base, name) in self._dynamic), uri)
        schema, base, draft = self._located(uri, self._resource(uri) or resource, name)
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise NotUnderstoodError(f"a `{keyword}` leads to what is no schema")
        return self._place(schema, base, draft, place.scope)

    def _recursive(self, place: Place, uri: str) -> str:
        def is_open(base: str) -> bool:
            resource = self._resource(base)
            return isinstance(resource and resource.schema, Mapping) and (
                resource is not None and resource.schema.get("$recursiveAnchor") is True
            )

        return next((base for base in place.scope if is_open(base)), uri) if is_open(uri) else uri

    def _located(self, uri: str, resource: _Resource, name: str) -> tuple[Any, str, int]:
        if name and not name.startswith("/"):
            if (uri, name) not in self._anchors:
                raise NotUnderstoodError("a reference names an anchor that is not there")
            schema = self._anchors[uri, name]
            return (schema, *self._bases.get(id(schema), (uri, resource.draft)))
        schema, here = resource.schema, (uri, resource.draft)
        for step in name.split("/")[1:]:
            schema = _step(schema, step.replace("~1", "/").replace("~0", "~"))
            here = self._bases.get(id(schema), here) if isinstance(schema, Mapping) else here
        return (schema, *here)

    def _place(self, schema: Mapping[str, Any], base: str, draft: int, scope: tuple[str, ...]) -> Place:
        if not self._is_dynamic:
            scope = ()
        elif base not in scope:
            scope = (*scope, base)
        key = (id(schema), base, scope)
        if key not in self._places:
            self._places[key] = Place(schema, base, draft, scope, self)
        return self._places[key]

    def _resource(self, uri: str) -> _Resource | None:
        if uri not in self._resources:
            if uri in self._waiting:
                self._crawl(self._waiting.pop(uri), uri)
            elif uri in SPECIFICATIONS:
                self._crawl(SPECIFICATIONS.contents(uri), uri)
        return self._resources.get(uri)

    def _crawl(self, document: Any, uri: str) -> None:
        base, draft = uri, self._draft
        self._resources[uri] = _Resource(document, self._draft_of(document, draft))
        rest = [(document, base, draft, 0)]
        while rest:
            schema, base, draft, depth = rest.pop()
            if not isinstance(schema, Mapping):
                continue
            self._crawled += 1
            if depth > MAX_DEPTH or self._crawled > MAX_SCHEMAS:
                raise NotUnderstoodError("a schema is too large or too deeply nested to be compared")
            draft = self._draft_of(schema, draft)
            base = self._named(schema, base, draft)
            if depth == 0:
                self._bases[id(schema)] = (base, draft)
            rest.extend((child, base, draft, depth + 1) for child in _children(schema))

    def _draft_of(self, schema: Any, draft: int) -> int:
        named = schema.get("$schema") if isinstance(schema, Mapping) else None
        if not isinstance(named, str):
            return draft
        known = DRAFTS.get(named.removesuffix("#"))
        if known is None:
            raise NotUnderstoodError("`$schema` names a dialect that is not known")
        return known

    def _named(self, schema: Mapping[str, Any], base: str, draft: int) -> str:
        self._is_dynamic = self._is_dynamic or "$dynamicRef" in schema or "$recursiveRef" in schema
        named = schema.get("id" if draft == 4 else "$id")
        if isinstance(named, str) and not (draft <= 7 and "$ref" in schema):
            uri, _, fragment = _absolute(base, named).partition("#")
            if fragment and draft <= 7:
                self._anchors.setdefault((uri, fragment), schema)
            if uri != base or not fragment:
                base = uri
                self._resources.setdefault(base, _Resource(schema, draft))
                self._bases[id(schema)] = (base, draft)
        for keyword in ("$anchor", "$dynamicAnchor") if draft > 7 else ():
            if isinstance(anchor := schema.get(keyword), str):
                self._anchors.setdefault((base, anchor), schema)
                if keyword == "$dynamicAnchor":
                    self._dynamic.add((base, anchor))
        return base


def _children(schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword in _NAMED:
        if isinstance(named := schema.get(keyword), Mapping):
            yield from named.values()
    for keyword in _LISTED:
        if isinstance(listed := schema.get(keyword), list):
            yield from listed
    for keyword in _SINGLE:
        yield schema.get(keyword)


def _absolute(base: str, target: str) -> str:
    if target.startswith("#"):
        return base + target
    return urljoin(base, target)


def _step(schema: Any, step: str) -> Any:
    if isinstance(schema, Mapping) and step in schema:
        return schema[step]
    if isinstance(schema, list) and step.isdigit() and int(step) < len(schema):
        return schema[int(step)]
    raise NotUnderstoodError("a reference points to what is not there")
