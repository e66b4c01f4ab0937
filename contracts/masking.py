"""What of an event's data is shown to whoever only looks. Pure.

Law of this file: a value is shown where the schema of its version declares its place, no mark of the contract
(`personal_fields`) covers it, and the grant of whoever looks has it. What nobody has declared may be about
anybody, so it is hidden, its name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.contract import ContractVersion
from contracts.paths import EVERY, Step, parse_path, render_path
from contracts.schema.fields import names_below, schemas_at
from contracts.schema.references import Subschema

HIDDEN: Final = "***"
"""Stands for a value that is not shown, and for the names that nobody has declared."""
_DEEPEST: Final = 60

Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class MaskedData:
    """Data in which some values are replaced by `HIDDEN`.

    Attributes:
        data: The rest of it, as it was.
        hidden: Paths of what was replaced, each once; `[*]` stands for every item.
    """

    data: Any
    hidden: tuple[str, ...]


class Mask:
    """Hides what is not to be shown of the events of one version.

    Args:
        version: The version.
        fields: Paths that whoever looks may read, as a subscription grants them; `$` is everything.
        personal: Whether personal data is shown too, as far as `fields` has it.
    """

    def __init__(
        self, version: ContractVersion, fields: Iterable[str] = ("$",), *, personal: bool = False
    ) -> None:
        self._root = version.root
        self._granted = [_pattern(path) for path in fields]
        self._marked = [] if personal else [_pattern(path) for path in version.contract.personal_fields]
        self._known: dict[Steps, tuple[frozenset[Step], list[Subschema]]] = {}

    def apply(self, data: Any) -> MaskedData:
        """The data without what is not to be shown."""
        hidden: dict[str, None] = {}
        return MaskedData(self._shown(data, (), hidden), tuple(hidden))

    def knows(self, path: str) -> bool:
        """Whether the schema declares a place.

        Raises:
            ValueError: The text is not a path.
        """
        return bool(self._look(_pattern(path))[1])

    def hides(self, path: str) -> bool:
        """Whether any value at a place may be hidden.

        Raises:
            ValueError: The text is not a path.
        """
        steps = _pattern(path)
        above = any(mark[: len(steps)] == steps for mark in self._marked)
        return above or self._covers(steps) or not self._may_read(steps) or not self._look(steps)[1]

    def _shown(self, value: Any, steps: Steps, hidden: dict[str, None]) -> Any:
        if self._covers(steps) or len(steps) > _DEEPEST:
            return _hide(steps, hidden)
        declared = self._look(steps)[0]
        if isinstance(value, Mapping):
            shown = {
                name: self._shown(inner, (*steps, name), hidden)
                for name, inner in value.items()
                if name in declared
            }
            return shown if len(shown) == len(value) else {**shown, HIDDEN: _hide((*steps, HIDDEN), hidden)}
        if isinstance(value, list) and (EVERY in declared or not value):
            return [self._shown(inner, (*steps, EVERY), hidden) for inner in value]
        above = any(mark[: len(steps)] == steps for mark in self._marked)
        if above or isinstance(value, list) or not self._may_read(steps):
            return _hide(steps, hidden)
        return value

    def _covers(self, steps: Steps) -> bool:
        return any(steps[: len(mark)] == mark for mark in self._marked)

    def _may_read(self, steps: Steps) -> bool:
        return any(steps[: len(path)] == path for path in self._granted)

    def _look(self, steps: Steps) -> tuple[frozenset[Step], list[Subschema]]:
        """The names that are declared below a place, and the schemas of the place."""
        if steps not in self._known:
            schemas = schemas_at(self._root, steps)
            self._known[steps] = frozenset(names_below(schemas)), schemas
        return self._known[steps]


def _pattern(path: str) -> Steps:
    """Steps of a path in which an index stands for every item: rather too much is hidden."""
    return tuple(EVERY if isinstance(step, int) else step for step in parse_path(path))


def _hide(steps: Sequence[Step], hidden: dict[str, None]) -> str:
    hidden[render_path(steps)] = None
    return HIDDEN
