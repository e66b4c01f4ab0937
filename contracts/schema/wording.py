"""The words of a violation: `Expected ..., got ... - at ...`, from the schema's side only.

A row says, for one keyword, what was expected and what came instead. What came is described by its kind,
never by its value, and a property is named only when the schema declares it: data may be personal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.paths import Step, render_path

Row = tuple[Callable[[Any], str], str]
_LONGEST = 120


def describe(row: str, limit: Any, got_type: str, steps: tuple[Step, ...]) -> str:
    """One sentence about one violation.

    Args:
        row: The JSON Schema keyword that was broken, or another row of `ROWS`.
        limit: The keyword's value in the schema.
        got_type: The JSON type of what came, used only where the type was at fault.
        steps: Where in the data, without undeclared names.
    """
    expected, got = ROWS.get(row, _OTHER)
    got = got_type if row == "type" else got
    return f"Expected {expected(limit)}, got {got} - at `{render_path(steps)}`"


def describe_in_short(keyword: str, steps: tuple[Step, ...]) -> str:
    """One sentence about one violation of very many: the keyword without its value in the schema."""
    return f"Expected what `{keyword}` says, got something else - at `{render_path(steps)}`"


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}...`"


def _types(limit: Any) -> str:
    return " or ".join(_code(name) for name in (limit if isinstance(limit, list) else [limit]))


def _options(limit: Any) -> str:
    options = limit if isinstance(limit, list) else []
    if len(options) > 12:
        return f"one of {len(options)} listed values"
    return "one of " + ", ".join(_code(option) for option in options)


def _alternatives(how: str) -> Callable[[Any], str]:
    return lambda limit: (
        f"{how} of {len(limit) if isinstance(limit, list) else 'several'} alternatives to match"
    )


def _say(text: str) -> Callable[[Any], str]:
    return lambda _limit: text


def _with(template: str) -> Callable[[Any], str]:
    return lambda limit: template.format(_code(limit))


ROWS: Final[Mapping[str, Row]] = {
    "type": (_types, "another type"),
    "enum": (_options, "another value"),
    "const": (_with("{}"), "another value"),
    "required": (_with("property {}"), "none"),
    "dependentRequired": (_with("property {}, as another one is present"), "none"),
    "additionalProperties": (_say("only declared properties"), "an undeclared one"),
    "unevaluatedProperties": (_say("only declared properties"), "an undeclared one"),
    "propertyNames": (_say("property names as the contract allows"), "another name"),
    "minProperties": (_with("at least {} properties"), "fewer"),
    "maxProperties": (_with("at most {} properties"), "more"),
    "format": (_with("format {}"), "another form"),
    "pattern": (_with("text that matches {}"), "text that does not"),
    "minLength": (_with("at least {} characters"), "fewer"),
    "maxLength": (_with("at most {} characters"), "more"),
    "minimum": (_with("a number of at least {}"), "a smaller one"),
    "maximum": (_with("a number of at most {}"), "a larger one"),
    "exclusiveMinimum": (_with("a number above {}"), "one that is not"),
    "exclusiveMaximum": (_with("a number below {}"), "one that is not"),
    "multipleOf": (_with("a multiple of {}"), "another number"),
    "minItems": (_with("at least {} items"), "fewer"),
    "maxItems": (_with("at most {} items"), "more"),
    "uniqueItems": (_say("items that all differ"), "equal ones"),
    "additionalItems": (_say("only declared items"), "further ones"),
    "unevaluatedItems": (_say("only declared items"), "further ones"),
    "contains": (_say("an item of the kind the contract names"), "none, or the wrong number"),
    "minContains": (_with("at least {} items of the kind the contract names"), "fewer"),
    "maxContains": (_with("at most {} items of the kind the contract names"), "more"),
    "oneOf": (_alternatives("exactly one"), "none"),
    "oneOf several": (_alternatives("exactly one"), "several"),
    "anyOf": (_alternatives("at least one"), "none"),
    "not": (_say("anything but the kind the contract excludes"), "that kind"),
    "false": (_say("nothing"), "something"),
    "json": (_say("JSON"), "something JSON cannot hold"),
    "contentEncoding": (_with("text encoded as {}"), "other text"),
    "contentMediaType": (_with("text of media type {}"), "other text"),
}
_OTHER: Final[Row] = (_say("what the contract says"), "something else")
