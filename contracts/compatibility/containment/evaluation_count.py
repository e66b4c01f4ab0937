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

    def __init__(self) -> None:
        self._beside: dict[Any, list[Any]] = {}
        self._ordered: tuple[Sequence[Any], Any] | None = None
        self._counted: Mapping[Any, int] | None = None
        self._most_repeated: int | None = None

    def add(self, schema: Hashable, applied: Hashable) -> None:
        """Note that a schema applies another one to its value."""
        self._beside.setdefault(schema, []).append(applied)
        self._ordered = self._counted = self._most_repeated = None

    def circle(self) -> Any:
        """A schema that comes back to itself about the same value, so that no validator ends; or None."""
        return self._order()[1]

    def _order(self) -> tuple[Sequence[Any], Any]:
        """The schemas, each after those that it applies, and one in a circle, if there is any."""
        if self._ordered is None:
            try:
                self._ordered = tuple(TopologicalSorter(self._beside).static_order()), None
            except CycleError as error:
                self._ordered = (), error.args[1][0]
        return self._ordered

    def _counts(self) -> Mapping[Any, int]:
        if self._counted is None:
            counts: dict[Hashable, int] = {}
            for schema in self._order()[0]:
                applied = sum(counts[one] for one in self._beside.get(schema, ()))
                counts[schema] = min(1 + applied, _MOST_STEPS)
            self._counted = counts
        return self._counted

    def is_affordable(self, depth: int) -> bool:
        """Whether a validator ends soon on a value nested so deep; no schema may be in a circle."""
        counts = self._counts()
        if max(counts.values(), default=1) > _MOST_EVALUATIONS:
            return False
        repeated = self._repeated()
        return repeated < 2 or repeated ** min(depth, 100) <= _MOST_STEPS

    def _repeated(self) -> int:
        """How often one schema applies each of those that it reaches; 1 where many do."""
        if self._most_repeated is None:
            several = [schema for schema, count in self._counts().items() if count > 2]
            self._most_repeated, looked = 1, 0
            for one in several if len(several) <= _MOST_REPEATED else ():
                reached = len(self._reached(one))
                self._most_repeated = max(self._most_repeated, self._counts()[one] // reached)
                if (looked := looked + reached) > _MOST_STEPS:
                    break
        return self._most_repeated

    def _reached(self, schema: Hashable) -> set[Hashable]:
        reached, rest = {schema}, [schema]
        while rest:
            new = set(self._beside.get(rest.pop(), ())) - reached
            reached |= new
            rest.extend(new)
        return reached
