"""Enumerates and counts the texts of an automaton, short and readable ones first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from contracts.patterns.automaton import Automaton
from contracts.patterns.budget import Budget
from contracts.patterns.errors import TooLargeError
from contracts.patterns.lengths import Lengths, lengths_of

MANY = 2**63
"""The maximum count."""
MAX_LENGTH = 100_000
"""The maximum length of an enumerated text."""


def texts(automaton: Automaton, low: int, high: int | None, count: int) -> Iterator[str]:
    """Up to `count` distinct texts of `low` to `high` characters.

    Raises:
        TooLargeError: They are too long.
    """
    lengths = lengths_of(automaton)
    found = 0
    length = lengths.next(low, high)
    while length is not None and found < count:
        if length > MAX_LENGTH:
            raise TooLargeError(f"Expected texts of at most {MAX_LENGTH} characters, got longer ones")
        for text in islice(_of_length(automaton, lengths, length, count), count - found):
            yield text
            found += 1
        length = lengths.next(length + 1, high)


def count_texts(automaton: Automaton, low: int, high: int | None) -> int | None:
    """The number of texts of `low` to `high` characters, at most `MANY`; None if infinite.

    Raises:
        TooLargeError: They are too long to count.
    """
    lengths = lengths_of(automaton)
    if lengths.shortest is None:
        return 0
    last = (
        high if lengths.longest is None else min(lengths.longest, lengths.longest if high is None else high)
    )
    if last is None:
        return None
    weights = automaton.alphabet.sizes
    budget = Budget()
    ways = [int(end) for end in automaton.accepts]
    total = ways[0] if low <= 0 <= last else 0
    for length in range(1, last + 1):
        budget.spend(len(ways) * len(weights))
        ways = [
            min(sum(weight * ways[target] for weight, target in zip(weights, row, strict=True)), MANY)
            for row in automaton.rows
        ]
        total += ways[0] if length >= low else 0
        if total >= MANY:
            return MANY
    return total


def _of_length(automaton: Automaton, lengths: Lengths, length: int, count: int) -> Iterator[str]:
    best = automaton.alphabet.best
    paths: list[tuple[int, ...]] = []
    for path in islice(_paths(automaton, lengths, length), count):
        paths.append(path)
        yield "".join(best[index] for index in path)
    for path in paths:
        pools = {index: list(islice(automaton.alphabet.members(index), count + 1)) for index in set(path)}
        if len(path) > 64:
            yield from _with_one_varied(path, pools, best)
            continue
        spellings = product(*(pools[index] for index in path))
        next(spellings)
        yield from map("".join, spellings)


def _with_one_varied(
    path: tuple[int, ...], pools: dict[int, list[str]], best: tuple[str, ...]
) -> Iterator[str]:
    """Variants of a long text, which differ in one character."""
    usual = [best[index] for index in path]
    for place, index in enumerate(path):
        for character in pools[index][1:]:
            yield "".join([*usual[:place], character, *usual[place + 1 :]])


def _paths(automaton: Automaton, lengths: Lengths, length: int) -> Iterator[tuple[int, ...]]:
    """The paths of classes to acceptance, most readable first."""
    path: list[int] = []
    open_ = [_onward(automaton, lengths, 0, length)]
    if length == 0:
        yield ()
        return
    while open_:
        try:
            index, state = next(open_[-1])
        except StopIteration:
            open_.pop()
            if path:
                path.pop()
            continue
        path.append(index)
        if len(path) == length:
            yield tuple(path)
            path.pop()
        else:
            open_.append(_onward(automaton, lengths, state, length - len(path)))


def _onward(automaton: Automaton, lengths: Lengths, state: int, remaining: int) -> Iterator[tuple[int, int]]:
    layer = lengths.layer(remaining - 1) if remaining else 0
    for index in automaton.alphabet.order:
        target = automaton.rows[state][index]
        if layer >> target & 1:
            yield index, target
