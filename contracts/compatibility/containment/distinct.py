"""Values that all differ, one for each goal."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from contracts.compatibility.containment.nodes import Node
from contracts.compatibility.containment.objects import Solver
from contracts.compatibility.containment.parts import node_of_value
from contracts.compatibility.containment.results import Found, Unknown
from contracts.compatibility.containment.values import identity, is_modest

_MOST: Final = 64


def all_different(goals: list[Node], solver: Solver) -> tuple[list[Any] | None, str | None]:
    """One value for each goal, no two alike; None if there are none, with the reason when that is not sure.

    A goal with as many values as there are goals can always be served; one with fewer is known in full.
    """
    if len(goals) > _MOST:
        return None, "too many items that must differ"
    doubt: str | None = None
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


def _values(goal: Node, most: int, solver: Solver) -> tuple[dict[Hashable, Any], str | None]:
    """Different values of a goal, as many as asked for or all there are; why not, if it is neither."""
    found: dict[Hashable, Any] = {}
    space = solver.space
    while len(found) < most:
        result = solver.solve(goal)
        if isinstance(result, Unknown):
            return found, result.why
        if not isinstance(result, Found):
            break
        if not is_modest(result.value):
            return found, "items too large to be told apart"
        found[identity(result.value)] = result.value
        goal = space.all_of((goal, space.negate(node_of_value(space, result.value))))
    return found, None
