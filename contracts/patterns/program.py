"""Compiles a pattern to a non-deterministic automaton, with counted repetitions expanded."""

from __future__ import annotations

from contracts.patterns import charset
from contracts.patterns.alphabet import Alphabet, partition
from contracts.patterns.budget import MAX_PROGRAM
from contracts.patterns.charset import Ranges
from contracts.patterns.errors import TooLargeError
from contracts.patterns.syntax import Anchor, AnchorKind, Characters, Choice, Look, Node, Repeat, Sequence

MATCH = 0
"""The accepting state."""


class Program:
    r"""The states of the automaton and their transitions.

    Attributes:
        entry: The start state.
        reads: For states that read a character: the number of its set, and the next state.
        leads: For states with empty transitions: the next states.
        places: For anchors: the kind, and the next state.
        looks: For lookaheads: the number of the lookahead, and the next state.
        bodies: For each lookahead: its start state, and whether it is positive.
        bounded: Whether `\b` or `\B` occurs.
    """

    def __init__(self, pattern: Node, word: Ranges, *, search: bool) -> None:
        self.reads: dict[int, tuple[int, int]] = {}
        self.leads: dict[int, tuple[int, ...]] = {}
        self.places: dict[int, tuple[AnchorKind, int]] = {}
        self.looks: dict[int, tuple[int, int]] = {}
        self.bodies: list[tuple[int, bool]] = []
        self.bounded = False
        self._word = word
        self._sets: dict[Ranges, int] = {}
        self._states = 1
        self._steps = 0
        self.entry = self._emit(pattern, MATCH)
        if search:
            loop = self._state()
            again = self._state()
            self.reads[again] = (self._set(charset.ALL), loop)
            self.leads[loop] = (self.entry, again)
            self.entry = loop

    def classes(self) -> tuple[Alphabet, list[tuple[int, ...]]]:
        """The alphabet and the classes of each set; the last set is that of word characters, if `bounded`."""
        return partition([*self._sets, self._word if self.bounded else ()])

    def _state(self) -> int:
        self._states += 1
        self._step()
        return self._states - 1

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_PROGRAM:
            raise TooLargeError(f"Expected a pattern of at most {MAX_PROGRAM} expanded steps, got more")

    def _set(self, ranges: Ranges) -> int:
        return self._sets.setdefault(ranges, len(self._sets))

    def _emit(self, node: Node, following: int) -> int:
        self._step()
        match node:
            case Characters(ranges):
                state = self._state()
                self.reads[state] = (self._set(ranges), following)
                return state
            case Sequence(parts):
                for part in reversed(parts):
                    following = self._emit(part, following)
                return following
            case Choice(options):
                return self._split(*[self._emit(option, following) for option in options])
            case Repeat():
                return self._repeat(node, following)
            case Anchor(kind):
                state = self._state()
                self.places[state] = (kind, following)
                self.bounded |= kind in ("boundary", "inside")
                return state
            case Look(body, wanted):
                state = self._state()
                self.looks[state] = (len(self.bodies), following)
                self.bodies.append((MATCH, wanted))
                self.bodies[self.looks[state][0]] = (self._emit(body, MATCH), wanted)
                return state

    def _split(self, *targets: int) -> int:
        state = self._state()
        self.leads[state] = targets
        return state

    def _repeat(self, node: Repeat, following: int) -> int:
        if node.high is None:
            loop = self._state()
            entry = self._emit(node.body, loop)
            self.leads[loop] = (entry, following)
            missing = node.low - 1
            entry = loop if node.low == 0 else entry
        else:
            entry, missing = following, node.low
            # Each optional copy can skip to the end, not to the next copy: few states are active at a time.
            for _ in range(node.high - node.low):
                entry = self._split(self._emit(node.body, entry), following)
        for _ in range(missing):
            entry = self._emit(node.body, entry)
        return entry
