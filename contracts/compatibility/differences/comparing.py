"""What differs between two schemas, place by place, in the kinds that `contracts.compatibility.kinds` lists.

Law: differences explain a verdict and never make one. A change that breaks and has no kind still breaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.compatibility.differences import structures
from contracts.compatibility.differences.view import ComparedSchema, PlacedSchema, View
from contracts.compatibility.kinds import KINDS, Kind
from contracts.schema.dialect import Schema
from contracts.schema.references import Subschema

_MOST_PAIRS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: Its kind.
        what: In words, such as `maxLength` from `64` to `32`.
        old_path: Where, as a JSON pointer into the old schema; where it would be, when it is new.
        new_path: Where in the new schema.
        field: The path of the data it is about, such as `$.child.name`.
    """

    kind: Kind
    what: str
    old_path: str
    new_path: str
    field: str = "$"

    @property
    def words(self) -> str:
        """What differs, and in which field."""
        return self.what if self.field == "$" else f"{self.what} in `{self.field}`"

    @property
    def name(self) -> str:
        """The name of its kind."""
        return self.kind.name


def differences(
    old: Schema,
    new: Schema,
    *,
    old_references: Mapping[str, Schema] | None = None,
    new_references: Mapping[str, Schema] | None = None,
    tolerant: bool = False,
) -> tuple[Difference, ...]:
    """Every difference between two schemas, in the order of the new one.

    Args:
        old: The schema before.
        new: The schema now.
        old_references: Documents that the old one refers to, by `$id`.
        new_references: Documents that the new one refers to.
        tolerant: Whether writers are closed and readers open, whatever the schemas say.
    """
    pair = _Pair(
        ComparedSchema(old, old_references or {}), ComparedSchema(new, new_references or {}), tolerant
    )
    return tuple(dict.fromkeys(pair.compare()))


class _Pair:
    def __init__(self, old: ComparedSchema, new: ComparedSchema, tolerant: bool) -> None:
        self.old, self.new, self.tolerant = old, new, tolerant
        self._seen: set[tuple[Subschema | bool, Subschema | bool]] = set()
        self._rest: list[tuple[PlacedSchema, PlacedSchema, str]] = []

    def compare(self) -> Iterator[Difference]:
        self._rest.append((self.old.root, self.new.root, "$"))
        while self._rest and len(self._seen) < _MOST_PAIRS:
            old, new, field = self._rest.pop(0)
            key = (old.node, new.node)
            if key in self._seen:
                continue
            self._seen.add(key)
            yield from self._placed(old, new, field)

    def _placed(self, old: PlacedSchema, new: PlacedSchema, field: str) -> Iterator[Difference]:
        if (old.node is False) != (new.node is False):
            name = "FALSE_SCHEMA_REMOVED" if old.node is False else "FALSE_SCHEMA_ADDED"
            yield Difference(KINDS[name], "all or nothing is refused here", old.path, new.path, field)
        elif old.node is not False:
            before, now = self.old.view(old), self.new.view(new)
            for found in structures.place_differences(self, before, now):
                yield Difference(KINDS[found.kind], found.what, found.old_path, found.new_path, field)
            self._below(before, now, field)

    def _below(self, old: View, new: View, field: str) -> None:
        for name, place in new.properties.items():
            if name in old.properties:
                self._rest.append((old.properties[name], place, f"{field}.{name}"))
        for pattern, place in new.patterns.items():
            if pattern in old.patterns:
                self._rest.append((old.patterns[pattern], place, f"{field}.*"))
        for keyword in ("items", "additionalItems", "contains", "unevaluatedItems"):
            self._keyword(old, new, keyword, f"{field}[*]")
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            self._keyword(old, new, keyword, f"{field}.*")
        for keyword in ("propertyNames", "then", "else"):
            self._keyword(old, new, keyword, field)
        for before, now in structures.aligned_items(self, old, new):
            self._rest.append((before, now, f"{field}[*]"))
        for before, now in structures.aligned_branches(self, old, new):
            self._rest.append((before, now, field))

    def _keyword(self, old: View, new: View, keyword: str, field: str) -> None:
        before, now = old.keywords.get(keyword), new.keywords.get(keyword)
        if before and now and isinstance(before.value, Mapping) and isinstance(now.value, Mapping):
            schemas = self.old.placed(before.value, before.path), self.new.placed(now.value, now.path)
            self._rest.append((*schemas, field))
