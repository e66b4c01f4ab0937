"""The smallest automaton of a language (Hopcroft 1971), its states in the order a search finds them."""

from __future__ import annotations

from collections.abc import Sequence

Table = tuple[tuple[int, ...], ...]


def minimal(
    rows: Sequence[Sequence[int]], accepts: Sequence[bool]
) -> tuple[tuple[int, ...], Table, tuple[bool, ...]]:
    """The smallest equal automaton.

    Returns:
        The new name of each class of characters, the rows, and which states accept.
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
    """The block of each state: two states are in one if no text tells them apart."""
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
    # If the old block waits, both halves must; else the smaller is enough.
    waiting.add(len(members) - 1)


def _before(rows: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """For each class, the states from which it leads to each state."""
    arrows: list[list[list[int]]] = [[[] for _ in rows] for _ in rows[0]]
    for state, row in enumerate(rows):
        for index, target in enumerate(row):
            arrows[index][target].append(state)
    return arrows
