"""Converts a non-deterministic program to deterministic states, one row at a time.

A deterministic state is a set of items. An item is a state of the program, with the demands of its lookaheads
on the rest of the text: each demand is a deterministic state of the body of the lookahead.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.patterns.budget import Budget
from contracts.patterns.program import MATCH, Program

START, OTHER, WORD = 0, 1, 2
"""The character before the position: none, any other, or a word character."""

Demands = frozenset[tuple[int, int]]
Item = tuple[int, Demands]

NONE: Demands = frozenset()
FOUND: frozenset[Item] = frozenset({(MATCH, NONE)})
NEVER: frozenset[Item] = frozenset()


class Subsets:
    """The deterministic states of a program, or of one of its lookaheads."""

    def __init__(self, program: Program, budget: Budget) -> None:
        self.alphabet, self._classes = program.classes()
        self._program = program
        self._budget = budget
        self._wordy = set(self._classes[-1])
        looks = [_Tracker(self, entry, wanted) for entry, wanted in program.bodies]
        self._looks = looks
        self._closures: dict[tuple[int, int], tuple[tuple[int, tuple[int, ...]], ...]] = {}
        self.main = _Tracker(self, program.entry, wanted=True)

    def begin(self, entry: int, before: int) -> tuple[int, frozenset[Item]]:
        """The state before reading."""
        return self._state(before, self._enter(entry, before, NONE))

    def accepts(self, before: int, items: frozenset[Item]) -> bool:
        """Whether the state accepts."""
        closed = list(items)
        seen = set(closed)
        for state, demands in closed:
            self._budget.spend()
            if state == MATCH and all(self._looks[look].accepts(held) for look, held in demands):
                return True
            place = self._program.places.get(state)
            if place and (place[0] == "end" or (place[0] == "boundary") == (before == WORD)):
                for item in self._enter(place[1], before, demands):
                    if item not in seen:
                        seen.add(item)
                        closed.append(item)
        return False

    def row(self, before: int, items: frozenset[Item]) -> list[tuple[int, frozenset[Item]]]:
        """The next state for each class of characters."""
        buckets: list[set[Item]] = [set() for _ in range(self.alphabet.count)]
        kinds = (OTHER, WORD) if self._program.bounded else (OTHER,)
        for kind in kinds:
            for state, demands in self._resolved(before, items, kind):
                for index, following in self._read(state, kind):
                    moved = self._advance(demands, index) if demands else NONE
                    if moved is not None:
                        buckets[index].update(self._enter(following, kind, moved))
        wordy = self._wordy if self._program.bounded else ()
        return [
            self._state(WORD if index in wordy else OTHER, bucket) for index, bucket in enumerate(buckets)
        ]

    def _read(self, state: int, kind: int) -> Iterator[tuple[int, int]]:
        read = self._program.reads.get(state)
        if read is None and state != MATCH:
            return
        classes, following = (
            (self._classes[read[0]], read[1]) if read else (range(self.alphabet.count), MATCH)
        )
        self._budget.spend(len(classes))
        for index in classes:
            if not self._program.bounded or (index in self._wordy) == (kind == WORD):
                yield index, following

    def _resolved(self, before: int, items: frozenset[Item], after: int) -> list[Item]:
        """The items, with word boundaries resolved by the next character."""
        if not self._program.bounded:
            return list(items)
        closed = list(items)
        seen = set(closed)
        for state, demands in closed:
            place = self._program.places.get(state)
            if not place or place[0] == "end":
                continue
            if (place[0] == "boundary") == ((before == WORD) != (after == WORD)):
                for item in self._enter(place[1], before, demands):
                    if item not in seen:
                        seen.add(item)
                        closed.append(item)
        return closed

    def _advance(self, demands: Demands, index: int) -> Demands | None:
        moved = set()
        for look, held in demands:
            self._budget.spend()
            following = self._looks[look].step(held, index)
            verdict = self._looks[look].settled(following)
            if verdict is False:
                return None
            if verdict is None:
                moved.add((look, following))
        return frozenset(moved)

    def _enter(self, state: int, before: int, demands: Demands) -> list[Item]:
        entered = []
        for target, looks in self._closure(state, before):
            held = self._demanding(demands, looks, before) if looks else demands
            if held is not None:
                entered.append((target, held))
        self._budget.spend(len(entered))
        return entered

    def _demanding(self, demands: Demands, looks: tuple[int, ...], before: int) -> Demands | None:
        added = set(demands)
        for look in looks:
            begun = self._looks[look].begin(before)
            verdict = self._looks[look].settled(begun)
            if verdict is False:
                return None
            if verdict is None:
                added.add((look, begun))
        return frozenset(added)

    def _closure(self, state: int, before: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        key = (state, before)
        if key not in self._closures:
            self._closures[key] = tuple(self._reached(state, before))
        return self._closures[key]

    def _reached(self, entry: int, before: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        program = self._program
        open_: list[tuple[int, tuple[int, ...]]] = [(entry, ())]
        seen = set(open_)
        while open_:
            state, looks = open_.pop()
            self._budget.spend()
            following: list[tuple[int, tuple[int, ...]]] = []
            if state in program.leads:
                following = [(target, looks) for target in program.leads[state]]
            elif state in program.looks:
                look, target = program.looks[state]
                following = [(target, tuple(sorted({*looks, look})))]
            elif program.places.get(state, ("end", 0))[0] == "start":
                following = [(program.places[state][1], looks)] if before == START else []
            else:
                yield state, looks
            open_ += [each for each in following if each not in seen]
            seen.update(following)

    def _state(self, before: int, items: set[Item] | list[Item]) -> tuple[int, frozenset[Item]]:
        held = frozenset(items)
        self._budget.spend(len(held))
        if (MATCH, NONE) in held:
            return OTHER, FOUND
        waiting = any(state in self._program.places for state, _ in held)
        return before if waiting else OTHER, held


class _Tracker:
    """Numbers the deterministic states from one start state, and caches their rows."""

    def __init__(self, subsets: Subsets, entry: int, wanted: bool) -> None:
        self._subsets = subsets
        self._entry = entry
        self._wanted = wanted
        self._numbers: dict[tuple[int, frozenset[Item]], int] = {}
        self._states: list[tuple[int, frozenset[Item]]] = []
        self._rows: dict[int, list[int]] = {}

    def begin(self, before: int) -> int:
        return self._number(self._subsets.begin(self._entry, before))

    def row(self, state: int) -> list[int]:
        if state not in self._rows:
            self._rows[state] = [self._number(each) for each in self._subsets.row(*self._states[state])]
        return self._rows[state]

    def step(self, state: int, index: int) -> int:
        return self.row(state)[index]

    def accepts(self, state: int) -> bool:
        return self._subsets.accepts(*self._states[state]) == self._wanted

    def settled(self, state: int) -> bool | None:
        items = self._states[state][1]
        if items == FOUND:
            return self._wanted
        return not self._wanted if items == NEVER else None

    def _number(self, state: tuple[int, frozenset[Item]]) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number
