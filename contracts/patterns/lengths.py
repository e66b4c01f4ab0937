"""The lengths of an automaton's texts. They are periodic, so long ones need not be counted one by one."""

from __future__ import annotations

from functools import lru_cache

from contracts.patterns.automaton import Automaton
from contracts.patterns.budget import MAX_WORK, Budget

MAX_LAYERS = 60_000
"""Maximum number of lengths before they repeat."""


class Lengths:
    """The lengths of an automaton's texts.

    Attributes:
        shortest: The length of the shortest text; None if there is no text.
        longest: The length of the longest text; None if there is none.
    """

    def __init__(self, automaton: Automaton) -> None:
        self._before = [0] * len(automaton.rows)
        for state, row in enumerate(automaton.rows):
            for target in set(row):
                self._before[target] |= 1 << state
        self._layers = [sum(1 << state for state, end in enumerate(automaton.accepts) if end)]
        self._seen = {self._layers[0]: 0}
        self._cycle: tuple[int, int] | None = None
        self._budget = Budget(MAX_WORK)
        live = self._closed(self._layers[0])
        self.shortest = self._first() if live & 1 else None
        self.longest = _longest(automaton, live) if live & 1 else None

    def layer(self, remaining: int) -> int:
        """The states from which exactly this many characters lead to acceptance, one bit for each state.

        Raises:
            TooLargeError: The lengths do not repeat within the budget.
        """
        while remaining >= len(self._layers) and self._cycle is None:
            self._grow()
        if remaining < len(self._layers):
            return self._layers[remaining]
        assert self._cycle is not None  # noqa: S101 - the loop has ended
        start, period = self._cycle
        return self._layers[start + (remaining - start) % period]

    def next(self, low: int, high: int | None) -> int | None:
        """The minimum length of a text between `low` and `high`; None if there is none.

        Raises:
            TooLargeError: The lengths do not repeat within the budget.
        """
        if self.shortest is None or (high is not None and (self.shortest > high or low > high)):
            return None
        if low <= self.shortest:
            return self.shortest
        if self.longest is not None and low > self.longest:
            return None
        length = low
        while high is None or length <= high:
            if self.layer(length) & 1:
                return length
            length += 1
            if self._cycle and length > low + sum(self._cycle):
                return None
        return None

    def _grow(self) -> None:
        layer = self._step(self._layers[-1])
        if layer in self._seen:
            start = self._seen[layer]
            self._cycle = (start, len(self._layers) - start)
            return
        self._seen[layer] = len(self._layers)
        self._layers.append(layer)
        self._budget.spend(MAX_WORK // MAX_LAYERS)

    def _step(self, layer: int) -> int:
        before = 0
        while layer:
            lowest = layer & -layer
            before |= self._before[lowest.bit_length() - 1]
            layer ^= lowest
            self._budget.spend()
        return before

    def _closed(self, layer: int) -> int:
        live = edge = layer
        while edge:
            edge = self._step(edge) & ~live
            live |= edge
        return live

    def _first(self) -> int:
        remaining = 0
        while not self.layer(remaining) & 1:
            remaining += 1
        return remaining


@lru_cache(maxsize=2048)
def lengths_of(automaton: Automaton) -> Lengths:
    """The lengths of an automaton's texts."""
    return Lengths(automaton)


def _longest(automaton: Automaton, live: int) -> int | None:
    """The length of the longest path through live states; None if they have a cycle."""
    degree = [0] * len(automaton.rows)
    onward = [
        {t for t in row if live >> t & 1} if live >> s & 1 else set() for s, row in enumerate(automaton.rows)
    ]
    for targets in onward:
        for target in targets:
            degree[target] += 1
    depth = [0] * len(onward)
    ready = [state for state, row in enumerate(onward) if live >> state & 1 and not degree[state]]
    done = 0
    for state in ready:
        done += 1
        for target in onward[state]:
            depth[target] = max(depth[target], depth[state] + 1)
            degree[target] -= 1
            if not degree[target]:
                ready.append(target)
    if done < live.bit_count():
        return None
    return max(depth[state] for state, end in enumerate(automaton.accepts) if end and live >> state & 1)
