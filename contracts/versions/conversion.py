"""Converts data of one version to another: a JSON-e document with the variable `event`.

Law: the result depends only on the data. A conversion has no access to clock, disk or network; its time is
bounded by the size of document and data; it evaluates no expression in the data; its errors quote no data.

JSON-e (https://json-e.js.org) is a template language for JSON, implemented in Go, JavaScript, Python, Ruby
and Rust. A conversion may use the operators in `OPERATORS` and every expression except `**`. Excluded is what
reads the clock (`$fromNow`), evaluates data (`$find`), or makes small values large (`$let`, `$reduce`,
`range`, `**`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.errors import ConversionError
from contracts.paths import Step

OPERATORS: Final = frozenset(
    {"$eval", "$flatten", "$if", "$map", "$merge", "$mergeDeep", "$reverse", "$sort", "$switch"}
)
MAX_MAPS: Final = 2
"""Levels of nested `$map`."""

_OPERATOR = re.compile(r"\$[A-Za-z_]\w*")
_CLOSED: Final = dict.fromkeys(("fromNow", "now", "range"))
# Messages of JSON-e whose words come from the document; all others could quote the data.
_SAFE: Final = re.compile(
    r'object has no property "[A-Za-z_]\w*"|unknown context value [A-Za-z_]\w*|infix: [^"]*|'
    r"index out of bounds|\$\w+ value must evaluate to an array( or object| of objects)?|"
    r"invalid arguments to builtin: \w+"
)


@dataclass(frozen=True, eq=False)
class Conversion:
    """The conversion between two versions of a contract.

    Attributes:
        subject: The contract.
        source: The version of the input, such as `1.1`.
        target: The version of the result, such as `2.0`.
        file: The document, relative to the contract's folder.
        template: The JSON-e document.
    """

    subject: str
    source: str
    target: str
    file: str
    template: Any

    def apply(self, data: object) -> Any:
        """Convert data to the target version, without changing the argument.

        Raises:
            ConversionError: The data cannot be converted.
        """
        from jsone import render  # noqa: PLC0415 - few processes need it
        from jsone.shared import JSONTemplateError  # noqa: PLC0415

        try:
            return render(self.template, {**_CLOSED, "event": data})
        except JSONTemplateError as error:
            message = str(error.args[0]) if error.args else ""
            what = message if _SAFE.fullmatch(message) else type(error).__name__
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            what = type(error).__name__
        raise self.error(what)

    def error(self, what: str) -> ConversionError:
        """The error that names this conversion and what went wrong."""
        return ConversionError(self.subject, self.source, self.target, self.file, what)


def faults(template: object) -> Iterator[tuple[tuple[Step, ...], str]]:
    """All places in a JSON-e document that use what a conversion may not, with a message."""
    rest: list[tuple[tuple[Step, ...], object, int]] = [((), template, 0)]
    while rest:
        steps, node, maps = rest.pop()
        if isinstance(node, str) and "**" in node:
            yield steps, "`**` is not allowed in a conversion"
        if isinstance(node, Mapping):
            maps += "$map" in node
            if maps > MAX_MAPS and "$map" in node:
                yield steps, f"`$map` is nested more than {MAX_MAPS} levels deep"
            yield from _keys(steps, node)
            rest.extend(((*steps, step), child, maps) for step, child in node.items())
        elif isinstance(node, list):
            rest.extend(((*steps, index), child, maps) for index, child in enumerate(node))


def _keys(steps: tuple[Step, ...], node: Mapping[str, object]) -> Iterator[tuple[tuple[Step, ...], str]]:
    for key in node:
        if "**" in key:
            yield steps, "`**` is not allowed in a conversion"
        elif _OPERATOR.fullmatch(key) and key not in OPERATORS and key != "$default":
            known = ", ".join(f"`{name}`" for name in sorted(OPERATORS))
            yield (*steps, key), f"`{key}` is not allowed in a conversion; the allowed operators are {known}"
