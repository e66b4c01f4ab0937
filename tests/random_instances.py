"""Random instances that come close to a schema: from its structure, its constants and its bounds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from contracts.patterns import Language, PatternError
from tests.random_schemas import NAMES, NUMBERS, STRINGS, subschemas

Schema = Any


class Sampler:
    """Draws values from what one or more schemas of a pair say."""

    def __init__(self, draw: random.Random, *schemas: Schema) -> None:
        self._draw = draw
        self.strings = list(STRINGS)
        self.numbers: list[float] = list(NUMBERS)
        self.names = list(NAMES)
        self.values: list[Any] = [None, True, False, [], {}]
        for schema in schemas:
            for place, _, _ in subschemas(schema):
                if isinstance(place, dict):
                    self._learn(place)

    def near(self, root: Schema, schema: Schema, depth: int = 3) -> Any:
        """A value that the schema may well accept."""
        schema = self._resolved(root, schema)
        if not isinstance(schema, dict) or self._draw.random() < 0.05:
            return self.anything(depth)
        if "const" in schema and self._draw.random() < 0.9:
            return schema["const"]
        if schema.get("enum") and self._draw.random() < 0.9:
            return self._draw.choice(schema["enum"])
        merged = self._merged(root, schema, 4)
        types = merged.get("type") or self._suggested(merged)
        kind = self._draw.choice(types) if isinstance(types, list) else types
        return self._of_type(root, merged, kind, depth)

    def anything(self, depth: int = 1) -> Any:
        """Any value the schemas speak of, or one put together from such."""
        kind = self._draw.random()
        if kind < 0.25:
            return self._draw.choice(self.values)
        if kind < 0.5 or depth <= 0:
            return self._draw.choice(self.strings if self._draw.random() < 0.5 else self.numbers)
        if kind < 0.75:
            return [self.anything(depth - 1) for _ in range(self._draw.randint(0, 4))]
        return {
            self._draw.choice(self.names): self.anything(depth - 1) for _ in range(self._draw.randint(0, 4))
        }

    def mutated(self, value: Any) -> Any:
        """The value with one part of it changed."""
        draw = self._draw
        if isinstance(value, dict) and (value or draw.random() < 0.5):
            changed = dict(value)
            kind = draw.random()
            if kind < 0.3 and changed:
                del changed[draw.choice(list(changed))]
            elif kind < 0.65 or not changed:
                changed[draw.choice(self.names)] = self.anything()
            else:
                name = draw.choice(list(changed))
                changed[name] = self.mutated(changed[name])
            return changed
        if isinstance(value, list) and (value or draw.random() < 0.5):
            items = list(value)
            kind = draw.random()
            if kind < 0.3 and items:
                items.pop(draw.randrange(len(items)))
            elif kind < 0.6 or not items:
                items.insert(draw.randint(0, len(items)), draw.choice([*value, self.anything()]))
            else:
                place = draw.randrange(len(items))
                items[place] = self.mutated(items[place])
            return items
        return self.anything()

    def _learn(self, place: dict[str, Any]) -> None:
        constants = [*([place["const"]] if "const" in place else []), *place.get("enum", [])]
        self.values += constants
        self.names += [
            *place.get("properties", {}),
            *place.get("required", []),
            *(c for c in constants if isinstance(c, str)),
        ]
        for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
            if keyword in place:
                bound = place[keyword]
                self.numbers += [bound, bound + 1, bound - 1, bound + 0.5, bound * 2, -bound]
        for keyword in ("minLength", "maxLength"):
            if keyword in place:
                self.strings += [
                    "a" * length for length in range(max(place[keyword] - 1, 0), place[keyword] + 2)
                ]
        for pattern in [
            *place.get("patternProperties", ()),
            *([place["pattern"]] if "pattern" in place else []),
        ]:
            words = _words(pattern)
            self.strings += words
            self.names += words

    def _resolved(self, root: Schema, schema: Schema) -> Schema:
        for _ in range(8):
            if not isinstance(schema, dict) or not ("$ref" in schema or "$dynamicRef" in schema):
                return schema
            name = schema.get("$ref") or schema["$dynamicRef"]
            definitions = root.get("$defs", root.get("definitions"))
            schema = root if name == "#" else definitions[f"d{name[-1]}"]
        return schema

    def _merged(self, root: Schema, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """The schema with one branch of each choice poured in."""
        merged = dict(schema)
        branches = list(schema.get("allOf", []))
        branches += [self._draw.choice(schema[name]) for name in ("anyOf", "oneOf") if schema.get(name)]
        branches += (
            [schema[self._draw.choice(("then", "else"))]] if {"if", "then", "else"} <= schema.keys() else []
        )
        for branch in branches if depth else ():
            resolved = self._resolved(root, branch)
            if isinstance(resolved, dict):
                for name, value in self._merged(root, resolved, depth - 1).items():
                    held = merged.get(name)
                    if isinstance(held, dict) and isinstance(value, dict):
                        merged[name] = {**held, **value}
                    elif name == "required" and isinstance(held, list):
                        merged[name] = [*held, *value]
                    else:
                        merged[name] = value
        return merged

    def _suggested(self, schema: dict[str, Any]) -> str:
        if any(name.endswith(("roperties", "required")) for name in schema):
            return "object"
        if any(name.endswith("tems") or name == "contains" for name in schema):
            return "array"
        return self._draw.choice(("object", "array", "string", "number", "null", "boolean"))

    def _of_type(self, root: Schema, schema: dict[str, Any], kind: str, depth: int) -> Any:
        match kind:
            case "object" if depth > 0:
                return self._object(root, schema, depth)
            case "array" if depth > 0:
                return self._array(root, schema, depth)
            case "string":
                return self._draw.choice(
                    _words(schema["pattern"])
                    if "pattern" in schema and self._draw.random() < 0.5
                    else self.strings
                )
            case "number" | "integer":
                number = self._draw.choice(self.numbers)
                return int(number) if kind == "integer" and self._draw.random() < 0.8 else number
            case "boolean":
                return self._draw.random() < 0.5
            case "null":
                return None
            case _:
                return {} if kind == "object" else []

    def _object(self, root: Schema, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        declared = schema.get("properties", {})
        names = [name for name in declared if self._draw.random() < 0.5]
        names += [name for name in schema.get("required", []) if self._draw.random() < 0.95]
        names += self._draw.sample(self.names, min(self._draw.choice((0, 0, 1, 2)), len(self.names)))
        while len(set(names)) < min(schema.get("minProperties", 0), 6) and self._draw.random() < 0.9:
            names.append(self._draw.choice(self.names))
        rest = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
        return {name: self.near(root, declared.get(name, rest), depth - 1) for name in dict.fromkeys(names)}

    def _array(self, root: Schema, schema: dict[str, Any], depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", True)
        if isinstance(items, list):
            prefix, items = items, schema.get("additionalItems", True)
        low = min(schema.get("minItems", 0), 5)
        length = self._draw.choice((low, low, low + 1, len(prefix), self._draw.randint(0, 4)))
        inner = [*prefix, *[self._draw.choice((items, schema.get("contains", items))) for _ in range(5)]]
        return [self.near(root, each, depth - 1) for each in inner[:length]]


@lru_cache(maxsize=256)
def _words(pattern: str) -> list[str]:
    try:
        return Language.pattern(pattern).some(6) or ["a"]
    except PatternError:
        return ["a"]


def valid_instances(
    draw: random.Random,
    schema: Schema,
    others: tuple[Schema, ...],
    tries: int,
    accepts: Callable[[Any], bool],
) -> Iterator[Any]:
    """Instances that the schema accepts, some of them neighbours of others."""
    sampler = Sampler(draw, schema, *others)
    found: list[Any] = []
    for attempt in range(tries):
        if found and attempt % 3 == 0:
            value = sampler.mutated(draw.choice(found[-20:]))
        else:
            source = schema if attempt % 2 or not others else draw.choice(others)
            value = sampler.near(source, source)
        if accepts(value):
            found.append(value)
            yield value
