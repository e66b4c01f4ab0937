"""Which differences two views of one place have in objects, arrays and what is put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from contracts.compatibility.differences.values import Delta, found_at, value_differences
from contracts.compatibility.differences.view import (
    ComparedSchema,
    PlacedSchema,
    PlacedValue,
    View,
)
from contracts.paths import escaped

Value = TypeVar("Value")
_LONGEST: Final = 60


class Pair(Protocol):
    """The two schemas whose views are compared."""

    old: ComparedSchema
    new: ComparedSchema
    tolerant: bool


def place_differences(pair: Pair, old: View, new: View) -> Iterator[Delta]:
    """Every difference of two views, without what lies below them."""
    yield from value_differences(old, new)
    yield from _properties(pair, old, new)
    yield from _others(pair, old, new)
    yield from _items(pair, old, new)
    yield from _dependencies(old, new)
    yield from _combined(pair, old, new)
    yield from _dialects(old, new)


def aligned_items(pair: Pair, old: View, new: View) -> Iterator[tuple[PlacedSchema, PlacedSchema]]:
    """The items described one by one, each with its other."""
    yield from zip(_prefix(pair.old, old), _prefix(pair.new, new), strict=False)


def aligned_branches(pair: Pair, old: View, new: View) -> Iterator[tuple[PlacedSchema, PlacedSchema]]:
    """Branches of `anyOf`, `oneOf`, `allOf` and dependencies, each with its other."""
    for keyword in ("anyOf", "oneOf"):
        yield from _aligned(_branches(pair.old, old, keyword), _branches(pair.new, new, keyword))[0]
    yield from _aligned(old.products, new.products)[0]
    for keyword in ("dependentSchemas", "dependencies"):
        before, now = _dependents(pair.old, old, keyword), _dependents(pair.new, new, keyword)
        yield from ((before[name], now[name]) for name in now if name in before)


def _properties(pair: Pair, old: View, new: View) -> Iterator[Delta]:
    covered = set()
    for name, place in _only_in(new.properties, old.properties):
        kind = _added(pair, old, place, required=name in new.required)
        covered |= {name} if kind.startswith("REQUIRED") else set()
        yield Delta(kind, f"property `{name}` added", old.path, place.path)
    for name, place in _only_in(old.properties, new.properties):
        yield Delta(_removed(pair, new, place), f"property `{name}` removed", place.path, new.path)
    for name, path in _only_in(new.required, old.required):
        if name not in covered:
            yield Delta("REQUIRED_ATTRIBUTE_ADDED", f"`{name}` is now required", old.path, path)
    for name, path in _only_in(old.required, new.required):
        yield Delta("REQUIRED_ATTRIBUTE_REMOVED", f"`{name}` is no longer required", path, new.path)
    for pattern, place in _only_in(new.patterns, old.patterns):
        yield Delta("PATTERN_PROPERTY_ADDED", f"names like `{pattern[:_LONGEST]}`", old.path, place.path)
    for pattern, place in _only_in(old.patterns, new.patterns):
        yield Delta("PATTERN_PROPERTY_REMOVED", f"names like `{pattern[:_LONGEST]}`", place.path, new.path)


def _only_in(ours: Mapping[str, Value], theirs: Mapping[str, Value]) -> list[tuple[str, Value]]:
    return [(name, value) for name, value in ours.items() if name not in theirs]


def _added(pair: Pair, old: View, place: PlacedSchema, *, required: bool) -> str:
    word, model = "REQUIRED" if required else "OPTIONAL", _content_model(pair, old)
    if model != "open":
        kind = "TOLERANT" if model == "tolerant" else "UNOPEN"
        return f"{word}_PROPERTY_ADDED_TO_{kind}_CONTENT_MODEL"
    empty = "WITH_EMPTY_SCHEMA_" if place.is_empty else ""
    return f"PROPERTY_{empty}ADDED_TO_OPEN_CONTENT_MODEL"


def _removed(pair: Pair, new: View, place: PlacedSchema) -> str:
    model = _content_model(pair, new)
    refused = "WITH_FALSE_" if model == "closed" and place.node is False else ""
    return f"PROPERTY_{refused}REMOVED_FROM_{model.upper()}_CONTENT_MODEL"


def _content_model(pair: Pair, view: View) -> str:
    others = [view.keywords.get(keyword) for keyword in ("additionalProperties", "unevaluatedProperties")]
    stated = [said.value for said in others if said]
    if pair.tolerant and view.properties and all(value is False for value in stated):
        return "tolerant"
    return "closed" if any(value is False for value in stated) else "open"


def _others(pair: Pair, old: View, new: View) -> Iterator[Delta]:
    rest_old, rest_new = _rest_of_items(old), _rest_of_items(new)
    for before, now, word in (
        ("additionalProperties", "additionalProperties", "ADDITIONAL_PROPERTIES"),
        ("unevaluatedProperties", "unevaluatedProperties", "UNEVALUATED_PROPERTIES"),
        (rest_old, rest_new, "ADDITIONAL_ITEMS"),
        ("unevaluatedItems", "unevaluatedItems", "UNEVALUATED_ITEMS"),
    ):
        ours = _openness(pair, old, before), _openness(pair, new, now)
        if word := _CHANGES.get(ours, "") and f"{word}_{_CHANGES[ours]}":
            found = found_at(word, now, old, new)
            said = old.keywords.get(before)
            yield Delta(word, found.what, said.path if said else old.path, found.new_path)


_CHANGES: Final = {
    ("any", "none"): "REMOVED",
    ("some", "none"): "REMOVED",
    ("none", "any"): "ADDED",
    ("none", "some"): "ADDED",
    ("any", "some"): "NARROWED",
    ("some", "any"): "EXTENDED",
}


def _openness(pair: Pair, view: View, keyword: str) -> str:
    said = view.keywords.get(keyword)
    if said is None or said.value is True or said.value == {}:
        return "any"
    if said.value is False:
        lifted = pair.tolerant and view.properties and keyword.endswith("Properties")
        return "any" if lifted else "none"
    return "some"


def _rest_of_items(view: View) -> str:
    items = view.keywords.get("items")
    return "additionalItems" if items and isinstance(items.value, list) else "items"


def _items(pair: Pair, old: View, new: View) -> Iterator[Delta]:
    before, now = _prefix(pair.old, old), _prefix(pair.new, new)
    for index, place in enumerate(now[len(before) :], len(before)):
        closed = _openness(pair, old, _rest_of_items(old)) == "none"
        kind = f"ITEM_ADDED_TO_{'CLOSED' if closed else 'OPEN'}_CONTENT_MODEL"
        yield Delta(kind, f"item {index} added", old.path, place.path)
    for index, place in enumerate(before[len(now) :], len(now)):
        closed = _openness(pair, new, _rest_of_items(new)) == "none"
        kind = f"ITEM_REMOVED_FROM_{'CLOSED' if closed else 'OPEN'}_CONTENT_MODEL"
        yield Delta(kind, f"item {index} removed", place.path, new.path)


def _prefix(schema: ComparedSchema, view: View) -> list[PlacedSchema]:
    for keyword in ("prefixItems", "items"):
        said = view.keywords.get(keyword)
        if said and isinstance(said.value, list):
            return _placed(schema, said)
    return []


def _dependencies(old: View, new: View) -> Iterator[Delta]:
    for keyword in ("dependentRequired", "dependencies", "dependentSchemas"):
        before, now = _mapped(old, keyword), _mapped(new, keyword)
        for name in sorted(before.keys() | now.keys()):
            if kind := _dependency(before.get(name), now.get(name)):
                found = found_at(kind, keyword, old, new)
                yield Delta(kind, f"what must come with `{name}`", found.old_path, found.new_path)


def _dependency(before: object, now: object) -> str | None:
    if before is None or now is None:
        what = "ARRAY" if isinstance(before if now is None else now, list) else "SCHEMA"
        return f"DEPENDENCY_{what}_{'ADDED' if before is None else 'REMOVED'}"
    if not isinstance(before, list) or not isinstance(now, list) or set(before) == set(now):
        return None
    if set(before) < set(now):
        return "DEPENDENCY_ARRAY_EXTENDED"
    return "DEPENDENCY_ARRAY_NARROWED" if set(now) < set(before) else "DEPENDENCY_ARRAY_CHANGED"


def _dependents(schema: ComparedSchema, view: View, keyword: str) -> dict[str, PlacedSchema]:
    said = view.keywords.get(keyword)
    path = said.path if said else ""
    return {
        name: schema.placed(value, f"{path}/{escaped(name)}")
        for name, value in _mapped(view, keyword).items()
        if isinstance(value, Mapping | bool)
    }


def _mapped(view: View, keyword: str) -> Mapping[str, Any]:
    said = view.keywords.get(keyword)
    return said.value if said and isinstance(said.value, Mapping) else {}


def _combined(pair: Pair, old: View, new: View) -> Iterator[Delta]:
    before = [keyword for keyword in ("anyOf", "oneOf") if keyword in old.keywords]
    now = [keyword for keyword in ("anyOf", "oneOf") if keyword in new.keywords]
    if before != now:
        word = "CHANGED" if before and now else "ADDED" if now else "REMOVED"
        yield found_at(f"COMBINED_TYPE_{word}", (now or before)[0], old, new)
        return
    for keyword in now:
        branches = _branches(pair.old, old, keyword), _branches(pair.new, new, keyword)
        yield from _listed(("SUM_TYPE_NARROWED", "SUM_TYPE_EXTENDED"), *branches, old, new)
    names = ("PRODUCT_TYPE_NARROWED", "PRODUCT_TYPE_EXTENDED")
    yield from _listed(names, old.products, new.products, old, new)


def _listed(
    names: tuple[str, str],
    before: Sequence[PlacedSchema],
    now: Sequence[PlacedSchema],
    old: View,
    new: View,
) -> Iterator[Delta]:
    _, gone, come = _aligned(before, now)
    yield from (Delta(names[0], "a schema less", place.path, new.path) for place in gone)
    yield from (Delta(names[1], "a schema more", old.path, place.path) for place in come)


def _aligned(
    before: Sequence[PlacedSchema], now: Sequence[PlacedSchema]
) -> tuple[list[tuple[PlacedSchema, PlacedSchema]], list[PlacedSchema], list[PlacedSchema]]:
    """Equal ones first, then as they come; and what is left over on either side."""
    pairs, gone, come = [], [], list(now)
    for place in before:
        equal = next((other for other in come if _words(other) == _words(place)), None)
        if equal is None:
            gone.append(place)
        else:
            come.remove(equal)
            pairs.append((place, equal))
    matched = list(zip(gone, come, strict=False))
    return [*pairs, *matched], gone[len(matched) :], come[len(matched) :]


def _words(place: PlacedSchema) -> object:
    return place.node if isinstance(place.node, bool) else place.node.schema


def _branches(schema: ComparedSchema, view: View, keyword: str) -> list[PlacedSchema]:
    said = view.keywords.get(keyword)
    return _placed(schema, said) if said and isinstance(said.value, list) else []


def _placed(schema: ComparedSchema, said: PlacedValue) -> list[PlacedSchema]:
    return [
        schema.placed(value, f"{said.path}/{index}")
        for index, value in enumerate(said.value)
        if isinstance(value, Mapping | bool)
    ]


def _dialects(old: View, new: View) -> Iterator[Delta]:
    if old.path == new.path == "#" and old.owner and new.owner:
        before, now = (view.owner.schema.get("$schema") for view in (old, new) if view.owner)
        if before != now:
            yield Delta("DIALECT_CHANGED", "another draft of JSON Schema", "#/$schema", "#/$schema")
