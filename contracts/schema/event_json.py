"""JSON of an event, which every reader understands alike. Pure.

Sources: RFC 8259, sections 4 (names) and 6 (numbers); RFC 7493 (I-JSON), section 2.3.

Law of this file: what readers understand differently is refused. Of a name that stands twice in one object
some take the first value and some the last; of a whole number beyond 64 bits some lose digits. A fraction is
a double, as RFC 8259 advises.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from contracts.paths import Step

WHOLE_NUMBERS: Final = range(-(2**63), 2**64)
"""The whole numbers that an event may hold, as digits."""
_LONGEST: Final = 20

TWICE: Final = "Expected each name once in an object, got one twice"
TOO_LONG: Final = (
    "Expected a whole number of at most 64 bits, got a longer one, which readers round; send it as text"
)
TOO_DEEP: Final = "Expected at most 254 levels, got more"


class AmbiguousJsonError(ValueError):
    """JSON that two readers would understand differently.

    Args:
        fault: what was expected, and what came.
        steps: where; the names in them are the writer's own.
    """

    def __init__(self, fault: str, steps: tuple[Step, ...]) -> None:
        super().__init__(fault)
        self.fault = fault
        self.steps = steps

    @property
    def is_twice(self) -> bool:
        """Whether a name stands twice in one object."""
        return self.fault == TWICE


def read_event_json(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        AmbiguousJsonError: two readers would understand it differently, or it is nested too deep to be
            written again.
        ValueError: it is not JSON.
    """
    value = orjson.loads(text)
    try:
        written = orjson.dumps(value)
    except TypeError:
        raise AmbiguousJsonError(TOO_DEEP, ()) from None
    if written != text and not _is_the_same(text, written):
        _check(text)
    return value


def _is_the_same(text: bytes, written: bytes) -> bool:
    """Return whether only blanks, escapes and spellings of numbers can differ; nearly always they do.

    A name that stood twice would be gone, and its two quotes with it, which only an escape could hide. A
    whole number beyond 64 bits would have become a double of that size, and those have an exponent.
    """
    return text.count(b'"') == written.count(b'"') and b"\\u0022" not in text and b"e+" not in written


class _Fault:
    """What stands for a value that is read differently; `steps` lead to it, the last one first."""

    __slots__ = ("fault", "steps")

    def __init__(self, fault: str, *steps: Step) -> None:
        self.fault = fault
        self.steps = list(steps)


def _check(text: bytes) -> None:
    is_faulty = False

    def of_object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Fault:
        nonlocal is_faulty
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        is_faulty = True
        return _Fault(TWICE, _twice(pairs))

    def of_digits(digits: str) -> int | _Fault:
        nonlocal is_faulty
        if len(digits) <= _LONGEST and (number := int(digits)) in WHOLE_NUMBERS:
            return number
        is_faulty = True
        return _Fault(TOO_LONG)

    read = json.loads(text, object_pairs_hook=of_object, parse_int=of_digits)
    if is_faulty and (found := _first(read)) is not None:
        raise AmbiguousJsonError(found.fault, tuple(reversed(found.steps)))


def _twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return name


def _first(part: Any) -> _Fault | None:
    if isinstance(part, _Fault):
        return part
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for step, item in items:
        if (found := _first(item)) is not None:
            found.steps.append(step)
            return found
    return None
