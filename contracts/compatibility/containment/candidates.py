"""Values to try where the search gives up: those the schemas hold, and instances of the old one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from contracts.compatibility.containment.nodes import TYPES, Node
from contracts.compatibility.containment.parts import node_of_value
from contracts.compatibility.containment.results import Found, OutOfTimeError
from contracts.compatibility.containment.search import Search
from contracts.compatibility.containment.values import is_modest

_MOST_WALKED: Final = 5_000
_EACH: Final = 4
_PLAIN: Final[tuple[Any, ...]] = (None, True, False, 0, 1, -1, 0.5, "", "a", [], [0], {}, {"a": 0})


def suggested(schemas: Iterable[Any], search: Search, old: Node) -> Iterator[Any]:
    """Candidates, the cheap ones first."""
    yield from _PLAIN
    for schema in schemas:
        yield from _held(schema)
    for of in TYPES:
        goal = old
        for _ in range(_EACH):
            try:
                result = search.solve_type(goal, of)
            except OutOfTimeError:
                return
            if not isinstance(result, Found) or not is_modest(result.value):
                break
            yield result.value
            goal = search.space.all_of((goal, search.space.negate(node_of_value(search.space, result.value))))


def _held(schema: Any) -> Iterator[Any]:
    rest: list[Any] = [schema]
    for _ in range(_MOST_WALKED):
        if not rest:
            return
        here = rest.pop()
        if isinstance(here, Mapping):
            for keyword in ("enum", "examples"):
                if isinstance(values := here.get(keyword), list):
                    yield from values
            yield from (here[keyword] for keyword in ("const", "default") if keyword in here)
            rest.extend(here.values())
        elif isinstance(here, list):
            rest.extend(here)
