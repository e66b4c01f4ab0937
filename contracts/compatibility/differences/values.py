"""Which differences two views of one place have in single values: type, lists, bounds, form of text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.compatibility.differences.view import View
from contracts.compatibility.kinds import BOUNDS

_LONGEST: Final = 60
_EVERY_TYPE: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})

# Keyword to the kinds of its coming, going and changing; None where what it holds is compared by itself.
_PRESENCE: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "pattern": ("PATTERN_ADDED", "PATTERN_REMOVED", "PATTERN_CHANGED"),
    "format": ("FORMAT_ADDED", "FORMAT_REMOVED", "FORMAT_CHANGED"),
    "contentEncoding": ("CONTENT_CHANGED",) * 3,
    "contentMediaType": ("CONTENT_CHANGED",) * 3,
    "propertyNames": ("PROPERTY_NAMES_ADDED", "PROPERTY_NAMES_REMOVED", None),
    "contains": ("CONTAINS_ADDED", "CONTAINS_REMOVED", None),
    "not": ("NOT_TYPE_ADDED", "NOT_TYPE_REMOVED", "NOT_TYPE_CHANGED"),
    "if": ("CONDITION_ADDED", "CONDITION_REMOVED", "CONDITION_CHANGED"),
    "$dynamicRef": ("DYNAMIC_REFERENCE_CHANGED",) * 3,
    "title": ("TITLE_CHANGED",) * 3,
    "description": ("DESCRIPTION_CHANGED",) * 3,
    "default": ("DEFAULT_CHANGED",) * 3,
    "examples": ("EXAMPLES_CHANGED",) * 3,
    "deprecated": ("DEPRECATED_CHANGED",) * 3,
    "$id": ("ID_CHANGED",) * 3,
}
_ELSEWHERE: Final = frozenset(
    {
        *("type", "enum", "const", "multipleOf", "uniqueItems", "then", "else", "anyOf", "oneOf"),
        *("items", "prefixItems", "additionalItems", "unevaluatedItems"),
        *("additionalProperties", "unevaluatedProperties"),
        *("dependencies", "dependentRequired", "dependentSchemas"),
        *(keyword for keyword, *_ in BOUNDS),
    }
)


@dataclass(frozen=True, slots=True)
class Delta:
    """One difference of two views, its kind by name."""

    kind: str
    what: str
    old_path: str
    new_path: str


def value_differences(old: View, new: View) -> Iterator[Delta]:
    """Every difference in single values."""
    yield from _types(old, new)
    yield from _values(old, new)
    yield from _bounds(old, new)
    yield from _multiples(old, new)
    yield from _presence(old, new)
    yield from _others(old, new)


def found_at(kind: str, keyword: str, old: View, new: View) -> Delta:
    """A difference in one keyword."""
    before, now = old.keywords.get(keyword), new.keywords.get(keyword)
    if before and now:
        what = f"`{keyword}` from {_shown(before.value)} to {_shown(now.value)}"
    elif now:
        what = f"`{keyword}` {_shown(now.value)} added"
    else:
        what = f"`{keyword}` {_shown(before.value) if before else ''} removed"
    return Delta(kind, what, before.path if before else old.path, now.path if now else new.path)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}...`"


def _types(old: View, new: View) -> Iterator[Delta]:
    before, now = _type_set(old), _type_set(new)
    if before != now:
        kind = "TYPE_NARROWED" if now < before else "TYPE_EXTENDED" if before < now else "TYPE_CHANGED"
        yield found_at(kind, "type", old, new)


def _type_set(view: View) -> frozenset[str]:
    said = view.keywords.get("type")
    if said is None:
        return _EVERY_TYPE
    named = frozenset([said.value] if isinstance(said.value, str) else map(str, said.value))
    return named | {"integer"} if "number" in named else named


def _values(old: View, new: View) -> Iterator[Delta]:
    before, now = _listed_values(old), _listed_values(new)
    if before == now:
        return
    if before is None or now is None:
        keyword = "enum" if "enum" in (new if before is None else old).keywords else "const"
        word = "ADDED" if before is None else "REMOVED"
        yield found_at(f"{'ENUM_ARRAY' if keyword == 'enum' else 'CONST'}_{word}", keyword, old, new)
        return
    gone, come = before - now, now - before
    kind = "ENUM_ARRAY_CHANGED" if gone and come else "ENUM_ARRAY_NARROWED" if gone else "ENUM_ARRAY_EXTENDED"
    if gone and come and "const" in old.keywords and "const" in new.keywords:
        kind = "CONST_CHANGED"
    words = [f"{', '.join(sorted(gone)[:5])} removed"] if gone else []
    words += [f"{', '.join(sorted(come)[:5])} added"] if come else []
    place = found_at(kind, "const" if kind == "CONST_CHANGED" else "enum", old, new)
    yield Delta(kind, f"allowed values: {'; '.join(words)}", place.old_path, place.new_path)


def _listed_values(view: View) -> set[str] | None:
    if const := view.keywords.get("const"):
        return {_canonical(const.value)}
    enum = view.keywords.get("enum")
    return {_canonical(value) for value in enum.value} if enum and isinstance(enum.value, list) else None


def _canonical(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _bounds(old: View, new: View) -> Iterator[Delta]:
    for keyword, word, _, _ in BOUNDS:
        before, now = _number(old, keyword), _number(new, keyword)
        if before == now:
            continue
        if before is None or now is None:
            yield found_at(f"{word}_{'ADDED' if before is None else 'REMOVED'}", keyword, old, new)
        else:
            yield found_at(f"{word}_{'INCREASED' if now > before else 'DECREASED'}", keyword, old, new)


def _number(view: View, keyword: str) -> float | None:
    said = view.keywords.get(keyword)
    if said and isinstance(said.value, int | float) and not isinstance(said.value, bool):
        return said.value
    return 1 if keyword == "minContains" else None


def _multiples(old: View, new: View) -> Iterator[Delta]:
    before, now = _number(old, "multipleOf"), _number(new, "multipleOf")
    if before == now:
        return
    if not before or not now:
        kind = "MULTIPLE_OF_ADDED" if not before else "MULTIPLE_OF_REMOVED"
    elif now % before == 0:
        kind = "MULTIPLE_OF_EXPANDED"
    else:
        kind = "MULTIPLE_OF_REDUCED" if before % now == 0 else "MULTIPLE_OF_CHANGED"
    yield found_at(kind, "multipleOf", old, new)


def _presence(old: View, new: View) -> Iterator[Delta]:
    for keyword, (come, gone, changed) in _PRESENCE.items():
        before, now = old.keywords.get(keyword), new.keywords.get(keyword)
        if before is None or now is None:
            if before or now:
                yield found_at(come if now else gone, keyword, old, new)
        elif changed and before.value != now.value:
            yield found_at(changed, keyword, old, new)


def _others(old: View, new: View) -> Iterator[Delta]:
    if "if" in old.keywords and "if" in new.keywords:
        for keyword in ("then", "else"):
            if (keyword in old.keywords) != (keyword in new.keywords):
                yield found_at("CONDITION_CHANGED", keyword, old, new)
    if _is_set(old, "uniqueItems") != _is_set(new, "uniqueItems"):
        kind = "UNIQUE_ITEMS_ADDED" if _is_set(new, "uniqueItems") else "UNIQUE_ITEMS_REMOVED"
        yield found_at(kind, "uniqueItems", old, new)
    for keyword in sorted((old.keywords.keys() | new.keywords.keys()) - _ELSEWHERE - _PRESENCE.keys()):
        before, now = old.keywords.get(keyword), new.keywords.get(keyword)
        if (before and before.value) != (now and now.value):
            yield found_at("ANNOTATION_CHANGED", keyword, old, new)


def _is_set(view: View, keyword: str) -> bool:
    said = view.keywords.get(keyword)
    return said is not None and said.value is True
