"""Numbers of conversions and mappings: exact, and never altered in silence.

Law: `0.1` is the decimal number that is written, not the binary one beside it. A result that a JSON number
cannot hold to the last digit is refused. Whole numbers are integers; zero has no sign; text has no exponent.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Final, TypeAlias

Number: TypeAlias = int | Fraction
"""A number between two steps of a calculation: whole, or any quotient of two whole numbers."""

MAX_BITS: Final = 4_096
"""Size of a number: 1,233 digits. Enough for products of a few of the largest numbers of JSON."""
MOST_PLACES: Final = 1_100
"""Digits of a text after the decimal point. The smallest numbers of JSON have 1,074."""

_KINDS: Final = (int, float, Fraction)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?")


class ValueConversionError(ValueError):
    """A value does not convert; the message says what was expected, without the value."""


def is_number(value: Any) -> bool:
    """Whether a value is a JSON number, or one between two steps of a calculation."""
    return isinstance(value, _KINDS) and not isinstance(value, bool)


def exact(value: float | Number) -> Number:
    """The decimal number that a JSON number is written as.

    Raises:
        ValueConversionError: It is infinite, or larger than `MAX_BITS`.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueConversionError("Expected a finite number")
        value = Fraction(repr(value))
    return bounded(value)


def bounded(number: Number) -> Number:
    """The number, as an integer where it is whole.

    Raises:
        ValueConversionError: It is larger than `MAX_BITS`.
    """
    if number.numerator.bit_length() > MAX_BITS or number.denominator.bit_length() > MAX_BITS:
        raise ValueConversionError("Expected a number of at most 1,233 digits")
    return number.numerator if number.denominator == 1 else number


def read_number(text: str) -> Number:
    """The number that a text says, such as `12`, `-0.50` or `1e6`; spaces around it do not count.

    Raises:
        ValueConversionError: The text is no number.
    """
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        raise ValueConversionError("Expected text that is a number, such as `12.50`")
    return bounded(Fraction(stripped))


def json_number(number: Number) -> int | float:
    """The number as JSON holds it: an integer, or a decimal of at most 17 digits.

    Raises:
        ValueConversionError: Digits would be lost.
    """
    if isinstance(number, int):
        return number
    places(number)
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if math.isinf(value) or Fraction(repr(value)) != number:
        raise ValueConversionError(
            "Expected a number of at most 17 digits, which JSON keeps; `decimal` gives all of them as text, "
            "`round` gives fewer"
        )
    return value


def plain_value(value: Any) -> Any:
    """A value as JSON holds it: `json_number` of a number between two steps, any other as it is.

    Raises:
        ValueConversionError: Digits would be lost.
    """
    return json_number(value) if isinstance(value, Fraction) else value


def places(number: Number) -> int:
    """How many digits a number has after the decimal point.

    Raises:
        ValueConversionError: They have no end, as those of one third.
    """
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise ValueConversionError("Expected a quotient whose digits end; `round` gives it to some digits")
    return max(twos, fives)


def number_text(value: float | Number, digits: int | None = None) -> str:
    """A number as text, with every digit and without exponent: `12`, `0.0000001`.

    Args:
        value: The number.
        digits: How many digits to write after the decimal point; as many as it has when None.

    Raises:
        ValueConversionError: It has more digits than that, or no last one.
    """
    number = exact(value)
    needed = places(number)
    digits = needed if digits is None else digits
    if needed > MOST_PLACES:
        raise ValueConversionError(f"Expected at most {MOST_PLACES:,} digits after the decimal point")
    if needed > digits:
        raise ValueConversionError(
            f"Expected at most {digits} digits after the decimal point; `round` gives fewer"
        )
    whole = str(abs(int(number * 10**digits))).rjust(digits + 1, "0")
    text = f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
    return f"-{text}" if number < 0 else text


def rounded(number: Number, digits: int) -> Number:
    """The number with at most `digits` digits after the decimal point; a half goes away from zero."""
    scaled = abs(number) * 10**digits
    whole = int(scaled + Fraction(1, 2))
    return bounded(Fraction(-whole if number < 0 else whole, 10**digits))
