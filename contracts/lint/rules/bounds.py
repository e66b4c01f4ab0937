"""Rules about the size of values, and the time it takes to check them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from contracts.finding import Finding, Rule
from contracts.lint.schema_parts import Part, SchemaView, Way, types
from contracts.paths import Step, pointer
from contracts.patterns import Language, TooLargeError, UnsupportedPatternError
from contracts.patterns.safety import backtracking_risk
from contracts.schema.formats import ASSERTED
from contracts.schema.walk import patterns_of

STRING: Final = Rule(
    "string-bounded",
    "text of unlimited length can overflow a reader's column, memory or screen",
    "add `maxLength`, an `enum`, or an anchored `pattern` of bounded length",
)
ARRAY: Final = Rule(
    "array-bounded",
    "a list of unlimited length allows events of unlimited size",
    "add `maxItems`",
)
ORDERED: Final = Rule(
    "bounds-ordered",
    "no value can satisfy a minimum above the maximum",
    "swap or correct the two bounds",
    "BASIC",
)
REACHABLE: Final = Rule(
    "bound-reachable",
    "a bound beyond the largest event limits nothing, or lets no event pass",
    "lower the bound, or raise `max_bytes` of the contract if its events are that large",
    "BASIC",
)
PATTERN: Final = Rule(
    "pattern-linear",
    "one crafted text can stall a validator that backtracks",
    "rewrite it without nested or overlapping repetition, such as `^[a-z]+( [a-z]+)*$`",
    "BASIC",
)
OPEN_OBJECT: Final = Rule(
    "object-closed",
    "properties of any name are neither described nor classified",
    "declare `properties`, and leave `additionalProperties` to `content_model` or set it to `false`",
)
RULES: Final = (STRING, ARRAY, ORDERED, REACHABLE, PATTERN, OPEN_OBJECT)

# Asserted formats whose texts have a maximum length.
_BOUNDED_FORMATS: Final = frozenset({"date", "date-time", "uuid"}) & ASSERTED.keys()
_PAIRS: Final = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
    ("minimum", "maximum"),
)
# The bytes that each thing counted takes at least in JSON: a letter; an item, its comma; a name, `"":0,`.
_BYTES: Final = {
    **dict.fromkeys(("minLength", "maxLength"), 1),
    **dict.fromkeys(("minItems", "maxItems", "minContains", "maxContains"), 2),
    **dict.fromkeys(("minProperties", "maxProperties"), 5),
}


def check_bounds(view: SchemaView) -> Iterator[Finding]:
    """Findings about the bounds in one document."""
    for part in view.parts:
        if part.is_value:
            for way in view.ways(part.schema):
                yield from _sizes(view, part, way)
    for steps, node in view.nodes:
        yield from _ordered(view, steps, node)
        yield from _reachable(view, steps, node)
        yield from _patterns(view, steps, node)


def _sizes(view: SchemaView, part: Part, way: Way) -> Iterator[Finding]:
    if any("enum" in node or "const" in node for node in way):
        return
    named = types(way) or frozenset()
    if "string" in named and not any(_bounds_text(view, node) for node in way):
        yield _at(view, STRING, part, way, "has no maximum length")
    if "array" in named and not any(_bounds_array(node) for node in way):
        yield _at(view, ARRAY, part, way, "has no maximum number of items")
    if "object" in named and (why := _open(view, way)):
        yield _at(view, OPEN_OBJECT, part, way, why)


def _at(view: SchemaView, rule: Rule, part: Part, way: Way, what: str) -> Finding:
    """The finding is at the `type`, so that a fault in a shared definition is reported once."""
    typed = next(
        (steps for node in way if "type" in node and (steps := view.steps_of(node)) is not None), None
    )
    return view.finding(rule, part.steps if typed is None else typed, what)


def _bounds_text(view: SchemaView, node: Mapping[str, Any]) -> bool:
    if "maxLength" in node:
        return True
    if view.asserts_formats and node.get("format") in _BOUNDED_FORMATS:
        return True
    pattern = node.get("pattern")
    return isinstance(pattern, str) and _is_bounded(pattern)


def _is_bounded(pattern: str) -> bool:
    if not pattern.startswith("^") and not pattern.endswith("$"):
        return False
    try:
        return Language.pattern(pattern).lengths()[1] is not None
    except (UnsupportedPatternError, TooLargeError):
        return False


def _bounds_array(node: Mapping[str, Any]) -> bool:
    listed = node.get("prefixItems", node.get("items"))
    rest = ("items", "unevaluatedItems") if "prefixItems" in node else ("additionalItems",)
    return "maxItems" in node or (isinstance(listed, list) and any(node.get(word) is False for word in rest))


def _open(view: SchemaView, way: Way) -> str | None:
    values = [node.get(word) for node in way for word in ("additionalProperties", "unevaluatedProperties")]
    if any(each is False for each in values):
        return None
    if any(each is True or each == {} for each in values):
        return "allows any property"
    if any(isinstance(each, Mapping) for each in values) or any("patternProperties" in node for node in way):
        return None
    if not any(node.get("properties") for node in way):
        return "declares no properties and allows any"
    if view.row.version.content_model == "as-written":
        return "allows undeclared properties, as `content_model` is `as-written`"
    return None


def _ordered(view: SchemaView, steps: tuple[Step, ...], node: Mapping[str, Any]) -> Iterator[Finding]:
    for low, high in _PAIRS:
        least, most = node.get(low), node.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yield view.finding(ORDERED, (*steps, low), f"is above `{high}`")


def _reachable(view: SchemaView, steps: tuple[Step, ...], node: Mapping[str, Any]) -> Iterator[Finding]:
    most = view.row.version.contract.max_bytes
    for keyword, size in _BYTES.items():
        bound = node.get(keyword)
        if isinstance(bound, int | float) and bound * size > most:
            what = f"is more than an event of {most:,} bytes, `max_bytes`, can hold"
            yield view.finding(REACHABLE, (*steps, keyword), what)


def _patterns(view: SchemaView, steps: tuple[Step, ...], node: Mapping[str, Any]) -> Iterator[Finding]:
    for where, pattern in patterns_of(steps, node):
        if risk := backtracking_risk(pattern):
            yield PATTERN.at(view.document.place(*where), f"`{pointer(where)[:300]}`: {risk}")
