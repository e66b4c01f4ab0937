"""Where a `$ref` leads: by base URI, `$id`, anchor, pointer and dynamic scope, in the drafts 4 to 2020-12.

Law: nothing is fetched. A reference reaches the schema's own document, those given with it, and meta-schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, Literal
from urllib.parse import quote, unquote, urljoin

from contracts.paths import Step, pointer, pointer_names
from contracts.schema.dialect import DRAFTS, Schema, dialect_of
from contracts.schema.walk import Placed, children, is_mapping, subschemas

REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
MAX_DEPTH: Final = 400
MAX_SCHEMAS: Final = 50_000
_EMPTY: Final[Schema] = {}


class UnresolvableError(Exception):
    """A reference that leads nowhere, such as `names an anchor that is not there`; or what cannot be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Subschema:
    """One schema object, with what its references mean.

    Attributes:
        base: Its base URI.
        draft: Such as 7 or 2020; 0 for a dialect that is not known.
        scope: The base URIs on the way here, outermost first; empty where no reference is dynamic.
        resolver: What resolves its references.
    """

    schema: Schema
    base: str
    draft: int
    scope: tuple[str, ...]
    resolver: Resolver

    def inner(self, schema: Schema | Literal[True]) -> Subschema:
        """A schema inside this one; `true` says no more than an empty one."""
        return self.resolver.inner(self, _EMPTY if schema is True else schema)

    def target(self, keyword: str = "$ref") -> Subschema | None:
        """The schema that a reference leads to; None where there is no reference, or it leads nowhere."""
        if keyword not in self.schema:
            return None
        try:
            found = self.resolver.follow(self, keyword)
        except UnresolvableError:
            return None
        return found if isinstance(found, Subschema) else self.inner(True)


@dataclass(frozen=True, slots=True)
class _Resource:
    schema: Any
    draft: int


class Resolver:
    """Resolves the references of one schema and its documents.

    Args:
        root: The schema.
        references: Further documents by URI, read when a reference first leads there.
        draft: How to read a document without a `$schema` of its own.
        strict: Whether an unknown dialect, and a document without end, raise UnresolvableError.
        uri: The URI of the schema.
        further: Gives the URI and the content of any other document, which it may name by another URI; None
            where there is none.
    """

    def __init__(
        self,
        root: Schema,
        references: Mapping[str, Schema],
        draft: int,
        *,
        strict: bool = False,
        uri: str = "",
        further: Callable[[str], tuple[str, Schema] | None] | None = None,
    ) -> None:
        self._draft = draft
        self._strict = strict
        self._further = further
        self._references = references
        self._resources: dict[str, _Resource] = {}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._dynamic: set[tuple[str, str]] = set()
        self._bases: dict[int, tuple[str, int]] = {}
        self._known: dict[tuple[int, str, tuple[str, ...]], Subschema] = {}
        self._followed: dict[tuple[Subschema, str], Any] = {}
        self._waiting = {uri.removesuffix("#"): document for uri, document in references.items()}
        self._is_dynamic = False
        self._count = 0
        self._read(root, uri)
        self.root = self._whole(root)

    @cached_property
    def all(self) -> dict[int, Subschema]:
        """Every subschema of every document, by the `id()` of its mapping; no mapping may occur twice."""
        found: dict[int, Subschema] = {}
        for uri, document in self._references.items():
            if id(document) not in self._bases:
                self._read(document, uri.removesuffix("#"))
        rest = [self._whole(document) for document in (*self._references.values(), self.root.schema)]
        while rest:
            here = rest.pop()
            found[id(here.schema)] = here
            rest.extend(here.inner(child) for _, child in children(here.schema))
        return found

    def documents(self) -> Iterator[tuple[str, Schema, int]]:
        """The schema and each document that a reference has led to, with URI and draft; not meta-schemas."""
        yield "", self.root.schema, self.root.draft
        for uri, document in self._references.items():
            if id(document) in self._bases:
                yield uri, document, self._bases[id(document)][1]

    def at(self, schema: Schema) -> Subschema:
        """The subschema of a mapping that stands in one of the documents."""
        return self.all[id(schema)]

    def known_target(self, place: Subschema) -> Subschema | None:
        """What a `$ref` leads to among `all`; None when there is none, or it leads nowhere or elsewhere."""
        reached = place.target()
        return self.all.get(id(reached.schema)) if reached else None

    def address(self, place: Subschema) -> str:
        """A reference that leads to the subschema from anywhere: its base URI and a JSON pointer."""
        inside = subschemas(self._resources[place.base].schema)
        steps = next(steps for steps, node in inside if node is place.schema)
        return f"{place.base}#{quote(pointer(steps)[1:])}"

    def pointer_to(self, schema: Schema, *more: Step) -> str:
        """A JSON pointer to a mapping that stands in one of the documents, after the document's URI.

        Args:
            schema: The mapping.
            more: Further steps, inside it.
        """
        documents = (("", self.root.schema), *self._references.items())
        inside = ((uri, steps, node) for uri, document in documents for steps, node in subschemas(document))
        found = ((uri, steps) for uri, steps, node in inside if node is schema)
        uri, steps = next(found, ("", ()))
        return f"{uri}{pointer((*steps, *more))}"

    def meant(self, place: Subschema, keyword: str) -> str | None:
        """The URI that a reference names, whether or not it leads there."""
        target = place.schema[keyword]
        return _absolute(place.base, target) if isinstance(target, str) else None

    def inner(self, place: Subschema, schema: Schema) -> Subschema:
        """A schema inside another."""
        base, draft = self._bases.get(id(schema), (place.base, place.draft))
        return self._subschema(schema, base, draft, place.scope)

    def follow(self, place: Subschema, keyword: str) -> Any:
        """What a reference leads to: a Subschema, or a value that is no object.

        Raises:
            UnresolvableError: It leads nowhere.
        """
        if (place, keyword) not in self._followed:
            self._followed[place, keyword] = self._found(place, place.schema[keyword], keyword)
        return self._followed[place, keyword]

    def _found(self, place: Subschema, target: object, keyword: str) -> Any:
        if not isinstance(target, str):
            raise UnresolvableError("is not a string")
        uri, _, fragment = _absolute(place.base, target).partition("#")
        resource = self._resource(uri) or self._resource(target.partition("#")[0])
        if resource is None:
            raise UnresolvableError("leads out of the documents at hand")
        name = unquote(fragment)
        if keyword == "$recursiveRef":
            uri = self._recursive(place, uri)
        elif keyword == "$dynamicRef" and (uri, name) in self._dynamic:
            uri = next((base for base in place.scope if (base, name) in self._dynamic), uri)
        schema, base, draft = self._located(uri, self._resource(uri) or resource, name)
        return self._subschema(schema, base, draft, place.scope) if isinstance(schema, Mapping) else schema

    def _recursive(self, place: Subschema, uri: str) -> str:
        def is_open(base: str) -> bool:
            resource = self._resource(base)
            return isinstance(resource and resource.schema, Mapping) and (
                resource is not None and resource.schema.get("$recursiveAnchor") is True
            )

        return next((base for base in place.scope if is_open(base)), uri) if is_open(uri) else uri

    def _located(self, uri: str, resource: _Resource, name: str) -> tuple[Any, str, int]:
        if name and not name.startswith("/"):
            if (uri, name) not in self._anchors:
                raise UnresolvableError("names an anchor that is not there")
            schema = self._anchors[uri, name]
            return (schema, *self._bases.get(id(schema), (uri, resource.draft)))
        schema, here = resource.schema, (uri, resource.draft)
        for step in pointer_names(name):
            schema = _step(schema, step)
            here = self._bases.get(id(schema), here) if isinstance(schema, Mapping) else here
        return (schema, *here)

    def _whole(self, document: Schema) -> Subschema:
        base, draft = self._bases[id(document)]
        return self._subschema(document, base, draft, (base,))

    def _subschema(self, schema: Schema, base: str, draft: int, scope: tuple[str, ...]) -> Subschema:
        if not self._is_dynamic:
            scope = ()
        elif base not in scope:
            scope = (*scope, base)
        key = (id(schema), base, scope)
        if key not in self._known:
            self._known[key] = Subschema(schema, base, draft, scope, self)
        return self._known[key]

    def _resource(self, uri: str) -> _Resource | None:
        if uri not in self._resources:
            if uri in self._waiting:
                self._read(self._waiting.pop(uri), uri)
            elif uri in (specifications := _specifications()):
                self._read(specifications.contents(uri), uri)
            elif self._further is not None and (found := self._further(uri)) is not None:
                where, document = found
                if where not in self._resources:
                    self._read(document, where)
                self._resources.setdefault(uri, self._resources[where])
        return self._resources.get(uri)

    def _read(self, document: Any, uri: str) -> None:
        self._resources.setdefault(uri, _Resource(document, self._draft_of(document, self._draft)))
        rest = [(document, uri, self._draft, 0)] if isinstance(document, Mapping) else []
        while rest:
            schema, base, draft, depth = rest.pop()
            self._count += 1
            if self._strict and (depth > MAX_DEPTH or self._count > MAX_SCHEMAS):
                raise UnresolvableError("a schema is too large or too deeply nested to be compared")
            draft = self._draft_of(schema, draft)
            base = self._named(schema, base, draft)
            if depth == 0:
                self._bases[id(schema)] = (base, draft)
            rest.extend((child, base, draft, depth + 1) for _, child in children(schema))

    def _draft_of(self, schema: Any, draft: int) -> int:
        named = schema.get("$schema") if is_mapping(schema) else None
        if not isinstance(named, str):
            return draft
        known = DRAFTS.get(named.removesuffix("#"), 0)
        if self._strict and not known:
            raise UnresolvableError("`$schema` names a dialect that is not known")
        return known

    def _named(self, schema: Schema, base: str, draft: int) -> str:
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


def root_of(schema: Schema, references: Mapping[str, Schema]) -> Subschema:
    """A schema as a whole, with what resolves its references.

    Raises:
        SchemaUnusableError: The dialect is unknown.
    """
    return Resolver(schema, references, DRAFTS[dialect_of(schema)]).root


def broken_references(
    resolver: Resolver, inside: Iterable[Placed]
) -> Iterator[tuple[tuple[Step, ...], str, str]]:
    """Every `$ref` among some subschemas that leads to no end: its place, what it says, and what is wrong."""
    ends: dict[Subschema, str | None] = {}
    for steps, node in inside:
        for keyword in REFERENCES[:2]:
            target = node.get(keyword)
            if isinstance(target, str) and (fault := _fault(resolver.at(node), keyword, ends)):
                yield (*steps, keyword), target, fault


def _fault(place: Subschema, keyword: str, ends: dict[Subschema, str | None]) -> str | None:
    """Why a reference fails; `ends` remembers it of every schema on the way, as many may lead there."""
    seen: set[Subschema] = set()
    while True:
        reached = place.target(keyword)
        if reached is None:
            fault: str | None = "leads nowhere in this contract"
            break
        if reached in ends or not isinstance(reached.schema.get("$ref"), str):
            fault = ends.get(reached)
            break
        if reached in seen:
            fault = "leads back to itself"
            break
        seen.add(reached)
        place, keyword = reached, "$ref"
    ends.update(dict.fromkeys(seen, fault))
    return fault


@cache
def _specifications() -> Any:
    """The meta-schemas of JSON Schema; loaded when a reference first leads out of the documents."""
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # noqa: PLC0415 - slow, seldom

    return REGISTRY


def _absolute(base: str, target: str) -> str:
    if target.startswith("#"):
        return base + target
    return urljoin(base, target)


def _step(schema: Any, step: str) -> Any:
    if isinstance(schema, Mapping) and step in schema:
        return schema[step]
    if isinstance(schema, list) and step.isdigit() and int(step) < len(schema):
        return schema[int(step)]
    raise UnresolvableError("points to what is not there")
