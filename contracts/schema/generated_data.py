"""Made-up data that is valid under a schema: the same for the same seed, small and large, at the bounds too.

All data is checked, so the generator may guess where a schema is hard: a wrong guess is discarded. The first
instance has as little, the second as much as the schema allows; the others are random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from contracts.schema.dialect import Schema
from contracts.schema.generated_text import NoInstanceError, made_text
from contracts.schema.references import Subschema, root_of

TRIES_PER_INSTANCE: Final = 20
_DEEPEST: Final = 12
_DEEPEST_OF_ALL: Final = 40
_MOST_VALUES: Final = 200
_MOST_VALUES_OF_ALL: Final = 2_000
_MOST_ITEMS: Final = 6
_TYPES: Final = ("string", "integer", "number", "boolean", "null", "array", "object")
_SPEAKS_OF: Final = {
    "object": frozenset(
        {"properties", "required", "additionalProperties", "minProperties", "patternProperties"}
    ),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"}),
    "string": frozenset({"pattern", "minLength", "maxLength", "format"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}


def instances(
    schema: Schema, references: Mapping[str, Schema], is_valid: Callable[[object], bool], *, seed: int = 0
) -> Iterator[Any]:
    """Valid data without end, or until `TRIES_PER_INSTANCE` tries in a row fail.

    Args:
        schema: The schema of the data.
        references: Further schemas by their `$id`.
        is_valid: Whether data is valid.
        seed: Of the random numbers.
    """
    random = Random(seed)  # noqa: S311 - draws examples, keeps no secret
    root = root_of(schema, references)
    tries, count = 0, 0
    while tries < TRIES_PER_INSTANCE:
        tries += 1
        maker = _Maker(random, wealth={0: 0.0, 1: 1.0}.get(count, random.random()))
        try:
            made = maker.make([root])
        except (NoInstanceError, RecursionError):
            continue
        finally:
            count += 1
        if is_valid(made):
            tries = 0
            yield made


class _Maker:
    """Makes one instance; `wealth` is how likely it has what it may leave out."""

    def __init__(self, random: Random, wealth: float) -> None:
        self._random = random
        self._wealth = wealth
        self._depth = 0
        self._values = 0

    def make(self, schemas: list[Subschema]) -> Any:
        """A value that all schemas of one place may take."""
        self._depth += 1
        self._values += 1
        if self._depth > _DEEPEST_OF_ALL or self._values > _MOST_VALUES_OF_ALL:
            raise NoInstanceError
        try:
            nodes = self._together(schemas)
            fixed = self._fixed([node.schema for node in nodes])
            if fixed is not None:
                return self._random.choice(fixed)
            match self._type([node.schema for node in nodes]):
                case "object":
                    return self._object(nodes)
                case "array":
                    return self._array(nodes)
                case "string":
                    return made_text([node.schema for node in nodes], self._random)
                case "boolean":
                    return self._random.random() < 0.5
                case "null":
                    return None
                case kind:
                    return self._number([node.schema for node in nodes], whole=kind == "integer")
        finally:
            self._depth -= 1

    def _has(self) -> bool:
        small = self._depth <= _DEEPEST and self._values <= _MOST_VALUES
        return small and self._random.random() < self._wealth

    def _together(self, schemas: list[Subschema]) -> list[Subschema]:
        """Every schema that speaks about the place, one of each set of alternatives drawn."""
        found: list[Subschema] = []
        rest = list(schemas)
        while rest:
            here = rest.pop()
            if len(found) > 100:
                raise NoInstanceError
            found.append(here)
            schema = here.schema
            if "$ref" in schema:
                reached = here.target()
                if reached is None:
                    raise NoInstanceError
                rest.append(reached)
            rest += [_inner(here, node) for node in schema.get("allOf", ())]
            for keyword in ("anyOf", "oneOf"):
                if branches := schema.get(keyword):
                    rest.append(_inner(here, self._random.choice(branches)))
            if "if" in schema:
                ways = [("if", "then"), ("else",)]
                rest += [_inner(here, schema[name]) for name in self._random.choice(ways) if name in schema]
        return found

    def _fixed(self, nodes: list[Mapping[str, Any]]) -> list[Any] | None:
        listed = [node["enum"] if "enum" in node else [node["const"]] for node in nodes if _is_fixed(node)]
        if not listed:
            return None
        chosen = [value for value in listed[0] if all(value in other for other in listed)]
        if not chosen:
            raise NoInstanceError
        return chosen

    def _type(self, nodes: list[Mapping[str, Any]]) -> str:
        allowed = set(_TYPES)
        for node in nodes:
            if (named := node.get("type")) is not None:
                kinds = {named} if isinstance(named, str) else set(named)
                allowed &= kinds | ({"integer"} if "number" in kinds else set())
        if len(allowed) == len(_TYPES):
            spoken = {
                kind for kind, words in _SPEAKS_OF.items() for node in nodes if any(w in node for w in words)
            }
            allowed = spoken or allowed
        if not allowed:
            raise NoInstanceError
        return self._random.choice(sorted(allowed))

    def _object(self, nodes: list[Subschema]) -> dict[str, Any]:
        declared: dict[str, list[Subschema]] = {}
        for node in nodes:
            for name, schema in node.schema.get("properties", {}).items():
                declared.setdefault(name, []).append(_inner(node, schema))
        required = {name for node in nodes for name in node.schema.get("required", ())}
        names = [name for name in declared if name in required or self._has()]
        for node in nodes:
            for name, more in node.schema.get("dependentRequired", {}).items():
                names += [other for other in more if name in names and other not in names]
        made = {name: self.make(declared[name]) for name in names if name in declared}
        for name in sorted(required - made.keys()):
            made[name] = self.make(_others(nodes))
        self._fill(nodes, made)
        return made

    def _fill(self, nodes: list[Subschema], made: dict[str, Any]) -> None:
        """Add properties that no schema names, where the schemas describe such."""
        least = max((node.schema.get("minProperties", 0) for node in nodes), default=0)
        free = any(_describes_others(node.schema) for node in nodes)
        wanted = max(least, len(made) + (self._random.randint(1, 3) if free and self._has() else 0))
        patterns = [text for node in nodes for text in node.schema.get("patternProperties", {})]
        named = [
            node.schema["propertyNames"]
            for node in nodes
            if isinstance(node.schema.get("propertyNames"), Mapping)
        ]
        if wanted > _MOST_VALUES_OF_ALL:
            raise NoInstanceError
        for _ in range(2 * (wanted - len(made))):
            if len(made) >= wanted:
                return
            schemas = (
                [*named, {"pattern": self._random.choice(patterns)}]
                if patterns
                else named or [{"maxLength": 8}]
            )
            name = made_text([{"minLength": 1}, *schemas], self._random)
            made.setdefault(name, self.make(_others(nodes)))

    def _array(self, nodes: list[Subschema]) -> list[Any]:
        least = max((node.schema.get("minItems", 0) for node in nodes), default=0)
        most = min((node.schema.get("maxItems", least + _MOST_ITEMS) for node in nodes), default=_MOST_ITEMS)
        top = min(most, least + _MOST_ITEMS)
        length = (top if self._wealth == 1.0 else self._random.randint(least, top)) if self._has() else least
        if length > _MOST_VALUES_OF_ALL:
            raise NoInstanceError
        unique = any(node.schema.get("uniqueItems") for node in nodes)
        made: list[Any] = []
        for _ in range(4 * length):
            if len(made) >= length:
                break
            item = self.make(_items(nodes, len(made)))
            if not (unique and item in made):
                made.append(item)
        for node in nodes:
            if isinstance(contained := node.schema.get("contains"), Mapping):
                self._contain(nodes, _inner(node, contained), node.schema.get("minContains", 1), made)
        return made

    def _contain(self, nodes: list[Subschema], contained: Subschema, count: int, made: list[Any]) -> None:
        """Put items of a kind last, in place of others."""
        start = max(0, len(made) - count)
        made[start:] = [self.make([contained, *_items(nodes, start + more)]) for more in range(count)]

    def _number(self, nodes: list[Mapping[str, Any]], *, whole: bool) -> float:
        lows = [node["minimum"] for node in nodes if "minimum" in node]
        highs = [node["maximum"] for node in nodes if "maximum" in node]
        step = 1 if whole else 0.01
        lows += [node["exclusiveMinimum"] + step for node in nodes if "exclusiveMinimum" in node]
        highs += [node["exclusiveMaximum"] - step for node in nodes if "exclusiveMaximum" in node]
        low = max(lows) if lows else min([0, *(high - 1000 for high in highs)])
        high = min(highs) if highs else low + 1_000_000
        multiples = [node["multipleOf"] for node in nodes if "multipleOf" in node]
        if multiples:
            unit = max(multiples)
            first, last = -(-low // unit), high // unit
            if first > last:
                raise NoInstanceError
            count = self._random.choice([int(first), int(last), self._random.randint(int(first), int(last))])
            multiple: float = count * unit
            return multiple
        if whole:
            low, high = -(-low // 1), high // 1
            if low > high:
                raise NoInstanceError
            return int(self._random.choice([low, high, self._random.randint(int(low), int(high))]))
        return float(self._random.choice([low, high, round(self._random.uniform(low, high), 2)]))


def _inner(here: Subschema, node: Any) -> Subschema:
    if isinstance(node, Mapping):
        return here.inner(node)
    if node is False:
        raise NoInstanceError
    return here.inner(True)


def _is_fixed(node: Mapping[str, Any]) -> bool:
    return "enum" in node or "const" in node


def _describes_others(schema: Mapping[str, Any]) -> bool:
    return "patternProperties" in schema or isinstance(schema.get("additionalProperties"), Mapping)


def _others(nodes: list[Subschema]) -> list[Subschema]:
    """What the schemas say about a property that none of them names."""
    found = []
    for node in nodes:
        more = node.schema.get("additionalProperties", {})
        found += [_inner(node, schema) for schema in node.schema.get("patternProperties", {}).values()]
        found += [_inner(node, more)] if isinstance(more, Mapping) else []
    return found or [nodes[0].inner(True)]


def _items(nodes: list[Subschema], index: int) -> list[Subschema]:
    found = []
    for node in nodes:
        items = node.schema.get("items", {})
        first = items if isinstance(items, list) else node.schema.get("prefixItems", [])
        rest = node.schema.get("additionalItems", {}) if isinstance(items, list) else items
        found.append(_inner(node, first[index] if index < len(first) else rest))
    return found
