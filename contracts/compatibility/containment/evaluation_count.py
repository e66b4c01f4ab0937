"""How often a validator applies schemas to one value: it follows every branch, and remembers nothing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

_MOST_EVALUATIONS: Final = 20_000
_MOST_STEPS: Final = 200_000
_MOST_REPEATED: Final = 2_000


class EvaluationCount:
    """From each schema to those that it applies to the same value, once for each time that it does."""

    def __init__(self, beside: Mapping[Any, Sequence[Any]]) -> None:
        self._beside = beside

    def circle(self) -> Any:
        """A schema that comes back to itself about the same value, so that no validator ends; or None."""
        try:
            tuple(TopologicalSorter(self._beside).static_order())
        except CycleError as error:
            return error.args[1][0]
        return None

    def is_affordable(self, depth: int) -> bool:
        """Whether a validator ends soon on a value nested so deep."""
        counts: dict[Hashable, int] = {}
        for schema in TopologicalSorter(self._beside).static_order():
            counts[schema] = min(1 + sum(counts[one] for one in self._beside.get(schema, ())), _MOST_STEPS)
        if max(counts.values(), default=1) > _MOST_EVALUATIONS:
            return False
        several = [schema for schema, count in counts.items() if count > 2]
        if len(several) > _MOST_REPEATED:
            return True
        repeated = max((counts[one] // len(self._reached(one)) for one in several), default=1)
        return repeated < 2 or repeated ** min(depth, 100) <= _MOST_STEPS

    def _reached(self, schema: Hashable) -> set[Hashable]:
        reached, rest = {schema}, [schema]
        while rest:
            new = set(self._beside.get(rest.pop(), ())) - reached
            reached |= new
            rest.extend(new)
        return reached
