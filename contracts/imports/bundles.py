"""A schema of any draft, or of OpenAPI 3, with all it refers to, as one schema of 2020-12.

Nothing is fetched. Only what is reached is taken, so a part of a large document is small.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, count
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from contracts.errors import DocumentError
from contracts.finding import Place, Rule
from contracts.paths import pointer, pointer_names
from contracts.schema.dialect import DRAFT_2020_12
from contracts.schema.references import REFERENCES, Subschema, UnresolvableError
from contracts.schema.walk import NAMED, child_keywords

Shown: TypeAlias = Callable[[str], str]
"""Names the file of a URI."""

_NOTES: Final = frozenset({"title", "description", "default", "examples", "example", "deprecated"})
_FOREIGN: Final = frozenset({"discriminator", "xml", "externalDocs"})
_IDENTITY: Final = frozenset(
    {"$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"}
)
# The keywords that a draft does not have yet, and so gives no meaning.
_SINCE: Final = {
    **dict.fromkeys(("const", "contains", "propertyNames"), 6),
    **dict.fromkeys(("if", "then", "else"), 7),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "minContains", "maxContains"), 2019),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), 2019),
    "prefixItems": 2020,
}


UNREACHED: Final = Rule(
    "reference-resolves",
    "nothing is fetched, and no file is read outside the folder",
    "correct the `$ref`, or put the file into the folder, or name one with all files by `--folder`",
    "MINIMAL",
)


def bundled(place: Subschema, *, is_openapi: bool = False, shown: Shown = str) -> dict[str, Any]:
    """One schema of a document, with all that it refers to under `$defs`.

    Args:
        place: The schema.
        is_openapi: Whether `nullable` and `example` have the meaning of OpenAPI 3.0.
        shown: The name of the file of a URI.

    Raises:
        DocumentError: A reference leads nowhere.
        ContractError: A file that it leads to cannot be read.
    """
    bundle = _Bundle(place, is_openapi=is_openapi, shown=shown)
    schema = {"$schema": DRAFT_2020_12, **bundle.take(place)}
    bundle.finish()
    return {**schema, "$defs": bundle.definitions} if bundle.definitions else schema


def at(
    place: Subschema, names: Iterable[str], shown: Shown = str, on_the_way: tuple[Subschema, ...] = ()
) -> Subschema:
    """The object at the steps of a JSON pointer; where a step is not there but a `$ref` is, it is followed.

    Raises:
        LookupError: There is none.
        DocumentError: A reference on the way leads nowhere.
    """
    value: Any = place.schema
    for name in names:
        if isinstance(value, Mapping):
            place = place.inner(value)
            if name not in value and "$ref" in value:
                place = reached(place, "$ref", shown, on_the_way)
            value = place.schema[name]
        elif isinstance(value, list) and name.isdecimal() and name.isascii():
            value = value[int(name)]
        else:
            raise LookupError(name)
    if not isinstance(value, Mapping):
        raise LookupError("no object")
    return place.inner(value)


def meant(place: Subschema, shown: Shown = str) -> Subschema:
    """The schema that a mere reference stands for; itself where it says more, or leads back to itself."""
    seen: set[Subschema] = set()
    here = place
    while "$ref" in here.schema and (
        here.draft <= 7 or here.schema.keys() <= _NOTES | _IDENTITY | {"$ref", "$defs", "summary"}
    ):
        if here in seen:
            return place
        seen.add(here)
        here = reached(here, "$ref", shown)
    return here


def reached(place: Subschema, word: str, shown: Shown, on_the_way: tuple[Subschema, ...] = ()) -> Subschema:
    """What a reference leads to; `true` and `false` as the schemas that mean them.

    A pointer may lead through further references; those `on_the_way` are not followed again.

    Raises:
        DocumentError: It leads nowhere.
    """
    said = place.schema[word]
    try:
        found = place.resolver.follow(place, word)
    except UnresolvableError as error:
        uri, _, fragment = str(said).partition("#")
        document = place.inner({"$ref": uri or "#"}).target()
        if document is not None and fragment.startswith("/") and place not in on_the_way:
            with contextlib.suppress(LookupError):
                return at(document, pointer_names(unquote(fragment)), shown, (*on_the_way, place))
        what = f"`{str(said)[:200]}` {error}"
        raise DocumentError(UNREACHED.at(Place(shown(place.base)), what)) from None
    if isinstance(found, Subschema):
        return found
    return place.inner({} if found is True else {"not": {}})


class _Bundle:
    def __init__(self, root: Subschema, *, is_openapi: bool, shown: Shown) -> None:
        self._root = root
        self._is_openapi = is_openapi
        self._shown = shown
        self._names: dict[int, str] = {}
        self._rest: list[tuple[str, Subschema]] = []
        self.definitions: dict[str, Any] = {}

    def finish(self) -> None:
        """Take all that was referred to, and all that this refers to."""
        while self._rest:
            name, place = self._rest.pop()
            self.definitions[name] = self.take(place)

    def take(self, place: Subschema) -> dict[str, Any]:
        """The schema in 2020-12."""
        schema = place.schema
        if place.draft <= 7 and "$ref" in schema:  # all that limits beside it has no effect
            schema = {word: schema[word] for word in schema if word in _NOTES | {"$ref", "nullable"}}
        found: dict[str, Any] = {}
        for word, value in schema.items():
            if word in REFERENCES and isinstance(value, str):
                found["$ref"] = self._reference(place, word)
            elif word in _FOREIGN and self._is_openapi:
                continue
            elif word == "deprecated":  # before 2019-09 anybody's word, such as an object that says why
                found[word] = bool(value)
            elif word not in _IDENTITY | {"$defs", "definitions"} and _SINCE.get(word, 0) <= place.draft:
                found[word] = self._value(place, word, value)
        _modernise(found, place.draft)
        return _without_openapi(found) if self._is_openapi else found

    def _value(self, place: Subschema, word: str, value: Any) -> Any:
        if word in NAMED and isinstance(value, Mapping):
            return {name: self._schema(place, each) for name, each in value.items()}
        if word in child_keywords():
            if isinstance(value, list):
                return [self._schema(place, each) for each in value]
            return self._schema(place, value)
        return value

    def _schema(self, place: Subschema, value: Any) -> Any:
        return self.take(place.inner(value)) if isinstance(value, Mapping) else value

    def _reference(self, place: Subschema, word: str) -> str:
        target = reached(place, word, self._shown)
        if target.schema is self._root.schema:
            return "#"
        if id(target.schema) not in self._names:
            name = self._name(str(place.schema[word]))
            self._names[id(target.schema)] = name
            self.definitions[name] = {}
            self._rest.append((name, target))
        return pointer(("$defs", self._names[id(target.schema)]))

    def _name(self, said: str) -> str:
        """A name that no other definition has: the last step of the pointer, or the file's."""
        path, _, fragment = unquote(said).partition("#")
        last = fragment.rpartition("/")[2] or PurePosixPath(path).stem.rpartition(":")[2]
        last = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-") or "schema"
        names = chain((last,), (f"{last}-{number}" for number in count(2)))
        return next(name for name in names if name not in self.definitions)


def _modernise(node: dict[str, Any], draft: int) -> None:
    """Replace keywords of older drafts."""
    if draft <= 4:
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
                node[exclusive] = node.pop(bound)
    if draft < 2020:
        rest = node.pop("additionalItems", None)
        if isinstance(node.get("items"), list):
            node["prefixItems"] = node.pop("items")
            if rest is not None:
                node["items"] = rest
    if draft <= 7 and isinstance(dependencies := node.pop("dependencies", None), Mapping):
        lists = {name: each for name, each in dependencies.items() if isinstance(each, list)}
        others = {name: each for name, each in dependencies.items() if name not in lists}
        node |= {"dependentRequired": lists} if lists else {}
        node |= {"dependentSchemas": others} if others else {}


def _without_openapi(node: dict[str, Any]) -> dict[str, Any]:
    if "example" in node:
        node.setdefault("examples", [node.pop("example")])
    if node.pop("nullable", False) is not True:
        return node
    if isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
        return node
    notes = {word: node.pop(word) for word in _NOTES if word in node}
    return {**notes, "anyOf": [node, {"type": "null"}]} if node else notes
