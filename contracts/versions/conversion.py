"""Converts data of one version to another: a JSON-e document with the variable `event`.

Law: the result depends only on the data. A conversion has no access to clock, disk or network; its time is
bounded; it evaluates no expression in the data; it alters no digit of a number; its errors quote no data.

JSON-e (https://json-e.js.org) is a template language for JSON, implemented in Go, JavaScript, Python, Ruby
and Rust. A conversion may use the operators in `OPERATORS`, every expression except `**`, and the functions
in `FUNCTIONS`. Excluded is what reads the clock (`$fromNow`) or evaluates data (`$find`). The package of
JSON-e makes floats of whole numbers and tells of no place, so this room reads the language itself; its tests
compare it with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from contracts.errors import ConversionError
from contracts.finding import Place
from contracts.versions.run import MAX_RESULT_BYTES, MAX_STEPS, CostError, Run
from contracts.versions.templates import Spot, Template, TemplateError, read_template

NAMES: Final = frozenset({"event"})
"""The variables of a conversion."""
SHOWN_CHARACTERS: Final = 80
"""Characters of an expression that a message shows."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """The conversion between two versions of a contract.

    Attributes:
        subject: The contract.
        source: The version of the input, such as `1.1`.
        target: The version of the result, such as `2.0`.
        file: The document, relative to the contract's folder.
        template: The JSON-e document.
        locate: Gives line and column of a spot in the document; None where only its content is known.
    """

    subject: str
    source: str
    target: str
    file: str
    template: Any
    locate: Callable[[Spot], Place] | None = None

    @cached_property
    def read(self) -> Template:
        """The document, read, with its faults."""
        return read_template(self.template, NAMES)

    def apply(self, data: object) -> Any:
        """Convert data to the target version, without changing the argument.

        Raises:
            ConversionError: The data cannot be converted.
        """
        try:
            made = self.read.result({"event": data}, Run())
        except TemplateError as error:
            raise self.error(told(error), error.spot) from None
        except CostError:
            raise self.error(f"it takes more than {MAX_STEPS:,} steps") from None
        except RecursionError:
            raise self.error("the data is nested too deep") from None
        if _is_larger(made, MAX_RESULT_BYTES):
            raise self.error(f"the result is larger than {MAX_RESULT_BYTES:,} bytes")
        return made

    def error(self, what: str, spot: Spot | None = None) -> ConversionError:
        """The error that names this conversion and what went wrong, and where in its document."""
        place = self.locate(spot) if spot and self.locate else None
        return ConversionError(self.subject, self.source, self.target, self.file, what, place=place)


def told(error: TemplateError) -> str:
    """A fault of a document with its expression, such as "unknown name `evnt` - in `evnt.name`"."""
    written = error.spot.expression
    shown = written if len(written) <= SHOWN_CHARACTERS else f"{written[:SHOWN_CHARACTERS]}..."
    return f"{error} - in `{shown}`" if shown else str(error)


def _is_larger(value: Any, limit: int) -> bool:
    """Whether a value has more bytes as JSON; a part that stands in it several times counts as often."""
    rest, size = [value], 0
    while rest:
        part = rest.pop()
        size += 1
        if isinstance(part, str):
            size += len(part)
        elif isinstance(part, dict):
            rest.extend(part.values())
            size += sum(map(len, part))
        elif isinstance(part, list):
            rest.extend(part)
        if size > limit:
            return True
    return False
