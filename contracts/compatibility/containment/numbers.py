"""Numbers: an interval, factors they must and must not have, numbers they must and must not be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, islice

from contracts.compatibility.containment.nodes import Constraint
from contracts.compatibility.containment.results import EMPTY, Found, NotUnderstoodError, Result, Unknown
from contracts.compatibility.containment.values import is_written_exactly, written

_MOST_TRIED = 20_000
_HALVES = tuple(Fraction(1, 2**power) for power in range(1, 40))
_NICE = (*map(Fraction, (0, 1, -1, 2, 10, 100)), Fraction(1, 2), Fraction(-1, 2), Fraction(1, 4))


@dataclass(slots=True)
class _Demand:
    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    factor: Fraction | None = None
    not_factors: list[Fraction] = field(default_factory=list)
    allowed: frozenset[Fraction] | None = None
    refused: set[Fraction] = field(default_factory=set)

    def take(self, constraint: Constraint) -> None:
        match constraint:
            case ("low", bound, is_open):
                if self.low is None or (bound, is_open) > (self.low, self.low_open):
                    self.low, self.low_open = bound, is_open
            case ("high", bound, is_open):
                if self.high is None or (bound, not is_open) < (self.high, not self.high_open):
                    self.high, self.high_open = bound, is_open
            case ("mul", factor):
                self.factor = factor if self.factor is None else _common_multiple(self.factor, factor)
            case ("nmul", factor):
                self.not_factors.append(factor)
            case ("in", numbers):
                self.allowed = numbers if self.allowed is None else self.allowed & numbers
            case ("nin", numbers):
                self.refused |= numbers
            case _:
                raise NotUnderstoodError("an odd limit of numbers")

    def allows(self, number: Fraction) -> bool:
        return (
            (self.low is None or number > self.low or (number == self.low and not self.low_open))
            and (self.high is None or number < self.high or (number == self.high and not self.high_open))
            and (self.factor is None or (number / self.factor).denominator == 1)
            and all((number / factor).denominator != 1 for factor in self.not_factors)
            and (self.allowed is None or number in self.allowed)
            and number not in self.refused
        )


def find_number(constraints: Iterable[Constraint]) -> Result:
    """A number that keeps all the constraints."""
    demand = _Demand()
    for constraint in constraints:
        demand.take(constraint)
    if demand.allowed is not None:
        return _first(demand, sorted(demand.allowed, key=_plainness))
    if demand.low is not None and demand.high is not None:
        if demand.low > demand.high or (demand.low == demand.high and (demand.low_open or demand.high_open)):
            return EMPTY
        if demand.low == demand.high:
            return _first(demand, [demand.low])
    return _among_all(demand) if demand.factor is None else _among_multiples(demand, demand.factor)


def _first(demand: _Demand, numbers: Iterable[Fraction]) -> Result:
    found = next((number for number in numbers if demand.allows(number)), None)
    return EMPTY if found is None else Found(written(found))


def _plainness(number: Fraction) -> tuple[int, Fraction, bool]:
    return number.denominator, abs(number), number < 0


def _among_multiples(demand: _Demand, factor: Fraction) -> Result:
    """Multiples `k * factor`, for `k` in a range; what must not divide them forbids some residues of `k`."""
    residues = [_common_multiple(factor, other) / factor for other in demand.not_factors]
    if any(residue == 1 for residue in residues):
        return EMPTY
    first = None if demand.low is None else math.ceil(demand.low / factor)
    last = None if demand.high is None else math.floor(demand.high / factor)
    multiples = (factor * k for k in _outward(first, last))
    found = next((number for number in islice(multiples, _MOST_TRIED) if demand.allows(number)), None)
    if found is not None:
        return Found(written(found))
    return EMPTY if next(multiples, None) is None else Unknown("more multiples than can be tried")


def _outward(first: int | None, last: int | None) -> Iterator[int]:
    if first is None and last is None:
        return (k for n in count() for k in ((n, -n) if n else (0,)))
    if first is not None and last is not None and first <= 0 <= last:
        return (
            k for n in range(max(last, -first) + 1) for k in ((n, -n) if n else (0,)) if first <= k <= last
        )
    if first is None:
        return count(min(last or 0, 0), -1)
    if last is None:
        return count(max(first, 0))
    return iter(range(first, last + 1) if first > 0 else range(last, first - 1, -1))


def _among_all(demand: _Demand) -> Result:
    """An interval of more than one point is dense: what is forbidden in it never fills it."""
    for number in _samples(demand):
        if is_written_exactly(number) and demand.allows(number):
            return Found(written(number))
    return Unknown("a number that JSON can hardly write")


def _samples(demand: _Demand) -> Iterator[Fraction]:
    yield from _NICE
    low, high = demand.low, demand.high
    for start, sign in ((low, 1), (high, -1)):
        if start is not None:
            yield start
            for step in range(1, len(demand.refused) + 3):
                yield Fraction(math.floor(start) + sign * step)
            for part in _HALVES:
                yield start + sign * part
                yield Fraction(math.floor(start)) + sign * part
            for power in range(1, 17):
                yield start + sign * Fraction(1, 10**power)
    if low is not None and high is not None:
        for part in _HALVES:
            yield low + (high - low) * part
            yield high - (high - low) * part
    for step in range(1, len(demand.refused) + len(demand.not_factors) + 60):
        for part in _HALVES[:6]:
            yield (low or high or Fraction(0)) + (step if high is None else -step) + part


def _common_multiple(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(
        math.lcm(one.numerator * other.denominator, other.numerator * one.denominator),
        one.denominator * other.denominator,
    )
