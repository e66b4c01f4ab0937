"""Arrays: what holds at each index, at some, for how many items, how many there are, whether all differ.

If any array satisfies the constraints, one no longer than the distinguished places plus the required items
does: all other items can be left out. So few lengths are tried, and when none of them works, none does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, Final

from contracts.compatibility.containment.nodes import Constraint, Node
from contracts.compatibility.containment.objects import Solver
from contracts.compatibility.containment.parts import node_of_value
from contracts.compatibility.containment.results import (
    EMPTY,
    MOST_BUILT,
    Found,
    NotUnderstoodError,
    Result,
    Unknown,
    Why,
)
from contracts.compatibility.containment.values import identity, is_modest

_MOST_PLACES: Final = 300
_MOST_COUNTED: Final = 4
_MOST_SOUGHT: Final = 6
_MOST_DIFFERENT: Final = 64


@dataclass(slots=True)
class _Demand:
    shortest: int = 0
    longest: int | None = None
    each: list[tuple[int, int | None, Node]] = field(default_factory=list)
    some: list[tuple[int, int | None, Node]] = field(default_factory=list)
    least: list[tuple[int, Node]] = field(default_factory=list)
    most: list[tuple[int, Node]] = field(default_factory=list)
    is_unique: bool = False
    has_duplicate: bool = False

    def take(self, constraint: Constraint) -> None:
        match constraint:
            case ("longer", count):
                self.shortest = max(self.shortest, count)
            case ("shorter", count):
                self.longest = count if self.longest is None else min(self.longest, count)
            case ("each" | "some" as kind, start, stop, item):
                (self.each if kind == "each" else self.some).append((start, stop, item))
            case ("least" | "most" as kind, count, item):
                (self.least if kind == "least" else self.most).append((count, item))
            case ("unique",):
                self.is_unique = True
            case ("duplicate",):
                self.has_duplicate = True
            case _:
                raise NotUnderstoodError("an odd limit of arrays")


@dataclass(frozen=True, slots=True)
class _State:
    """Places filled so far: the goal of each, what is still sought, how many items of each kind there are."""

    goals: tuple[Node, ...]
    sought: frozenset[int]
    counts: tuple[int, ...]


def find_array(constraints: Iterable[Constraint], solver: Solver) -> Result:
    """An array that keeps all the constraints."""
    demand = _Demand()
    for constraint in constraints:
        demand.take(constraint)
    if demand.longest is not None and demand.longest < demand.shortest:
        return EMPTY
    if (demand.is_unique and demand.has_duplicate) or any(count < 0 for count, _ in demand.most):
        return EMPTY
    return _Builder(demand, solver).build()


class _Builder:
    def __init__(self, demand: _Demand, solver: Solver) -> None:
        self._demand = demand
        self._solver = solver
        self._space = solver.space
        self._doubt: Why | None = None
        ends = [
            end for start, stop, _ in (*demand.each, *demand.some) for end in (start, stop) if end is not None
        ]
        self._apart = max(ends, default=0)
        self._required = (
            len(demand.some) + sum(count for count, _ in demand.least) + (2 if demand.has_duplicate else 0)
        )
        counted = {node.number: node for _, node in (*demand.least, *demand.most)}
        self._counted = [
            node
            for node in counted.values()
            if self._space.negate(node).number not in counted or self._space.negate(node).number > node.number
        ]
        self._kinds = list(product((True, False), repeat=len(self._counted)))

    def build(self) -> Result:
        demand = self._demand
        top = max(demand.shortest, self._apart) + self._required
        if len(self._counted) > _MOST_COUNTED or len(demand.some) > _MOST_SOUGHT:
            return Unknown("too many `contains` on one array")
        longest = top if demand.longest is None else min(top, demand.longest)
        for length in range(demand.shortest, longest + 1):
            own = min(length, self._apart + self._required)
            if own > _MOST_PLACES:
                return Unknown("too many distinct item positions")
            if own and not self._is_possible(self._base(own - 1)):
                break
            if (found := self._of_length(length, own)) is not None:
                return Found(found)
        return EMPTY if self._doubt is None else Unknown(self._doubt)

    def _is_possible(self, goal: Node) -> bool:
        result = self._solver.solve(goal)
        if isinstance(result, Unknown):
            self._doubt = result.why
        return isinstance(result, Found)

    def _base(self, index: int) -> Node:
        return self._space.all_of(
            item
            for start, stop, item in self._demand.each
            if start <= index and (stop is None or index < stop)
        )

    def _of_length(self, length: int, own: int) -> list[Any] | None:
        """Fill the places one by one; those beyond are alike, and filled by counting."""
        start = _State((), frozenset(range(len(self._demand.some))), (0,) * len(self._kinds))
        return self._filled(start, own, length - own)

    def _filled(self, state: _State, own: int, alike: int) -> list[Any] | None:
        self._solver.spend()
        index = len(state.goals)
        if index == own:
            return self._finished(state, alike)
        if not self._can_be_met(state, own - index):
            return None
        for goal, further in self._choices(state, index):
            if self._is_possible(goal) and (found := self._filled(further, own, alike)) is not None:
                return found
        return None

    def _can_be_met(self, state: _State, left: int) -> bool:
        return all(
            self._count(state.counts, node) + left >= count for count, node in self._demand.least
        ) and all(self._count(state.counts, node) <= count for count, node in self._demand.most)

    def _choices(self, state: _State, index: int) -> Iterator[tuple[Node, _State]]:
        within = [
            number
            for number in state.sought
            for start, stop, _ in (self._demand.some[number],)
            if start <= index and (stop is None or index < stop)
        ]
        base = self._base(index)
        for size in range(len(within), -1, -1):
            for taken in combinations(sorted(within), size):
                for kind, truths in enumerate(self._kinds):
                    goal = self._goal(base, truths, [self._demand.some[number][2] for number in taken])
                    counts = (*state.counts[:kind], state.counts[kind] + 1, *state.counts[kind + 1 :])
                    yield goal, _State((*state.goals, goal), state.sought - set(taken), counts)

    def _goal(self, base: Node, truths: tuple[bool, ...], more: Iterable[Node] = ()) -> Node:
        counted = (
            node if truth else self._space.negate(node)
            for node, truth in zip(self._counted, truths, strict=True)
        )
        return self._space.all_of((base, *counted, *more))

    def _count(self, counts: tuple[int, ...], node: Node) -> int:
        """How many items satisfy one of the counted schemas."""
        wanted = node in self._counted
        place = self._counted.index(node if wanted else self._space.negate(node))
        return sum(
            number for number, truths in zip(counts, self._kinds, strict=True) if truths[place] is wanted
        )

    def _finished(self, state: _State, alike: int) -> list[Any] | None:
        if state.sought or not self._can_be_met(state, alike):
            return None
        if alike > MOST_BUILT:
            base = self._base(self._apart)
            if any(self._is_possible(self._goal(base, truths)) for truths in self._kinds):
                self._doubt = f"an array of more than {MOST_BUILT:,} items, which is not built"
            return None
        for counts in self._spread(state.counts, alike, 0):
            if self._can_be_met(replace(state, counts=counts), 0):
                more = [own - before for own, before in zip(counts, state.counts, strict=True)]
                if (found := self._valued(state, more)) is not None:
                    return found
        return None

    def _spread(self, counts: tuple[int, ...], alike: int, kind: int) -> Iterator[tuple[int, ...]]:
        """Every way in which so many items can be of the kinds, as few kinds as possible first."""
        self._solver.spend()
        if alike == 0:
            yield counts
            return
        if kind == len(self._kinds):
            return
        is_possible = self._is_possible(self._goal(self._base(self._apart), self._kinds[kind]))
        for number in range(alike, -1, -1) if is_possible else (0,):
            changed = (*counts[:kind], counts[kind] + number, *counts[kind + 1 :])
            if all(self._count(changed, node) <= count for count, node in self._demand.most):
                yield from self._spread(changed, alike - number, kind + 1)

    def _valued(self, state: _State, more: list[int]) -> list[Any] | None:
        base = self._base(self._apart)
        alike = [(self._goal(base, self._kinds[kind]), number) for kind, number in enumerate(more) if number]
        if self._demand.is_unique:
            goals = [*state.goals, *(goal for goal, number in alike for _ in range(number))]
            found, doubt = _all_different(goals, self._solver)
            self._doubt = self._doubt or doubt
            return found
        if self._demand.has_duplicate:
            return self._with_duplicate(state, alike)
        goals_values = [self._value(goal) for goal in state.goals]
        return goals_values + [value for goal, number in alike for value in [self._value(goal)] * number]

    def _value(self, goal: Node) -> Any:
        result = self._solver.solve(goal)
        return result.value if isinstance(result, Found) else None

    def _with_duplicate(self, state: _State, alike: list[tuple[Node, int]]) -> list[Any] | None:
        tail = [value for goal, number in alike for value in [self._value(goal)] * number]
        for one, other in combinations(range(len(state.goals)), 2):
            both = self._space.all_of((state.goals[one], state.goals[other]))
            if self._is_possible(both):
                values = [self._value(goal) for goal in state.goals]
                values[one] = values[other] = self._value(both)
                return values + tail
        return None


def _all_different(goals: list[Node], solver: Solver) -> tuple[list[Any] | None, Why | None]:
    """One value for each goal, all different; None if impossible, with the reason when that is not certain.

    A goal with as many values as there are goals can always be served; one with fewer is known in full.
    """
    if len(goals) > _MOST_DIFFERENT:
        return None, "too many items that must differ"
    doubt: Why | None = None
    offers: dict[Node, dict[Hashable, Any]] = {}
    for goal in goals:
        if goal not in offers:
            offers[goal], unsure = _values(goal, len(goals), solver)
            doubt = doubt or unsure
    owners: dict[Hashable, int] = {}
    for place in range(len(goals)):
        if not _served(place, goals, offers, owners, set()):
            return None, doubt
    chosen = {place: key for key, place in owners.items()}
    return [offers[goal][chosen[place]] for place, goal in enumerate(goals)], None


def _served(
    place: int,
    goals: list[Node],
    offers: dict[Node, dict[Hashable, Any]],
    owners: dict[Hashable, int],
    seen: set[Hashable],
) -> bool:
    for key in offers[goals[place]]:
        if key in seen:
            continue
        seen.add(key)
        if key not in owners or _served(owners[key], goals, offers, owners, seen):
            owners[key] = place
            return True
    return False


def _values(goal: Node, most: int, solver: Solver) -> tuple[dict[Hashable, Any], Why | None]:
    """Different values of a goal, up to `count` or all there are; the reason, if it is neither."""
    found: dict[Hashable, Any] = {}
    space = solver.space
    while len(found) < most:
        result = solver.solve(goal)
        if isinstance(result, Unknown):
            return found, result.why
        if not isinstance(result, Found):
            break
        if not is_modest(result.value):
            return found, "items too large to be compared"
        found[identity(result.value)] = result.value
        goal = space.all_of((goal, space.negate(node_of_value(space, result.value))))
    return found, None
