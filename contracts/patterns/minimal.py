"""Minimises automata (Hopcroft 1971), with states in breadth-first order."""

from __future__ import annotations

from collections.abc import Sequence

Table = tuple[tuple[int, ...], ...]


def minimal(
    rows: Sequence[Sequence[int]], accepts: Sequence[bool]
) -> tuple[tuple[int, ...], Table, tuple[bool, ...]]:
    """The minimal automaton of the same language.

    Returns:
        The new number of each class of characters, the rows, and the accepting states.
    """
    blocks = _blocks(rows, accepts)
    order: dict[int, int] = {blocks[0]: 0}
    speakers = [0]
    table = []
    for speaker in speakers:
        row = []
        for target in rows[speaker]:
            number = order.setdefault(blocks[target], len(speakers))
            if number == len(speakers):
                speakers.append(target)
            row.append(number)
        table.append(row)
    columns: dict[tuple[int, ...], int] = {}
    names = tuple(columns.setdefault(column, len(columns)) for column in zip(*table, strict=True))
    least = tuple(zip(*columns, strict=True))
    return names, least, tuple(accepts[speaker] for speaker in speakers)


def _blocks(rows: Sequence[Sequence[int]], accepts: Sequence[bool]) -> list[int]:
    """The block of each state; equivalent states share a block."""
    before = _before(rows)
    members = [
        part
        for part in ({s for s, end in enumerate(accepts) if end == kind} for kind in (True, False))
        if part
    ]
    block = [0] * len(rows)
    for number, part in enumerate(members):
        for state in part:
            block[state] = number
    waiting = set(range(len(members)))
    while waiting:
        splitter = tuple(members[waiting.pop()])
        for arrows in before:
            touched: dict[int, set[int]] = {}
            for state in splitter:
                for source in arrows[state]:
                    touched.setdefault(block[source], set()).add(source)
            for number, part in touched.items():
                if len(part) < len(members[number]):
                    _split(number, part, members, block, waiting)
    return block


def _split(number: int, part: set[int], members: list[set[int]], block: list[int], waiting: set[int]) -> None:
    rest = members[number] - part
    small, large = (part, rest) if len(part) <= len(rest) else (rest, part)
    members[number] = large
    members.append(small)
    for state in small:
        block[state] = len(members) - 1
    # If the old block is waiting, both halves must wait; otherwise the smaller half is enough.
    waiting.add(len(members) - 1)


def _before(rows: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """For each class and state, the states that lead there."""
    arrows: list[list[list[int]]] = [[[] for _ in rows] for _ in rows[0]]
    for state, row in enumerate(rows):
        for index, target in enumerate(row):
            arrows[index][target].append(state)
    return arrows
