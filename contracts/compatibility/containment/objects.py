"""Objects: what holds for all properties of some names, which properties exist, how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from contracts.compatibility.containment.names import (
    Atom,
    NameClass,
    Names,
    atoms_of,
    classes,
    holds_name,
    in_atoms,
    spelled,
)
from contracts.compatibility.containment.nodes import Constraint, Node, Space
from contracts.compatibility.containment.results import (
    EMPTY,
    MOST_BUILT,
    Empty,
    Found,
    NotUnderstoodError,
    Result,
    Unknown,
    Why,
)
from contracts.compatibility.containment.strings import doubt_of, is_strange

_TOO_MANY: Final = f"an object of more than {MOST_BUILT:,} properties, which is not built"


class Solver(Protocol):
    """What is needed of the search: values inside this one."""

    space: Space

    def solve(self, goal: Node) -> Result:
        """A value for the goal."""

    def restricted_text(self, node: Node) -> Node:
        """What a schema says about strings."""

    def spend(self) -> None:
        """Take a step of the budget."""


@dataclass(slots=True)
class _Slot:
    """One property to be: its name or class, and what its value must satisfy."""

    where: str | NameClass
    goal: Node


@dataclass(slots=True)
class _Demand:
    everywhere: list[tuple[Names, Node]] = field(default_factory=list)
    somewhere: list[tuple[Names, Node]] = field(default_factory=list)
    fewest: int = 0
    most: int | None = None

    def atoms(self) -> Iterator[Atom]:
        """The patterns and lengths of names."""
        for names, _ in (*self.everywhere, *self.somewhere):
            yield from atoms_of(names)


def find_object(constraints: Iterable[Constraint], solver: Solver) -> Result:
    """An object that keeps all the constraints."""
    demand = _Demand()
    for constraint in constraints:
        match constraint:
            case ("all", names, value):
                demand.everywhere.append((in_atoms(names, solver.restricted_text), value))
            case ("exists", names, value):
                demand.somewhere.append((in_atoms(names, solver.restricted_text), value))
            case ("longer", count):
                demand.fewest = max(demand.fewest, count)
            case ("shorter", count):
                demand.most = count if demand.most is None else min(demand.most, count)
            case _:
                raise NotUnderstoodError("an odd limit of objects")
    if demand.most is not None and demand.most < demand.fewest:
        return EMPTY
    strange = [pattern for kind, pattern in demand.atoms() if kind == "pattern" and is_strange(pattern)]
    if not strange:
        return _Builder(demand, solver, guess=True).build()
    # Where a pattern may apply or not, none of it is demanded: if even then nothing is found, nothing exists.
    if isinstance(_Builder(demand, solver, guess=False).build(), Empty):
        return EMPTY
    found = _Builder(demand, solver, guess=True).build()
    return found if isinstance(found, Found) else Unknown(doubt_of(strange[0]))


class _Builder:
    """Builds one object.

    Args:
        demand: What is wanted.
        solver: Finds the values.
        guess: Whether to guess what a pattern beyond regular languages matches; else whatever suits.
    """

    def __init__(self, demand: _Demand, solver: Solver, *, guess: bool) -> None:
        self._guess = guess
        self._solver = solver
        self._demand = demand
        sets = [names for names, _ in (*demand.everywhere, *demand.somewhere)]
        self._explicit = frozenset(name for names in sets for name in spelled(names))
        self._classes = classes(frozenset(demand.atoms()), self._explicit)
        self._by_name: dict[str, list[Node]] = {}
        self._by_set: list[tuple[Names, Node]] = []
        for names, value in demand.everywhere:
            if names[0] != "set":
                self._by_set.append((names, value))
            for name in names[1] if names[0] == "set" else ():
                self._by_name.setdefault(name, []).append(value)
        self._bases: dict[str | NameClass, Node] = {}
        self._doubt: Why | None = None

    def build(self) -> Result:
        slots, demands = self._only_way()
        if slots is None:
            return EMPTY if self._doubt is None else Unknown(self._doubt)
        slots = self._placed(demands, slots)
        if slots is not None:
            return self._value(slots)
        return EMPTY if self._doubt is None else Unknown(self._doubt)

    def _base(self, where: str | NameClass) -> Node:
        if where not in self._bases:
            own = self._by_name.get(where, ()) if isinstance(where, str) else ()
            shared = (value for names, value in self._by_set if self._is_within(where, names) is True)
            self._bases[where] = self._solver.space.all_of((*own, *shared))
        return self._bases[where]

    def _is_within(self, where: str | NameClass, names: Names) -> bool | None:
        if isinstance(where, str):
            return holds_name(names, where, guess=self._guess)
        return where.within(names, guess=self._guess)

    def _is_possible(self, goal: Node) -> bool:
        result = self._solver.solve(goal)
        if isinstance(result, Unknown):
            self._doubt = result.why
        return isinstance(result, Found)

    def _only_way(self) -> tuple[list[_Slot] | None, list[tuple[Names, Node]]]:
        """The slots of demands for one name, and the demands that leave a choice; no slots if one fails."""
        goals: dict[str, Node] = {}
        others: list[tuple[Names, Node]] = []
        for names, value in self._demand.somewhere:
            if names[0] == "set" and len(names[1]) == 1:
                (name,) = names[1]
                goals[name] = self._solver.space.all_of((goals.get(name) or self._base(name), value))
            else:
                others.append((names, value))
        if len(goals) > MOST_BUILT:
            self._doubt = _TOO_MANY
            return None, others
        possible = [self._is_possible(goal) for goal in goals.values()]
        return [_Slot(name, goal) for name, goal in goals.items()] if all(possible) else None, others

    def _placed(self, demands: list[tuple[Names, Node]], slots: list[_Slot]) -> list[_Slot] | None:
        """Slots for every demand; None when there is no way, or none that is sure."""
        self._solver.spend()
        if self._demand.most is not None and len(slots) > self._demand.most:
            return None
        if not demands:
            return self._filled(slots)
        (names, value), *rest = demands
        for index, slot in self._options(names, slots):
            goal = self._solver.space.all_of((slot.goal, value))
            if self._is_possible(goal):
                changed = [*slots[:index], _Slot(slot.where, goal), *slots[index + 1 :]]
                if (placed := self._placed(rest, changed)) is not None:
                    return placed
        return None

    def _options(self, names: Names, slots: list[_Slot]) -> Iterator[tuple[int, _Slot]]:
        taken = {slot.where for slot in slots}
        wanted = names[1] if names[0] == "set" else self._explicit
        merges = self._demand.most is not None
        for index, slot in enumerate(slots):
            if (isinstance(slot.where, str) or merges or slot.where.size is not None) and (
                self._is_within(slot.where, names) is not False
            ):
                yield index, slot
        for where in sorted(wanted - taken):
            if self._is_within(where, names) is not False:
                yield len(slots), _Slot(where, self._base(where))
        for one in self._classes if names[0] != "set" else ():
            if self._is_within(one, names) is not False and self._room(one, slots) > 0:
                yield len(slots), _Slot(one, self._base(one))

    def _room(self, one: NameClass, slots: list[_Slot]) -> int:
        used = sum(slot.where is one for slot in slots)
        return self._demand.fewest + len(self._demand.somewhere) + 1 if one.size is None else one.size - used

    def _filled(self, slots: list[_Slot]) -> list[_Slot] | None:
        """As many further properties as it takes; each may be any value that its name allows."""
        missing = self._demand.fewest - len(slots)
        if missing <= 0:
            return slots
        taken = {slot.where for slot in slots if isinstance(slot.where, str)}
        slots = list(slots)
        places: list[str | NameClass] = [*sorted(self._explicit - taken), *self._classes]
        for where in places:
            room = 1 if isinstance(where, str) else min(missing, self._room(where, slots))
            if missing > 0 and room > 0 and self._is_possible(self._base(where)):
                slots += [_Slot(where, self._base(where))] * min(room, MOST_BUILT)
                missing -= room
        if missing <= 0 and self._demand.fewest > MOST_BUILT:
            self._doubt = _TOO_MANY
            return None
        return slots if missing <= 0 else None

    def _value(self, slots: list[_Slot]) -> Result:
        fresh = {
            one: iter(one.some(sum(slot.where is one for slot in slots)))
            for one in {slot.where for slot in slots if isinstance(slot.where, NameClass)}
        }
        made: dict[str, Any] = {}
        for slot in slots:
            name = slot.where if isinstance(slot.where, str) else next(fresh[slot.where], None)
            result = self._solver.solve(slot.goal)
            if name is None or not isinstance(result, Found):
                return Unknown("a property that has no name")
            made[name] = result.value
        return Found(made)
