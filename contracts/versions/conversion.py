"""From one version's data to another's: a JSON-e document over the variable `event`.

Law: a conversion is a function of the data alone. It sees no clock, disk or network, ends in time bounded by
the size of document and data, evaluates nothing that stands in the data, and its faults quote none of it.

JSON-e (https://json-e.js.org) is a language of JSON documents with one meaning in Go, JavaScript, Python,
Ruby and Rust. Of it a conversion may use the operators of `OPERATORS` and every expression but `**`. Left out
is what reads the clock (`$fromNow`), what evaluates data (`$find`), and what makes large values of small ones
(`$let`, `$reduce`, `range`, `**`).
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
"""How deep one `$map` may stand within another."""

_OPERATOR = re.compile(r"\$[A-Za-z_]\w*")
_CLOSED: Final = dict.fromkeys(("fromNow", "now", "range"))
# Of what JSON-e says about a fault, these words come from the document; others could come from the data.
_SAFE: Final = re.compile(
    r'object has no property "[A-Za-z_]\w*"|unknown context value [A-Za-z_]\w*|infix: [^"]*|'
    r"index out of bounds|\$\w+ value must evaluate to an array( or object| of objects)?|"
    r"invalid arguments to builtin: \w+"
)


@dataclass(frozen=True, eq=False)
class Conversion:
    """One step between two versions of a contract.

    Attributes:
        subject: The contract.
        source: The version it reads, such as `1.1`.
        target: The version it makes, such as `2.0`.
        file: The document, relative to the contract's folder: the rule that a fault names.
        template: The JSON-e document.
    """

    subject: str
    source: str
    target: str
    file: str
    template: Any

    def apply(self, data: object) -> Any:
        """The data as the target version says it; the given data is left as it is.

        Raises:
            ConversionError: The document cannot say this data.
        """
        from jsone import render  # noqa: PLC0415 - wanted by few processes
        from jsone.shared import JSONTemplateError  # noqa: PLC0415

        try:
            return render(self.template, {**_CLOSED, "event": data})
        except JSONTemplateError as error:
            said = str(error.args[0]) if error.args else ""
            what = said if _SAFE.fullmatch(said) else type(error).__name__
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            what = type(error).__name__
        raise self.error(what)

    def error(self, what: str) -> ConversionError:
        """The error that names this conversion and what went wrong."""
        return ConversionError(self.subject, self.source, self.target, self.file, what)


def faults(template: object) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Every place of a JSON-e document where it uses what a conversion may not."""
    rest: list[tuple[tuple[Step, ...], object, int]] = [((), template, 0)]
    while rest:
        steps, node, maps = rest.pop()
        if isinstance(node, str) and "**" in node:
            yield steps, "`**` is not among the expressions that a conversion may use"
        if isinstance(node, Mapping):
            maps += "$map" in node
            if maps > MAX_MAPS and "$map" in node:
                yield steps, f"`$map` stands within more than {MAX_MAPS - 1} other"
            yield from _keys(steps, node)
            rest.extend(((*steps, step), child, maps) for step, child in node.items())
        elif isinstance(node, list):
            rest.extend(((*steps, index), child, maps) for index, child in enumerate(node))


def _keys(steps: tuple[Step, ...], node: Mapping[str, object]) -> Iterator[tuple[tuple[Step, ...], str]]:
    for key in node:
        if "**" in key:
            yield steps, "`**` is not among the expressions that a conversion may use"
        elif _OPERATOR.fullmatch(key) and key not in OPERATORS and key != "$default":
            known = ", ".join(f"`{name}`" for name in sorted(OPERATORS))
            yield (*steps, key), f"`{key}` is not among the operators that a conversion may use ({known})"
