"""What of an event's data is shown: to a program, what its grant lists; to whoever only looks, less. Pure.

Laws of this file: a program sees the fields of its grant, and nothing of the others, not even their names.
To whoever looks a value is shown where the schema of its version declares its place, no mark of the contract
(`personal_fields`) covers it, and the grant has it. What nobody has declared may be about anybody, so it is
hidden, its name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from contracts.contract import ContractVersion
from contracts.paths import EVERY, Step, parse_path, render_path
from contracts.schema.fields import names_below, schemas_at
from contracts.schema.references import Subschema

HIDDEN: Final = "***"
"""Stands for a value that is not shown, and for the names that nobody has declared."""
_DEEPEST: Final = 60

Steps = tuple[Step, ...]

Tree: TypeAlias = "dict[Step, Tree] | None"
"""What is granted below each step; None is everything below."""
_ABSENT: Final = object()


class GrantedFields:
    """The fields of an event's data that a grant lists, compiled once.

    Args:
        fields: Their paths, as a subscription lists them; `$`, or none, is everything.

    Raises:
        ValueError: One of them is not a path.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self.paths = tuple(dict.fromkeys(fields)) or ("$",)
        self.tree = _tree_of(self.paths)

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.tree is None

    def of(self, data: Any) -> Any:
        """The data without any other field.

        Objects and arrays on the way to a field stay, and so does a null in their place. Items of an array
        that are not granted are null where a later one is.
        """
        return _cut(data, self.tree)

    def within(self, whole: Any, seen: Any) -> Any:
        """The whole data, in which these fields are as they are in what is seen of it."""
        return _within(whole, seen, self.tree)

    def skeleton(self) -> Any:
        """Data of these fields alone, each null, and one item in each array."""
        return _skeleton(self.tree)


def _tree_of(paths: Iterable[str]) -> Tree:
    tree: dict[Step, Tree] = {}
    for path in paths:
        *way, last = parse_path(path) or (None,)
        if last is None:
            return None
        node: Tree = tree
        for step in way:
            if node is not None:
                node = node.setdefault(step, {})
        if node is not None:
            node[last] = None
    return tree


def _cut(value: Any, tree: Tree) -> Any:
    if tree is None:
        return value
    if isinstance(value, dict):
        return {
            name: shown
            for name, inner in value.items()
            if name in tree and (shown := _cut(inner, tree[name])) is not _ABSENT
        }
    if isinstance(value, list):
        return _cut_items(value, tree)
    return None if value is None else _ABSENT


def _cut_items(items: list[Any], tree: dict[Step, Tree]) -> Any:
    indexes = [step for step in tree if isinstance(step, int)]
    if not indexes and EVERY not in tree:
        return _ABSENT
    if not indexes:
        return [_or_null(_cut(item, tree[EVERY])) for item in items]
    count = len(items) if EVERY in tree else min(len(items), max(indexes) + 1)
    granted = [_at_index(tree, index) for index in range(count)]
    return [
        None if below == {} else _or_null(_cut(item, below))
        for item, below in zip(items, granted, strict=False)
    ]


def _or_null(value: Any) -> Any:
    return None if value is _ABSENT else value


def _within(whole: Any, seen: Any, tree: Tree) -> Any:
    if tree is None:
        return seen
    if isinstance(whole, dict) and isinstance(seen, dict):
        kept = {
            name: _within(value, seen.get(name, {} if isinstance(value, dict) else None), below)
            for name, value in whole.items()
            if (below := tree.get(name, {})) is not None or name in seen
        }
        return {**kept, **{name: value for name, value in seen.items() if name not in whole}}
    if isinstance(whole, list) and isinstance(seen, list) and tree:
        items = [
            _within(whole[index] if index < len(whole) else None, item, _at_index(tree, index))
            for index, item in enumerate(seen)
        ]
        return items if EVERY in tree else [*items, *whole[len(seen) :]]
    return whole if seen is None else seen


def _at_index(tree: Tree, index: int) -> Tree:
    """What is granted of one item: as of every item, and by its index."""
    if tree is None:
        return None
    return _merged(tree.get(EVERY, {}), tree.get(index, {}))


def _merged(one: Tree, other: Tree) -> Tree:
    if one is None or other is None:
        return None
    both = {step: _merged(one[step], other[step]) for step in one.keys() & other.keys()}
    return {**one, **other, **both}


def _skeleton(tree: Tree) -> Any:
    if tree is None:
        return None
    if any(isinstance(step, int) or step == EVERY for step in tree):
        return [_skeleton(_at_index(tree, 0))]
    return {name: _skeleton(below) for name, below in tree.items()}


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
        self._granted = GrantedFields(fields).tree
        self._marked = [] if personal else [_pattern(path) for path in version.contract.personal_fields]
        self._known: dict[Steps, tuple[frozenset[Step], list[Subschema]]] = {}

    def apply(self, data: Any) -> MaskedData:
        """The data without what is not to be shown."""
        hidden: dict[str, None] = {}
        return MaskedData(self._shown(data, (), self._granted, hidden), tuple(hidden))

    @property
    def sees_everything(self) -> bool:
        """Whether every field is granted, and personal data shown."""
        return self._granted is None and not self._marked

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
        return above or self._covers(steps) or not self._may_read(path) or not self._look(steps)[1]

    def _shown(self, value: Any, steps: Steps, granted: Tree, hidden: dict[str, None]) -> Any:
        if self._covers(steps) or len(steps) > _DEEPEST:
            return _hide(steps, hidden)
        declared = self._look(steps)[0]
        if isinstance(value, Mapping):
            shown = {
                name: self._shown(inner, (*steps, name), _below(granted, name), hidden)
                for name, inner in value.items()
                if name in declared
            }
            return shown if len(shown) == len(value) else {**shown, HIDDEN: _hide((*steps, HIDDEN), hidden)}
        if isinstance(value, list) and (EVERY in declared or not value):
            return [
                self._shown(inner, (*steps, EVERY), _at_index(granted, index), hidden)
                for index, inner in enumerate(value)
            ]
        above = any(mark[: len(steps)] == steps for mark in self._marked)
        if above or isinstance(value, list) or granted is not None:
            return _hide(steps, hidden)
        return value

    def _covers(self, steps: Steps) -> bool:
        return any(steps[: len(mark)] == mark for mark in self._marked)

    def _may_read(self, path: str) -> bool:
        granted = self._granted
        for step in parse_path(path):
            granted = _at_index(granted, step) if isinstance(step, int) else _below(granted, step)
        return granted is None

    def _look(self, steps: Steps) -> tuple[frozenset[Step], list[Subschema]]:
        """The names that are declared below a place, and the schemas of the place."""
        if steps not in self._known:
            schemas = schemas_at(self._root, steps)
            self._known[steps] = frozenset(names_below(schemas)), schemas
        return self._known[steps]


def _below(tree: Tree, step: Step) -> Tree:
    return None if tree is None else tree.get(step, {})


def _pattern(path: str) -> Steps:
    """Steps of a mark in which an index stands for every item: rather too much is hidden."""
    return tuple(EVERY if isinstance(step, int) else step for step in parse_path(path))


def _hide(steps: Sequence[Step], hidden: dict[str, None]) -> str:
    hidden[render_path(steps)] = None
    return HIDDEN
