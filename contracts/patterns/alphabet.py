"""Partitions all characters into the few classes that an automaton distinguishes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

from contracts.patterns.charset import LAST, SURROGATES, Ranges

NO_CLASS = -1
"""The class of surrogates, which are not characters."""

_BANDS = (
    ((0x61, 0x7A),),
    ((0x30, 0x39),),
    ((0x41, 0x5A),),
    ((0x20, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    ((0xA1, LAST),),
    ((0x00, 0x1F), (0x7F, 0xA0)),
)
"""Ranges of characters, the most readable first."""


@dataclass(frozen=True, eq=False)
class Alphabet:
    """Classes of characters.

    Attributes:
        starts: The first code point of each range; the first is 0.
        classes: The class of each range.
        count: The number of classes.
    """

    starts: tuple[int, ...]
    classes: tuple[int, ...]
    count: int

    def class_of(self, character: str) -> int:
        """The class of a character."""
        return self.classes[bisect_right(self.starts, ord(character)) - 1]

    def members(self, index: int) -> Iterator[str]:
        """The characters of a class, readable ones first."""
        for low, high in chain.from_iterable(_BANDS):
            for first, last in self.stretches[index]:
                yield from map(chr, range(max(first, low), min(last, high) + 1))

    @cached_property
    def stretches(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The ranges of each class."""
        found: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        for first, after, index in zip(self.starts, (*self.starts[1:], LAST + 1), self.classes, strict=True):
            if index != NO_CLASS:
                found[index].append((first, after - 1))
        return tuple(tuple(ranges) for ranges in found)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of characters in each class."""
        return tuple(sum(last - first + 1 for first, last in ranges) for ranges in self.stretches)

    @cached_property
    def best(self) -> tuple[str, ...]:
        """The most readable character of each class."""
        return tuple(next(self.members(index)) for index in range(self.count))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The classes, most readable first."""
        return tuple(sorted(range(self.count), key=lambda index: _rank(self.best[index])))

    def merged(self, names: Sequence[int]) -> Alphabet:
        """The alphabet with classes renumbered; classes with equal numbers are merged."""
        starts: list[int] = []
        classes: list[int] = []
        for start, index in zip(self.starts, self.classes, strict=True):
            name = NO_CLASS if index == NO_CLASS else names[index]
            if not classes or classes[-1] != name:
                starts.append(start)
                classes.append(name)
        return Alphabet(tuple(starts), tuple(classes), max(names) + 1)


def partition(sets: Sequence[Ranges]) -> tuple[Alphabet, list[tuple[int, ...]]]:
    """The smallest partition in which each set is a union of classes.

    Returns:
        The alphabet, and the classes of each set.
    """
    toggles: dict[int, int] = {0: 0, SURROGATES[0]: 0, SURROGATES[1] + 1: 0}
    for index, ranges in enumerate(sets):
        for low, high in ranges:
            toggles[low] = toggles.get(low, 0) ^ (1 << index)
            toggles[high + 1] = toggles.get(high + 1, 0) ^ (1 << index)
    toggles.pop(LAST + 1, None)
    names: dict[int, int] = {}
    starts: list[int] = []
    classes: list[int] = []
    held = 0
    for start in sorted(toggles):
        held ^= toggles[start]
        name = NO_CLASS if start == SURROGATES[0] else names.setdefault(held, len(names))
        if not classes or classes[-1] != name:
            starts.append(start)
            classes.append(name)
    members = [tuple(name for held, name in names.items() if held >> index & 1) for index in range(len(sets))]
    return Alphabet(tuple(starts), tuple(classes), len(names)), members


@lru_cache(maxsize=512)
def overlay(one: Alphabet, other: Alphabet) -> tuple[Alphabet, tuple[tuple[int, int], ...]]:
    """The common refinement of two alphabets.

    Returns:
        The alphabet, and for each of its classes the class in each of the two.
    """
    names: dict[tuple[int, int], int] = {}
    starts: list[int] = []
    classes: list[int] = []
    for start in sorted(set(chain(one.starts, other.starts))):
        pair = (
            one.classes[bisect_right(one.starts, start) - 1],
            other.classes[bisect_right(other.starts, start) - 1],
        )
        name = NO_CLASS if NO_CLASS in pair else names.setdefault(pair, len(names))
        if not classes or classes[-1] != name:
            starts.append(start)
            classes.append(name)
    return Alphabet(tuple(starts), tuple(classes), len(names)), tuple(names)


def _rank(character: str) -> tuple[int, int]:
    code = ord(character)
    return next(
        rank for rank, band in enumerate(_BANDS) if any(low <= code <= high for low, high in band)
    ), code
