"""Deterministic automata, complete and minimal, with states in breadth-first order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

from contracts.patterns import charset
from contracts.patterns.alphabet import Alphabet, overlay, partition
from contracts.patterns.budget import MAX_CELLS, MAX_STATES, Budget
from contracts.patterns.charset import Ranges
from contracts.patterns.errors import TooLargeError
from contracts.patterns.program import Program
from contracts.patterns.subsets import START, Subsets
from contracts.patterns.syntax import Anchor, Node, Sequence

Key = TypeVar("Key", bound=Hashable)
Rows = list[list[int]]
Table = tuple[tuple[int, ...], ...]
Operation = Literal["and", "or", "without"]


@dataclass(frozen=True, eq=False)
class Automaton:
    """A regular language; state 0 is the start.

    Attributes:
        alphabet: The classes of characters.
        rows: For each state, the next state by class.
        accepts: For each state, whether it accepts.
    """

    alphabet: Alphabet
    rows: tuple[tuple[int, ...], ...]
    accepts: tuple[bool, ...]

    def matches(self, text: str) -> bool:
        """Whether the text is in the language. A text with a surrogate never is."""
        state = 0
        for character in text:
            index = self.alphabet.class_of(character)
            if index < 0:
                return False
            state = self.rows[state][index]
        return self.accepts[state]

    def same(self, other: Automaton) -> bool:
        """Whether both are the same language."""
        return self is other or (
            self.rows == other.rows
            and self.accepts == other.accepts
            and self.alphabet.starts == other.alphabet.starts
            and self.alphabet.classes == other.alphabet.classes
        )

    @property
    def constant(self) -> bool | None:
        """True if it accepts every text, False if none, otherwise None."""
        return self.accepts[0] if len(self.rows) == 1 else None


def of_pattern(node: Node, word: Ranges = charset.WORD) -> Automaton:
    r"""The texts that match the pattern; `word` is the set of word characters for `\b`.

    Raises:
        TooLargeError: Its automaton is too large.
    """
    first = node.parts[0] if isinstance(node, Sequence) and node.parts else node
    program = Program(node, word, search=not (isinstance(first, Anchor) and first.kind == "start"))
    main = Subsets(program, Budget())
    return _explore(main.alphabet, main.main.begin(START), main.main.row, main.main.accepts)


def of_words(words: Iterable[str]) -> Automaton:
    """Exactly these texts.

    Raises:
        TooLargeError: They are too many or too long.
    """
    root: dict[str, object] = {}
    known = {id(root): root}
    ends = set()
    budget = Budget()
    for word in words:
        if any(charset.SURROGATES[0] <= ord(character) <= charset.SURROGATES[1] for character in word):
            continue
        at = root
        for character in word:
            budget.spend()
            following = at.setdefault(character, {})
            assert isinstance(following, dict)  # noqa: S101 - only dicts are put in
            known[id(following)] = at = following
        ends.add(id(at))
    alphabet, _ = partition(
        [charset.characters(each) for each in sorted({c for at in known.values() for c in at})]
    )
    indexes = {character: alphabet.class_of(character) for at in known.values() for character in at}

    def row(state: int) -> list[int]:
        following = [0] * alphabet.count
        for character, target in known.get(state, {}).items():
            following[indexes[character]] = id(target)
        return following

    return _explore(alphabet, id(root), row, ends.__contains__)


@lru_cache(maxsize=2048)
def combined(one: Automaton, other: Automaton, operation: Operation) -> Automaton:
    """The intersection, union or difference of two automata.

    Raises:
        TooLargeError: The result is too large.
    """
    shortcut = _shortcut(one, other, operation)
    if shortcut is not None:
        return shortcut
    alphabet, pairs = overlay(one.alphabet, other.alphabet)

    def row(state: tuple[int, int]) -> list[tuple[int, int]]:
        first, second = one.rows[state[0]], other.rows[state[1]]
        return [(first[i], second[j]) for i, j in pairs]

    def accepts(state: tuple[int, int]) -> bool:
        first, second = one.accepts[state[0]], other.accepts[state[1]]
        if operation == "or":
            return first or second
        return first and second == (operation == "and")

    return _explore(alphabet, (0, 0), row, accepts)


def complemented(one: Automaton) -> Automaton:
    """The complement of an automaton."""
    return Automaton(one.alphabet, one.rows, tuple(not accepts for accepts in one.accepts))


def _shortcut(one: Automaton, other: Automaton, operation: Operation) -> Automaton | None:
    if one is other or one.same(other):
        return NOTHING if operation == "without" else one
    neutral = {"and": True, "or": False}
    if operation == "without":
        if other.constant is not None:
            return NOTHING if other.constant else one
        return complemented(other) if one.constant else NOTHING if one.constant is False else None
    for first, second in ((one, other), (other, one)):
        if first.constant is not None:
            return second if first.constant == neutral[operation] else first
    return None


def _explore(
    alphabet: Alphabet, first: Key, row: Callable[[Key], list[Key]], accepts: Callable[[Key], bool]
) -> Automaton:
    numbers = {first: 0}
    keys = [first]
    rows: Rows = []
    for key in keys:
        numbered = []
        for target in row(key):
            number = numbers.setdefault(target, len(keys))
            if number == len(keys):
                keys.append(target)
            numbered.append(number)
        rows.append(numbered)
        if len(keys) > MAX_STATES or len(keys) * alphabet.count > MAX_CELLS:
            raise TooLargeError(
                "Expected patterns of bounded size, got ones whose automata are too large to build"
            )
    names, least, ends = _minimal(rows, [accepts(key) for key in keys])
    return Automaton(alphabet.merged(names), least, ends)


def _minimal(rows: Rows, accepts: list[bool]) -> tuple[tuple[int, ...], Table, tuple[bool, ...]]:
    """The new number of each class of characters, the rows, and the accepting states (Hopcroft 1971)."""
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


def _blocks(rows: Rows, accepts: list[bool]) -> list[int]:
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


def _before(rows: Rows) -> list[list[list[int]]]:
    """For each class and state, the states that lead there."""
    arrows: list[list[list[int]]] = [[[] for _ in rows] for _ in rows[0]]
    for state, row in enumerate(rows):
        for index, target in enumerate(row):
            arrows[index][target].append(state)
    return arrows


def _constant(accepts: bool) -> Automaton:
    alphabet, _ = partition([charset.ALL])
    return Automaton(alphabet, ((0,),), (accepts,))


NOTHING = _constant(accepts=False)
EVERYTHING = _constant(accepts=True)
