"""Schemas of every draft as formulas, keyword by keyword.

What a keyword means is one row of a table, with the drafts that have it. A keyword that no draft has is an
annotation; one that cannot be understood becomes an opaque part, which can prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Final, TypeAlias

from contracts.compatibility.containment.evaluation_count import EvaluationCount
from contracts.compatibility.containment.names import all_but, these
from contracts.compatibility.containment.nodes import TYPES, JsonType, Node, Space
from contracts.compatibility.containment.parts import (
    each,
    everywhere,
    exactly_one,
    longer,
    node_of_value,
    node_of_values,
    required,
    shorter,
    whole,
)
from contracts.compatibility.containment.results import NotUnderstoodError
from contracts.compatibility.containment.unevaluated import (
    Inner,
    followed,
    unevaluated_items,
    unevaluated_properties,
)
from contracts.compatibility.containment.values import exact, is_number
from contracts.schema.formats import ASSERTED
from contracts.schema.references import REFERENCES, Resolver, Subschema, UnresolvableError

MAX_NESTED: Final = 30
_Meaning: TypeAlias = Callable[["FormulaBuilder", Subschema, Any], Node]


class FormulaBuilder:
    """Turns subschemas into formulas, each once."""

    def __init__(self, space: Space, spend: Callable[[], None], *, assert_formats: bool) -> None:
        self.space = space
        self._spend = spend
        self.assert_formats = assert_formats
        self.annotations: set[str] = set()
        self._read: dict[Subschema, Node] = {}
        self._reading: set[Subschema] = set()
        self.evaluation_count = EvaluationCount()
        """How often the schemas read so far are applied to one value."""
        self._at: Subschema | None = None
        self._names: dict[Resolver, str] = {}

    def root(self, resolver: Resolver, name: str) -> Node:
        """The formula of a whole schema.

        Args:
            resolver: Of the schema.
            name: What reasons call it, such as `the old schema`.
        """
        self._names[resolver] = name
        return self.of(resolver.root)

    def read(self, sub: Node) -> Node:
        """The formula that a `sub` formula stands for."""
        place, positive = sub.args
        node = self.of(place)
        return node if positive else self.space.negate(node)

    def circle(self, place: Subschema) -> Node:
        """The formula of a subschema that comes back to itself about the same value; it proves nothing."""
        return self.space.opaque(f"circle {id(place)}", lambda: self.circular_at(place))

    def circular_at(self, place: Subschema) -> str:
        """What a reference that leads back to itself is called."""
        return f"a `$ref` leads back to itself, at {self._placed(place)}"

    def _placed(self, place: Subschema, *more: str) -> str:
        return f"{place.resolver.pointer_to(place.schema, *more)} of {self._names[place.resolver]}"

    def inner(self, place: Subschema, schema: Any) -> Node:
        """A schema inside another; read now, or later where it is deep or refers back."""
        if isinstance(schema, bool):
            return self.space.true if schema else self.space.false
        if not isinstance(schema, Mapping):
            raise NotUnderstoodError("a schema is neither an object nor a boolean")
        return self.now_or_later(place.inner(schema)) if schema else self.space.true

    def now_or_later(self, place: Subschema) -> Node:
        """The formula of a subschema, postponed where it is being read already or deep."""
        if self._at is not None:
            self.evaluation_count.add(self._at, place)
        if place in self._read:
            return self._read[place]
        if place in self._reading or len(self._reading) > MAX_NESTED:
            return self.space.sub(place)
        return self.of(place)

    def followed(self, place: Subschema, keyword: str) -> Node:
        """What a reference leads to."""
        target = followed(place, keyword)
        if isinstance(target, bool):
            return self.space.true if target else self.space.false
        return self.now_or_later(target)

    def of(self, place: Subschema) -> Node:
        """The formula of a subschema."""
        if place not in self._read:
            self._spend()
            before = self._at
            self._reading.add(place)
            try:
                self._read[place] = self._all_keywords(place)
            finally:
                self._reading.discard(place)
                self._at = before
        return self._read[place]

    def _all_keywords(self, place: Subschema) -> Node:
        schema = place.schema
        keywords = ["$ref"] if place.draft <= 7 and "$ref" in schema else list(schema)
        parts: list[Node] = []
        for keyword in keywords:
            row = KEYWORDS.get(keyword)
            if row is None or not row[0] <= place.draft <= row[1]:
                self._annotates(keyword)
                continue
            self._at = place if keyword in _SAME_VALUE else None
            try:
                parts.append(row[2](self, place, schema[keyword]))
            except UnresolvableError as error:
                parts.append(self._unresolved(place, keyword, error))
            except NotUnderstoodError as error:
                why = partial(self._told, str(error), place, keyword)
                parts.append(self.space.opaque(f"{id(schema)}:{keyword}", why))
        return self.space.all_of(parts)

    def _unresolved(self, place: Subschema, keyword: str, error: UnresolvableError) -> Node:
        """A `$ref` that leads nowhere: unknown, and the same wherever the same is meant."""
        key = f"{id(place.schema)}:{keyword}"
        if keyword == "$ref" and (uri := place.resolver.meant(place, keyword)):
            key = f"$ref {uri}"
        said = str(place.schema[keyword])[:200]
        return self.space.opaque(key, partial(self._told, f"`{keyword}` `{said}` {error}", place, keyword))

    def _told(self, what: str, place: Subschema, keyword: str) -> str:
        return f"{what}, at {self._placed(place, keyword)}"

    def _annotates(self, keyword: str) -> None:
        if keyword not in _ANNOTATIONS:
            self.annotations.add(keyword)


def _listed(value: Any, keyword: str) -> list[Any]:
    if not isinstance(value, list):
        raise NotUnderstoodError(f"`{keyword}` is not an array")
    return value


def _named(value: Any, keyword: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotUnderstoodError(f"`{keyword}` is not an object")
    return value


def _words(value: Any, keyword: str) -> list[str]:
    words = _listed(value, keyword)
    if not all(isinstance(word, str) for word in words):
        raise NotUnderstoodError(f"`{keyword}` holds what is no name")
    return words


def _type(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    names = value if isinstance(value, list) else [value]
    types: set[JsonType] = set()
    for name in names:
        if not isinstance(name, str) or (name not in TYPES and name != "integer"):
            raise NotUnderstoodError("`type` names no type of JSON")
        types.update(of for of in TYPES if of == name)
    parts = [builder.space.types(types)]
    if "integer" in names and "number" not in names:
        parts.append(builder.space.strong("number", "mul", Fraction(1)))
    return builder.space.any_of(parts)


def _enum(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    return node_of_values(builder.space, _listed(value, "enum"))


def _const(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    return node_of_value(builder.space, value)


def _bound(kind: str, old_keyword: str) -> _Meaning:
    def read(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
        is_open = place.draft == 4 and place.schema.get(old_keyword) is True
        return builder.space.literal("number", kind, _number(value), is_open)

    return read


def _open_bound(kind: str) -> _Meaning:
    def read(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
        if place.draft == 4 and isinstance(value, bool):
            return builder.space.true
        if place.draft == 4:
            raise NotUnderstoodError("an exclusive bound of draft-04 is no boolean")
        return builder.space.literal("number", kind, _number(value), True)

    return read


def _number(value: Any) -> Fraction:
    if not is_number(value):
        raise NotUnderstoodError("a bound is not a number")
    return exact(value)


def _multiple(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    factor = _number(value)
    if factor <= 0:
        raise NotUnderstoodError("`multipleOf` is not positive")
    return builder.space.literal("number", "mul", factor)


def _size(of: JsonType, kind: str) -> _Meaning:
    make = longer if kind == "longer" else shorter

    def read(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
        return make(builder.space, of, whole(value, "a length"))

    return read


def _pattern(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    if not isinstance(value, str):
        raise NotUnderstoodError("`pattern` is not a string")
    return builder.space.literal("string", "pattern", value)


def _format(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    if builder.assert_formats and isinstance(value, str) and value in ASSERTED:
        return builder.space.literal("string", "format", value)
    return builder.space.true


def _unique(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    if not isinstance(value, bool):
        raise NotUnderstoodError("`uniqueItems` is not a boolean")
    return builder.space.literal("array", "unique") if value else builder.space.true


def _tuple(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return builder.space.all_of(
        each(builder.space, index, index + 1, builder.inner(place, item))
        for index, item in enumerate(_listed(value, "prefixItems"))
    )


def _items(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    if isinstance(value, list):
        if place.draft >= 2020:
            raise NotUnderstoodError("`items` is an array, which 2020-12 has not")
        return _tuple(builder, place, value)
    prefix = place.schema.get("prefixItems") if place.draft >= 2020 else None
    start = len(prefix) if isinstance(prefix, list) else 0
    return each(builder.space, start, None, builder.inner(place, value))


def _additional_items(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    prefix = place.schema.get("items")
    if not isinstance(prefix, list):
        return builder.space.true
    return each(builder.space, len(prefix), None, builder.inner(place, value))


def _contains(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    space, item = builder.space, builder.inner(place, value)
    bounds = place.schema if place.draft >= 2019 else {}
    least = whole(bounds.get("minContains", 1), "minContains")
    parts = [space.literal("array", "least", least, item)] if least else []
    if "maxContains" in bounds:
        parts.append(space.literal("array", "most", whole(bounds["maxContains"], "maxContains"), item))
    return space.all_of(parts)


def _properties(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return builder.space.all_of(
        everywhere(builder.space, these(name), builder.inner(place, schema))
        for name, schema in _named(value, "properties").items()
    )


def _pattern_properties(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return builder.space.all_of(
        everywhere(builder.space, ("pattern", pattern), builder.inner(place, schema))
        for pattern, schema in _named(value, "patternProperties").items()
    )


def _additional_properties(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    named = _named(place.schema.get("properties", {}), "properties")
    patterns = _named(place.schema.get("patternProperties", {}), "patternProperties")
    declared = [these(*named), *(("pattern", pattern) for pattern in sorted(patterns))]
    return everywhere(builder.space, all_but(*declared), builder.inner(place, value))


def _property_names(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    names = builder.inner(place, value)
    return (
        everywhere(builder.space, ("not", ("text", names)), builder.space.false)
        if names is not builder.space.true
        else names
    )


def _required(builder: FormulaBuilder, _place: Subschema, value: Any) -> Node:
    return builder.space.all_of(required(builder.space, name) for name in _words(value, "required"))


def _dependent(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    """`dependentRequired`, `dependentSchemas`, and `dependencies`, which is both."""
    if place.draft > 7 and "dependencies" in place.schema:
        raise NotUnderstoodError("`dependencies`, on which validators of this draft differ")
    space = builder.space
    parts = []
    for name, needed in _named(value, "dependencies").items():
        if isinstance(needed, list):
            consequence = space.all_of(required(space, word) for word in _words(needed, "dependencies"))
        else:
            consequence = builder.inner(place, needed)
        parts.append(space.any_of([space.literal("object", "all", these(name), space.false), consequence]))
    return space.all_of(parts)


def _all_of(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return builder.space.all_of(builder.inner(place, schema) for schema in _listed(value, "allOf"))


def _any_of(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return builder.space.any_of(builder.inner(place, schema) for schema in _listed(value, "anyOf"))


def _one_of(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return exactly_one(builder.space, [builder.inner(place, schema) for schema in _listed(value, "oneOf")])


def _not(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    return builder.space.negate(builder.inner(place, value))


def _if(builder: FormulaBuilder, place: Subschema, value: Any) -> Node:
    space, condition = builder.space, builder.inner(place, value)
    then = builder.inner(place, place.schema.get("then", True))
    otherwise = builder.inner(place, place.schema.get("else", True))
    return space.all_of([space.any_of([space.negate(condition), then]), space.any_of([condition, otherwise])])


def _reference(keyword: str) -> _Meaning:
    return lambda builder, place, _value: builder.followed(place, keyword)


def _unevaluated(
    read: Callable[[Space, Inner, Subschema, Any], Node],
) -> _Meaning:
    return lambda builder, place, value: read(builder.space, builder.inner, place, value)


def _nothing(builder: FormulaBuilder, _place: Subschema, _value: Any) -> Node:
    return builder.space.true


_LAST: Final = 9999
_SAME_VALUE: Final = frozenset(
    (*REFERENCES, "allOf", "anyOf", "oneOf", "not", "if", "dependencies", "dependentSchemas")
)
Row = tuple[int, int, _Meaning]
KEYWORDS: Final[dict[str, Row]] = {
    "$ref": (4, _LAST, _reference("$ref")),
    "$recursiveRef": (2019, 2019, _reference("$recursiveRef")),
    "$dynamicRef": (2020, _LAST, _reference("$dynamicRef")),
    "type": (4, _LAST, _type),
    "enum": (4, _LAST, _enum),
    "const": (6, _LAST, _const),
    "minimum": (4, _LAST, _bound("low", "exclusiveMinimum")),
    "maximum": (4, _LAST, _bound("high", "exclusiveMaximum")),
    "exclusiveMinimum": (4, _LAST, _open_bound("low")),
    "exclusiveMaximum": (4, _LAST, _open_bound("high")),
    "multipleOf": (4, _LAST, _multiple),
    "minLength": (4, _LAST, _size("string", "longer")),
    "maxLength": (4, _LAST, _size("string", "shorter")),
    "pattern": (4, _LAST, _pattern),
    "format": (4, _LAST, _format),
    "minItems": (4, _LAST, _size("array", "longer")),
    "maxItems": (4, _LAST, _size("array", "shorter")),
    "uniqueItems": (4, _LAST, _unique),
    "prefixItems": (2020, _LAST, _tuple),
    "items": (4, _LAST, _items),
    "additionalItems": (4, 2019, _additional_items),
    "contains": (6, _LAST, _contains),
    "minContains": (2019, _LAST, _nothing),
    "maxContains": (2019, _LAST, _nothing),
    "minProperties": (4, _LAST, _size("object", "longer")),
    "maxProperties": (4, _LAST, _size("object", "shorter")),
    "required": (4, _LAST, _required),
    "properties": (4, _LAST, _properties),
    "patternProperties": (4, _LAST, _pattern_properties),
    "additionalProperties": (4, _LAST, _additional_properties),
    "propertyNames": (6, _LAST, _property_names),
    "dependencies": (4, _LAST, _dependent),
    "dependentRequired": (2019, _LAST, _dependent),
    "dependentSchemas": (2019, _LAST, _dependent),
    "allOf": (4, _LAST, _all_of),
    "anyOf": (4, _LAST, _any_of),
    "oneOf": (4, _LAST, _one_of),
    "not": (4, _LAST, _not),
    "if": (7, _LAST, _if),
    "unevaluatedItems": (2019, _LAST, _unevaluated(unevaluated_items)),
    "unevaluatedProperties": (2019, _LAST, _unevaluated(unevaluated_properties)),
    "then": (7, _LAST, _nothing),
    "else": (7, _LAST, _nothing),
}
_ANNOTATIONS: Final = frozenset(
    (
        *("$schema", "$id", "id", "$comment", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$defs"),
        *("definitions", "$vocabulary", "title", "description", "default", "examples", "deprecated"),
        *("readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema"),
    )
)
