"""Rules about the properties of an event: descriptions, examples, names and types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from contracts.finding import Finding, Rule
from contracts.lint.schema_parts import Part, SchemaView, types_of
from contracts.paths import Step, pointer

DESCRIBED: Final = Rule(
    "property-described",
    "readers must not have to guess the meaning of a property from its name",
    "add a `description` that says more than the name",
)
EXAMPLE: Final = Rule(
    "property-example",
    "an example shows developers what a type cannot",
    "add `examples` with at least one made-up value",
)
NAME_CASE: Final = Rule(
    "property-name-case",
    "mixed naming styles lead to misspelt names",
    "use the style of most names in the schema",
)
NAME_PLAIN: Final = Rule(
    "property-name-plain",
    "a name with spaces, punctuation or invisible characters does not work in paths, queries and programs",
    "use letters, digits, `_` and `-`, starting with a letter",
    "BASIC",
)
TYPE: Final = Rule(
    "type-declared",
    "a value of any type cannot be bounded, classified or read",
    "add `type`, `enum`, `const` or a `$ref`",
    "BASIC",
)
DATE: Final = Rule(
    "date-has-format",
    "dates in free text are ambiguous: day first or month first",
    "use a string with `format` `date-time` for `..._at`, and `date` for `..._on` and `..._date`",
)
ZONE: Final = Rule(
    "date-time-zone",
    "a time without a zone means a different moment in each office",
    "set `formats` of the contract to `assertion`, or name the zone in the `description`",
)
MONEY: Final = Rule(
    "money-exact",
    "a floating-point number cannot hold 0.10 exactly, so sums do not add up",
    "use an integer of minor units, or a string with a decimal `pattern`",
)
CURRENCY: Final = Rule(
    "money-currency",
    "an amount has no meaning without its currency",
    "add a property `currency` next to it",
)
SUNSET: Final = Rule(
    "deprecated-property-sunset",
    "readers must know how long a deprecated property is sent",
    "add `x-sunset` with a date, such as `2027-06-30`",
)
RULES: Final = (DESCRIBED, EXAMPLE, NAME_CASE, NAME_PLAIN, TYPE, DATE, ZONE, MONEY, CURRENCY, SUNSET)

_STYLES: Final = {
    "snake_case": re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+"),
    "kebab-case": re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+"),
    "camelCase": re.compile(r"[a-z]+[a-z0-9]*(?:[A-Z][A-Za-z0-9]*)+"),
    "PascalCase": re.compile(r"[A-Z][A-Za-z0-9]*"),
}
_PLAIN = re.compile(r"[$@_]?[A-Za-z][A-Za-z0-9_-]{0,99}")
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_MONEY: Final = frozenset(
    {
        *("allowance", "amount", "balance", "cost", "fee", "fine", "income", "minor_units", "pension"),
        *("premium", "price", "salary", "tax", "wage"),
    }
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ZONE = re.compile(r"\b(?:UTC|GMT|offset|time ?zone|zone)\b", re.IGNORECASE)
_DESCRIBES: Final = ("type", "enum", "const", "properties", "items", "anyOf", "oneOf", "allOf", "$ref", "not")


def check_properties(view: SchemaView) -> Iterator[Finding]:
    """Findings about the properties of one document."""
    named = [part for part in view.parts if part.name is not None and not _refines(view, part)]
    for part in named:
        yield from _words(view, part)
        yield from _dates(view, part)
        yield from _money(view, part)
    yield from _types(view)
    yield from _names(view, named)
    for part in view.parts:
        if part.schema.get("deprecated") is True and not _is_day(part.schema.get("x-sunset")):
            yield view.finding(SUNSET, part.steps, "is deprecated, with no date in `x-sunset`")


def _refines(view: SchemaView, part: Part) -> bool:
    """Whether the property is declared outside this branch, which only narrows it."""
    steps = part.steps[:-2]
    while len(steps) > 1 and steps[-2] in ("allOf", "anyOf", "oneOf"):
        steps = steps[:-2]
        around = view.at(steps).get("properties")
        if isinstance(around, Mapping) and part.name in around:
            return True
    return False


def _words(view: SchemaView, part: Part) -> Iterator[Finding]:
    firm = view.firm(part.schema)
    descriptions = [text for node in firm if isinstance(text := node.get("description"), str)]
    if not any(text.strip() for text in descriptions):
        yield view.finding(DESCRIBED, part.steps, "has no `description`")
    elif all(_letters(text) == _letters(part.name or "") for text in descriptions):
        yield view.finding(DESCRIBED, part.steps, "has a `description` that only repeats its name")
    if not _is_shown(view, part.schema, set()):
        yield view.finding(EXAMPLE, part.steps, "has no `examples`")


def _is_shown(view: SchemaView, schema: Mapping[str, Any], seen: set[int]) -> bool:
    if id(schema) in seen:
        return True
    seen.add(id(schema))
    firm = view.firm(schema)
    if any(node.get("examples") or "const" in node or "enum" in node for node in firm):
        return True
    if any(node.get("type") == "null" or node.get("properties") or "prefixItems" in node for node in firm):
        return True
    for node in firm:
        if isinstance(items := node.get("items"), Mapping):
            return _is_shown(view, items, seen)
        for keyword in ("anyOf", "oneOf"):
            branches = [branch for branch in node.get(keyword, ()) if isinstance(branch, Mapping)]
            if branches and all(_is_shown(view, branch, seen) for branch in branches):
                return True
    return False


def _types(view: SchemaView) -> Iterator[Finding]:
    for part in view.parts:
        if part.is_value and not any(word in part.schema for word in _DESCRIBES) and not _refines(view, part):
            yield view.finding(TYPE, part.steps, "may be anything")


def _dates(view: SchemaView, part: Part) -> Iterator[Finding]:
    words = _words_of(part.name or "")
    wanted = (
        "date-time" if words[-1] in ("at", "timestamp") else "date" if words[-1] in ("on", "date") else None
    )
    wanted = "date" if words[:2] == ["date", "of"] else wanted
    for way in view.ways(part.schema):
        formats = {node["format"] for node in way if isinstance(node.get("format"), str)}
        textual = any(node.get("type") in ("string", ["string", "null"]) for node in way)
        fixed = any("enum" in node or "const" in node for node in way)
        if wanted and len(words) > 1 and textual and not fixed and not formats & {"date", "date-time"}:
            yield view.finding(DATE, part.steps, f"is text without `format` `{wanted}`")
        if "date-time" in formats and not view.asserts_formats:
            texts = [str(node.get("description", "")) for node in view.firm(part.schema)]
            if not any(_ZONE.search(text) for text in texts):
                yield view.finding(ZONE, part.steps, "is a time without a checked or named zone")


def _money(view: SchemaView, part: Part) -> Iterator[Finding]:
    words = _words_of(part.name or "")
    if words[-1].removesuffix("s") not in _MONEY and "_".join(words[-2:]) not in _MONEY:
        return
    named = {name for way in view.ways(part.schema) for node in way for name in types_of(node)}
    if "number" in named:
        yield view.finding(MONEY, part.steps, "is money as a floating-point number")
    elif named & {"integer", "string"} and not _has_currency(view, part.steps):
        yield view.finding(CURRENCY, part.steps, "is money without a `currency` next to it")


def _has_currency(view: SchemaView, steps: tuple[Step, ...]) -> bool:
    siblings = view.at(steps[:-1])
    return any("currency" in _words_of(str(name)) for name in siblings)


def _names(view: SchemaView, named: list[Part]) -> Iterator[Finding]:
    styles: dict[str, list[Part]] = {}
    for part in named:
        name = part.name or ""
        if not _PLAIN.fullmatch(name):
            yield NAME_PLAIN.at(
                view.document.place(*part.steps),
                f"a name in `{pointer(part.steps[:-1])}` has characters that are not allowed",
            )
            continue
        for style, form in _STYLES.items():
            if form.fullmatch(name):
                styles.setdefault(style, []).append(part)
    if len(styles) > 1:
        usual = max(styles, key=lambda style: len(styles[style]))
        for style in styles.keys() - {usual}:
            for part in styles[style]:
                yield view.finding(NAME_CASE, part.steps, f"is {style}; most names here are {usual}")


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _words_of(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)] or [name]


def _is_day(value: object) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value) is not None
