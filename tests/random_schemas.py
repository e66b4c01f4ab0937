"""Random JSON Schemas and random edits of them, over all keywords of draft-07 and 2020-12, from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Literal

Dialect = Literal["draft-07", "2020-12"]
Focus = Literal["objects", "arrays", "scalars"] | None
Schema = Any

NAMES = ("a", "b", "c", "ab", "x1", "")
PATTERNS = (
    *("^a", "b", "^[ab]*$", "^x[0-9]+$", "a$", "^.{2,3}$", "^(a|b)c?$", "^[^a]", "^a*$", "[0-9]", "^$"),
    *("a.b", "^(?=a)", "^(?!ab).*$", r"^\w$", r"\d"),
)
NUMBERS = (0, 1, 2, 3, 5, 10, -1, -3, 0.5, 1.5, 2.0, 7, 0.3, 1e20, 2**53 + 1)
STRINGS = ("", "a", "b", "ab", "abc", "x1", "bb", "a\nb", "é", "ac", "😀")
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
FOCUSED = {"objects": ("object",), "arrays": ("array",), "scalars": ("string", "number", "integer")}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
SCALAR_KEYWORDS = {
    "string": ("pattern", "pattern", "minLength", "maxLength", "format"),
    "number": ("multipleOf", *BOUNDS),
    "integer": ("multipleOf", *BOUNDS),
}
IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies")
URIS = {
    "draft-07": "http://json-schema.org/draft-07/schema#",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}


class Drawing:
    """Draws schemas of one dialect. A `$ref` never leads back to itself without going into the instance."""

    def __init__(self, draw: random.Random, dialect: Dialect, focus: Focus = None) -> None:
        self.draw = draw
        self.dialect = dialect
        self.focus = focus
        self.modern = dialect == "2020-12"
        self.bag = "$defs" if self.modern else "definitions"
        self._definitions = 0

    def document(self, depth: int = 4) -> Schema:
        """A whole schema, sometimes with definitions."""
        if self.draw.random() < 0.03:
            return self.draw.random() < 0.5
        self._definitions = self.draw.choice((0, 0, 0, 1, 2))
        schema = self._object(self.draw.randint(1, depth), -1, deep=False)
        if self._definitions:
            schema[self.bag] = {
                f"d{n}": self._definition(self.draw.randint(0, 2), n) for n in range(self._definitions)
            }
        schema["$schema"] = URIS[self.dialect]
        return schema

    def schema(self, depth: int, level: int = 99, *, deep: bool = True) -> Schema:
        """A subschema; `level` is its definition, `deep` whether it is about a part of the instance."""
        kind = self.draw.random()
        if kind < 0.08:
            return self.draw.random() < 0.6
        if kind < (0.35 if self._definitions else 0.14) and (targets := self._targets(level, deep=deep)):
            return self._reference(self.draw.choice(targets), depth, level, deep=deep)
        return self._object(depth, level, deep=deep)

    def _definition(self, depth: int, level: int) -> Schema:
        schema = self._object(depth, level, deep=False)
        if self.modern:
            schema |= {"$anchor": f"n{level}", "$dynamicAnchor": f"m{level}"}
        return schema

    def value(self, depth: int = 1) -> Any:
        """A small JSON value."""
        kind = self.draw.randint(0, 8 if depth else 6)
        if kind < 3:
            return self.draw.choice(STRINGS)
        if kind < 5:
            return self.draw.choice(NUMBERS)
        if kind < 7:
            return self.draw.choice((True, False, None))
        if kind == 7:
            return [self.value(0) for _ in range(self.draw.randint(0, 3))]
        return {self.draw.choice(NAMES): self.value(0) for _ in range(self.draw.randint(0, 2))}

    def keyword(self, depth: int, level: int, *, deep: bool) -> dict[str, Any]:
        """One keyword, or a few that go together."""
        families: dict[str, Callable[[int, int], dict[str, Any]]] = {
            "objects": self._objects,
            "arrays": self._arrays,
            "scalars": self._scalars,
        }
        if depth > 0 and self.draw.random() < 0.3:
            return self._combining(depth, level, deep=deep)
        asked = self.focus if self.focus and self.draw.random() < 0.8 else self.draw.choice(list(families))
        return families[asked](depth, level)

    def _reference(self, target: str, depth: int, level: int, *, deep: bool) -> dict[str, Any]:
        """A reference, by pointer or anchor; what stands beside it counts in 2020-12 only."""
        beside = self.keyword(depth, level, deep=deep) if depth and self.draw.random() < 0.3 else {}
        kind = self.draw.random()
        if self.modern and kind < 0.3 and target != "#":
            number = target[-1]
            by_anchor = {"$ref": f"#n{number}"} if kind < 0.15 else {"$dynamicRef": f"#m{number}"}
            return {**beside, **by_anchor}
        return {**beside, "$ref": target}

    def _targets(self, level: int, *, deep: bool) -> list[str]:
        first = 0 if deep else level + 1
        own = ["#"] if deep else []
        return own + [f"#/{self.bag}/d{number}" for number in range(first, self._definitions)]

    def _object(self, depth: int, level: int, *, deep: bool) -> dict[str, Any]:
        schema: dict[str, Any] = {}
        if self.draw.random() < 0.75:
            usual = FOCUSED[self.focus] if self.focus and self.draw.random() < 0.7 else TYPES
            schema["type"] = (
                self.draw.choice(usual)
                if self.draw.random() < 0.8
                else self.draw.sample(TYPES, self.draw.randint(1, 3))
            )
        family = {"object": self._objects, "array": self._arrays}.get(str(schema.get("type")))
        for _ in range(self.draw.choice((1, 1, 2, 3, 4) if depth else (0, 1, 2))):
            relevant = self.draw.random() < 0.75
            if relevant and family:
                schema.update(family(depth, level))
            elif relevant and str(schema.get("type")) in SCALAR_KEYWORDS:
                schema.update(self._scalar(self.draw.choice(SCALAR_KEYWORDS[str(schema["type"])])))
            else:
                schema.update(self.keyword(depth, level, deep=deep))
        return schema

    def _inner(self, depth: int) -> Schema:
        return (
            self.schema(depth - 1)
            if depth > 0
            else self.draw.choice((True, False, {"type": self.draw.choice(TYPES)}))
        )

    def _count(self) -> int:
        return self.draw.choice((0, 1, 1, 2, 2, 3, 4))

    def _objects(self, depth: int, level: int) -> dict[str, Any]:
        names = self.draw.sample(NAMES, self.draw.randint(1, 3))
        kinds = ["properties"] * 4 + ["required"] * 2 + ["additionalProperties"] * 2
        kinds += ["patternProperties", "propertyNames", "minProperties", "maxProperties", "depending"]
        kind = self.draw.choice(kinds + ["unevaluatedProperties"] * self.modern)
        match kind:
            case "properties":
                return {kind: {name: self._inner(depth) for name in names}}
            case "required":
                return {kind: names}
            case "patternProperties":
                return {kind: {pattern: self._inner(depth) for pattern in self.draw.sample(PATTERNS, 1)}}
            case "propertyNames":
                return {
                    kind: self.draw.choice(
                        (
                            {"pattern": self.draw.choice(PATTERNS)},
                            {"maxLength": self._count()},
                            {"enum": list(names)},
                        )
                    )
                }
            case "minProperties" | "maxProperties":
                return {kind: self._count()}
            case "depending":
                keyword = "dependentRequired" if self.modern else "dependencies"
                return {keyword: {names[0]: self.draw.sample(NAMES, self.draw.randint(0, 2))}}
            case _:
                return {kind: self.draw.choice((False, False, self._inner(depth)))}

    def _arrays(self, depth: int, level: int) -> dict[str, Any]:
        several = [self._inner(depth) for _ in range(self.draw.randint(1, 3))]
        kinds = ["items"] * 3 + ["tuple"] * 2 + ["minItems", "maxItems", "uniqueItems", "contains"]
        match kind := self.draw.choice(kinds + ["unevaluatedItems", "contained"] * self.modern):
            case "tuple" if self.modern:
                return {"prefixItems": several}
            case "tuple":
                return {
                    "items": several,
                    "additionalItems": self.draw.choice((True, False, self._inner(depth))),
                }
            case "minItems" | "maxItems":
                return {kind: self._count()}
            case "uniqueItems":
                return {kind: self.draw.random() < 0.9}
            case "contained":
                counts = {"minContains": self._count(), "maxContains": self._count()}
                kept = self.draw.choice((("minContains",), ("maxContains",), tuple(counts)))
                return {"contains": self._inner(depth), **{name: counts[name] for name in kept}}
            case _:
                return {kind: self._inner(depth)}

    def _scalars(self, depth: int, level: int) -> dict[str, Any]:
        kinds = ("const", "enum", "enum", *SCALAR_KEYWORDS["string"], *SCALAR_KEYWORDS["number"])
        return self._scalar(self.draw.choice(kinds))

    def _scalar(self, kind: str) -> dict[str, Any]:
        match kind:
            case "const":
                return {kind: self.value()}
            case "enum":
                values = [self.value() for _ in range(self.draw.randint(1, 4))]
                return {
                    kind: [
                        each
                        for place, each in enumerate(values)
                        if not any(same(each, other) for other in values[:place])
                    ]
                }
            case "pattern":
                return {kind: self.draw.choice(PATTERNS)}
            case "format":
                return {kind: self.draw.choice(("date", "email", "uuid", "unheard-of"))}
            case "minLength" | "maxLength":
                return {kind: self._count()}
            case "multipleOf":
                return {kind: self.draw.choice((1, 2, 3, 0.5, 1.5, 0.1, 10))}
            case _:
                return {kind: self.draw.choice(NUMBERS)}

    def _combining(self, depth: int, level: int, *, deep: bool) -> dict[str, Any]:
        def here() -> Schema:
            return self.schema(depth - 1, level, deep=deep)

        match kind := self.draw.choice(("allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas")):
            case "not":
                return {kind: here()}
            case "if":
                return {
                    "if": here(),
                    **{name: here() for name in ("then", "else") if self.draw.random() < 0.7},
                }
            case "dependentSchemas":
                return {kind if self.modern else "dependencies": {self.draw.choice(NAMES): here()}}
            case _:
                return {kind: [here() for _ in range(self.draw.randint(1, 3))]}


def same(one: object, other: object) -> bool:
    """Whether two JSON values are one: numbers by value, `true` is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


def edited(drawing: Drawing, schema: Schema, times: int) -> Schema:
    """The schema after a few edits such as people make."""
    changed = deepcopy(schema)
    for _ in range(times):
        places = [place for place in subschemas(changed) if isinstance(place[0], dict)]
        if not places:
            return drawing.document()
        place, deep, level = drawing.draw.choice(places)
        _edit(drawing, place, deep=deep, level=level)
    return changed


def subschemas(schema: Schema, *, deep: bool = False, level: int = -1) -> Iterator[tuple[Any, bool, int]]:
    """Each subschema, whether it is about a part of the instance, and the definition it stands in."""
    yield schema, deep, level
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in ("$defs", "definitions"):
            for number, each in enumerate(value.values()):
                yield from subschemas(each, deep=False, level=number)
        elif keyword in ("const", "enum", "required", "type", "dependentRequired"):
            continue
        elif isinstance(value, dict) and keyword in (
            "properties",
            "patternProperties",
            "dependentSchemas",
            "dependencies",
        ):
            for each in value.values():
                yield from subschemas(each, deep=deep or keyword not in IN_PLACE, level=level)
        elif isinstance(value, dict | list):
            for each in value if isinstance(value, list) else [value]:
                yield from subschemas(each, deep=deep or keyword not in IN_PLACE, level=level)


def _edit(drawing: Drawing, place: dict[str, Any], *, deep: bool, level: int) -> None:
    draw = drawing.draw
    own = [
        name for name in place if name not in ("$schema", "$defs", "definitions", "$anchor", "$dynamicAnchor")
    ]
    numbers = [
        name
        for name in own
        if isinstance(place[name], int | float)
        and name not in ("const", "uniqueItems", "multipleOf")
        and not isinstance(place[name], bool)
    ]
    lists = [name for name in own if isinstance(place[name], list) and len(place[name]) > 1]
    kind = draw.random()
    if kind < 0.2 and numbers:
        name = draw.choice(numbers)
        place[name] = max(
            place[name] + draw.choice((-1, 1)),
            0 if name.startswith(("minL", "maxL", "minI", "maxI", "minP", "maxP", "minC", "maxC")) else -9,
        )
    elif kind < 0.3 and lists:
        place[draw.choice(lists)].pop(draw.randint(0, 1))
    elif kind < 0.4 and "enum" in place:
        value = drawing.value()
        place["enum"] += [] if any(same(value, other) for other in place["enum"]) else [value]
    elif kind < 0.55 and own:
        del place[draw.choice(own)]
    elif kind < 0.75:
        place.update(drawing.keyword(1, level, deep=deep))
    elif kind < 0.85:
        place["type"] = draw.choice((draw.choice(TYPES), draw.sample(TYPES, 2)))
    else:
        _wrap(drawing, place, own, deep=deep, level=level)


def _wrap(drawing: Drawing, place: dict[str, Any], own: list[str], *, deep: bool, level: int) -> None:
    """Say the same, or nearly, in another way."""
    moved = {name: place.pop(name) for name in own}
    other = drawing.schema(0, level, deep=deep)
    match drawing.draw.randint(0, 5):
        case 0:
            place["allOf"] = [moved]
        case 1:
            place["anyOf"] = [moved, other]
        case 2:
            place["oneOf"] = [moved]
        case 3:
            place["not"] = {"not": moved}
        case 4:
            place["allOf"] = [{name: value} for name, value in moved.items()] or [True]
        case _:
            place.update({"if": other, "then": moved, "else": deepcopy(moved)})
