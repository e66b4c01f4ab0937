"""Rules about keywords of a schema: each is known, has an effect, and fits the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from contracts.finding import Finding, Rule
from contracts.lint.schema_parts import SchemaView, place_of_object, types_of
from contracts.names import meant
from contracts.paths import Step, pointer
from contracts.schema.formats import ASSERTED, LEFT_ALONE
from contracts.schema.json_values import json_type
from contracts.schema.keywords import KNOWN_07, KNOWN_2020_12, OF_TYPE

KEYWORD: Final = Rule(
    "keyword-known",
    "validators ignore unknown keywords, so a misspelt one checks nothing",
    "correct it, or start your own keywords with `x-`",
)
EFFECT: Final = Rule(
    "keyword-fits-type",
    "a keyword for another type has no effect",
    "remove the keyword, or correct `type`",
)
FORMAT: Final = Rule(
    "format-known",
    "validators ignore unknown formats",
    "correct it, or use `pattern`",
)
ALONE: Final = Rule(
    "reference-alone",
    "draft-07 ignores all keywords next to `$ref`",
    "put the `$ref` into an `allOf`, or use draft 2020-12",
    "BASIC",
)
USED: Final = Rule(
    "definition-used",
    "validators ignore an unused definition, but people read it",
    "refer to it, or remove it",
)
ENUM_POLICY: Final = Rule(
    "enum-unknown-values",
    "lists of values grow, so readers must know how to handle a value they do not know",
    "add `x-unknown-values`: `refuse`, or `keep` to accept the text unchanged",
)
ENUM_TYPE: Final = Rule(
    "enum-one-type",
    "values of several types make every reader handle several types",
    "write all values as one type; `null` may be added",
)
ENUM_FITS: Final = Rule(
    "enum-fits-type",
    "a listed value that `type` refuses can never occur",
    "correct the value, or `type`",
    "BASIC",
)
REQUIRED: Final = Rule(
    "required-declared",
    "a required property without a declaration may have any value",
    "declare it under `properties`, or correct its name",
    "BASIC",
)
RULES: Final = (KEYWORD, EFFECT, FORMAT, ALONE, USED, ENUM_POLICY, ENUM_TYPE, ENUM_FITS, REQUIRED)

_POLICIES: Final = ("refuse", "keep")
_FORMATS: Final = frozenset({*ASSERTED, *LEFT_ALONE})
_COMMENTS: Final = frozenset(
    {"$ref", "$comment", "title", "description", "examples", "default", "deprecated"}
)

Node = Mapping[str, Any]


def check_keywords(view: SchemaView) -> Iterator[Finding]:
    """Findings about the keywords of one document."""
    parts = {part.steps for part in view.parts}
    for steps, node in view.nodes:
        yield from _known(view, steps, node)
        yield from _effect(view, steps, node)
        if "enum" in node or "const" in node:
            yield from _values(view, steps, node, is_part=steps in parts)
        yield from _required(view, steps, node)
    yield from _unused(view)


def _known(view: SchemaView, steps: tuple[Step, ...], node: Node) -> Iterator[Finding]:
    known = KNOWN_07 if view.is_draft_07 else KNOWN_2020_12
    for word in node.keys() - known:
        if not word.startswith("x-"):
            yield view.finding(
                KEYWORD, (*steps, word), f"is not a keyword of the dialect{meant(word, known)}"
            )
    if view.is_draft_07 and "$ref" in node and (ignored := sorted(node.keys() & known - _COMMENTS)):
        words = ", ".join(f"`{word}`" for word in ignored)
        yield view.finding(ALONE, (*steps, "$ref"), f"is next to {words}")
    named = node.get("format")
    if isinstance(named, str) and named not in _FORMATS:
        yield view.finding(FORMAT, (*steps, "format"), f"is not a known format{meant(named, _FORMATS)}")


def _effect(view: SchemaView, steps: tuple[Step, ...], node: Node) -> Iterator[Finding]:
    types = types_of(node)
    if not types:
        return
    for word in node:
        wanted = OF_TYPE.get(word)
        if wanted and not types & wanted:
            yield view.finding(EFFECT, (*steps, word), f"has no effect on {' or '.join(sorted(types))}")


def _values(view: SchemaView, steps: tuple[Step, ...], node: Node, *, is_part: bool) -> Iterator[Finding]:
    listed = node.get("enum")
    values = listed if isinstance(listed, list) else []
    kinds = {json_type(value).strip("`") for value in values if value is not None}
    kinds = {"number" if kind == "integer" and "number" in kinds else kind for kind in kinds}
    if len(kinds) > 1:
        yield view.finding(ENUM_TYPE, (*steps, "enum"), f"lists values of {' and '.join(sorted(kinds))}")
    if is_part and len(values) > 1 and node.get("x-unknown-values") not in _POLICIES:
        yield view.finding(ENUM_POLICY, (*steps, "enum"), "has no `x-unknown-values`")
    types = types_of(node)
    given: list[tuple[tuple[Step, ...], object]] = [
        (("enum", index), value) for index, value in enumerate(values)
    ]
    given += [(("const",), node["const"])] if "const" in node else []
    for where, value in given:
        if types and not _fits(value, types):
            yield view.finding(ENUM_FITS, (*steps, *where), f"is not of type {' or '.join(sorted(types))}")


def _fits(value: object, types: frozenset[str]) -> bool:
    kind = json_type(value).strip("`")
    whole = isinstance(value, float) and value.is_integer() and "integer" in types
    return kind in types or (kind == "integer" and "number" in types) or whole


def _required(view: SchemaView, steps: tuple[Step, ...], node: Node) -> Iterator[Finding]:
    required = node.get("required")
    if not isinstance(required, list) or not required or "not" in steps:
        return
    declared: set[str] = set()
    around = place_of_object(steps)
    for way in (*view.ways(view.at(around)), *view.ways(node)):
        for each in way:
            if any(
                isinstance(each.get(word), Mapping) for word in ("patternProperties", "additionalProperties")
            ):
                return
            named = each.get("properties")
            declared.update(named if isinstance(named, Mapping) else ())
    for index, name in enumerate(required):
        if isinstance(name, str) and name not in declared:
            what = f"is `{name[:80]}`, which the schema does not declare"
            yield view.finding(REQUIRED, (*steps, "required", index), what)


def _unused(view: SchemaView) -> Iterator[Finding]:
    targets = [
        target
        for _, node in view.nodes
        for word in ("$ref", "$dynamicRef", "$recursiveRef")
        if isinstance(target := node.get(word), str)
    ]
    if view.document is not view.row.document:
        return
    for steps, node in view.nodes:
        if len(steps) == 2 and steps[0] in ("$defs", "definitions") and "$id" not in node:
            names = [pointer(steps)] + [
                f"#{node[word]}" for word in ("$anchor", "$dynamicAnchor") if word in node
            ]
            if not any(target.endswith(name) or f"{name}/" in target for target in targets for name in names):
                yield view.finding(USED, steps, "is not used")
