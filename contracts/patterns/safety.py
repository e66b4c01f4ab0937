"""Whether a backtracking engine matches a pattern in linear time.

Such an engine tries every way to match a text. The number of ways grows exponentially if a state can return
to itself in two ways over one text, and polynomially if two consecutive repetitions can match the same text
(Weber and Seidl 1991). Counts above `FEW` are treated as unlimited.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import TypeVar

from contracts.patterns import charset
from contracts.patterns.budget import Budget
from contracts.patterns.errors import PatternError, TooLargeError
from contracts.patterns.parser import parse
from contracts.patterns.program import Program
from contracts.patterns.syntax import Choice, Look, Node, Repeat
from contracts.patterns.syntax import Sequence as InSequence

Vertex = TypeVar("Vertex", bound=Hashable)

FEW = 8
"""Number of repetitions that are cheap for a backtracking engine."""

EXPONENTIAL = "exponential time: a repetition contains another, or a choice, that matches the same characters"
POLYNOMIAL = "polynomial time: consecutive repetitions match the same characters"


@lru_cache(maxsize=4096)
def backtracking_risk(pattern: str) -> str | None:
    """Why a backtracking engine may need more than linear time for a pattern.

    Returns:
        One line that starts with `exponential`, `polynomial` or `unknown`; None if the time is linear. The
        restarts of an unanchored search at each character are not counted.
    """
    try:
        program = Program(_shortened(parse(pattern).node), charset.WORD, search=False)
        budget = Budget()
        parts = [
            _Places(program, entry, budget) for entry in (program.entry, *(e for e, _ in program.bodies))
        ]
        if any(part.exponential() for part in parts):
            return EXPONENTIAL
        return POLYNOMIAL if any(part.polynomial() for part in parts) else None
    except TooLargeError:
        return "unknown time: the pattern is too large to analyse"
    except PatternError as error:
        return f"unknown time: {error}"


def _shortened(node: Node) -> Node:
    match node:
        case Repeat(body, low, high):
            endless = high is None or high > FEW
            return Repeat(_shortened(body), min(low, 2), None if endless else min(high or 0, 3))
        case InSequence(parts):
            return InSequence(tuple(_shortened(part) for part in parts))
        case Choice(options):
            return Choice(tuple(_shortened(option) for option in options))
        case Look(body, wanted):
            return Look(_shortened(body), wanted)
        case _:
            return node


class _Places:
    """The states that read a character, and the number of ways from each to the next."""

    def __init__(self, program: Program, entry: int, budget: Budget) -> None:
        self._program = program
        self._budget = budget
        _, self._sets = program.classes()
        self._empty = _onward_without_reading(program)
        self._tangled = {
            state
            for part in components(self._empty)
            if len(part) > 1 or part[0] in self._empty[part[0]]
            for state in part
        }
        self.ways: dict[int, dict[int, int]] = {}
        waiting = list(self._ways(entry))
        while waiting:
            place = waiting.pop()
            if place not in self.ways:
                self.ways[place] = self._ways(program.reads[place][1])
                waiting.extend(self.ways[place])
        graph = {place: list(ways) for place, ways in self.ways.items()}
        self.loops = [part for part in components(graph) if len(part) > 1 or part[0] in graph[part[0]]]

    def exponential(self) -> bool:
        """Whether a state can return to itself in two ways over one text."""
        return any(self._doubled(set(loop)) for loop in self.loops)

    def polynomial(self) -> bool:
        """Whether two consecutive loops can match the same text."""
        pairs = product(range(len(self.loops)), repeat=2)
        return any(self._shared(set(self.loops[i]), set(self.loops[j])) for i, j in pairs if i != j)

    def _doubled(self, loop: set[int]) -> bool:
        if any(self.ways[place].get(target, 0) > 1 for place in loop for target in loop):
            return True
        graph = {pair: list(self._steps(pair, (loop, loop))) for pair in product(sorted(loop), repeat=2)}
        for part in components(graph):
            kinds = {one == other for one, other in part}
            if len(kinds) == 2:
                return True
        return False

    def _shared(self, first: set[int], last: set[int]) -> bool:
        between = set(self.ways)
        for one, other in product(sorted(first), sorted(last)):
            goal = (one, other, other)
            seen = {(one, one, other)}
            waiting: list[tuple[int, ...]] = list(seen)
            while waiting:
                for following in self._steps(waiting.pop(), (first, between, last)):
                    if following == goal:
                        return True
                    if following not in seen:
                        seen.add(following)  # type: ignore[arg-type] # three states lead to three
                        waiting.append(following)
        return False

    def _steps(self, places: Sequence[int], within: Sequence[set[int]]) -> Iterator[tuple[int, ...]]:
        onward = [
            [t for t in self.ways[p] if t in allowed] for p, allowed in zip(places, within, strict=True)
        ]
        for targets in product(*onward):
            self._budget.spend()
            if set.intersection(*(set(self._sets[self._program.reads[target][0]]) for target in targets)):
                yield targets

    def _ways(self, state: int) -> dict[int, int]:
        """The states reached without reading, and whether in one way (1) or more (2)."""
        order: list[int] = []
        seen = set()
        open_ = [(state, False)]
        while open_:
            at, done = open_.pop()
            if done:
                order.append(at)
            elif at not in seen:
                seen.add(at)
                open_.append((at, True))
                open_ += [(target, False) for target in self._empty[at]]
        count = dict.fromkeys(order, 0)
        count[state] = 1
        for at in reversed(order):
            self._budget.spend()
            count[at] = 2 if at in self._tangled else count[at]
            for target in self._empty[at]:
                count[target] = min(2, count[target] + count[at])
        return {at: count[at] for at in order if at in self._program.reads}


def _onward_without_reading(program: Program) -> dict[int, list[int]]:
    onward: dict[int, list[int]] = {state: [] for state in (0, *program.reads)}
    onward.update({state: list(targets) for state, targets in program.leads.items()})
    onward.update({state: [target] for state, (_, target) in (program.places | program.looks).items()})
    return onward


def components(graph: Mapping[Vertex, Sequence[Vertex]]) -> Iterator[list[Vertex]]:
    """The strongly connected components of a graph (Tarjan 1972), without recursion."""
    index: dict[Vertex, int] = {}
    low: dict[Vertex, int] = {}
    held: list[Vertex] = []
    placed: set[Vertex] = set()
    for root in graph:
        walk = [(root, iter(graph[root]))] if root not in index else []
        if walk:
            index[root] = low[root] = len(index)
            held.append(root)
        while walk:
            vertex, targets = walk[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    held.append(target)
                    walk.append((target, iter(graph[target])))
                    break
                if target not in placed:
                    low[vertex] = min(low[vertex], index[target])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[vertex])
                if low[vertex] == index[vertex]:
                    part = held[held.index(vertex) :]
                    del held[-len(part) :]
                    placed.update(part)
                    yield part
