"""Sets of property names: names, patterns, what a schema of names allows, boolean combinations of them.

All names that a schema spells out are looked at one by one. The rest fall into classes, one for each way in
which patterns and lengths can go together; within a class, no constraint distinguishes one name from another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

from contracts.compatibility.containment.nodes import Node
from contracts.compatibility.containment.results import NotUnderstoodError, PatternDoubt
from contracts.compatibility.containment.strings import (
    TOO_LARGE,
    is_strange,
    matches,
    may_match,
    words_of,
)
from contracts.patterns import Language, PatternError

Names: TypeAlias = tuple[Any, ...]
"""A tuple: a `set`, a `pattern`, `longer` than a length, `not` one, `or` of several, the `text` of a node."""
Atom: TypeAlias = tuple[str, Any]

_MOST_ATOMS: Final = 12
_MOST_CLASSES: Final = 64


def these(*names: str) -> Names:
    """Exactly these names."""
    return ("set", frozenset(names))


def all_but(*others: Names) -> Names:
    """Every name that is in none of the sets."""
    return ("not", others[0] if len(others) == 1 else ("or", others))


def in_atoms(names: Names, text: Callable[[Node], Node]) -> Names:
    """The same set without `text`: what a schema says of names, as sets, patterns and lengths."""
    kind, content = names
    if kind == "not":
        return ("not", in_atoms(content, text))
    if kind == "or":
        return ("or", tuple(in_atoms(part, text) for part in content))
    return _of_schema(text(content)) if kind == "text" else names


def _of_schema(node: Node) -> Names:
    match node.kind:
        case "true":
            return ("not", these())
        case "false":
            return these()
        case "or":
            return ("or", tuple(_of_schema(part) for part in node.args))
        case "and":
            return ("not", ("or", tuple(("not", _of_schema(part)) for part in node.args)))
        case "literal":
            return _of_constraint(node.args[2])
        case _:
            raise NotUnderstoodError("`propertyNames` holds what is not understood")


def _of_constraint(constraint: tuple[Any, ...]) -> Names:
    match constraint:
        case ("in", words):
            return ("set", words)
        case ("nin", words):
            return ("not", ("set", words))
        case ("pattern", text):
            return ("pattern", text)
        case ("npattern", text):
            return ("not", ("pattern", text))
        case ("longer", length):
            return ("longer", length)
        case ("shorter", length):
            return ("not", ("longer", length + 1))
        case _:
            raise NotUnderstoodError("`propertyNames` with a `format`")


def spelled(names: Names) -> Iterator[str]:
    """The names that the set spells out."""
    kind, content = names
    if kind == "set":
        yield from content
    elif kind == "not":
        yield from spelled(content)
    elif kind == "or":
        for part in content:
            yield from spelled(part)


def atoms_of(names: Names) -> Iterator[Atom]:
    """The patterns and lengths in the set."""
    kind, content = names
    if kind in ("pattern", "longer"):
        yield (kind, content)
    elif kind == "not":
        yield from atoms_of(content)
    elif kind == "or":
        for part in content:
            yield from atoms_of(part)


def holds_name(names: Names, name: str, *, guess: bool) -> bool | None:
    """Whether the name is in the set, which has no `text`.

    Args:
        names: The set.
        name: The name.
        guess: Whether to guess where a pattern is beyond regular languages; else that is not known: None.
    """
    kind, content = names
    match kind:
        case "set":
            return name in content
        case "not":
            return _opposite(holds_name(content, name, guess=guess))
        case "or":
            return _any(holds_name(part, name, guess=guess) for part in content)
        case "longer":
            return bool(len(name) >= content)
        case _:
            found = matches(content, name)
            return may_match(content, name) if found is None and guess else found


def _opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _any(truths: Iterable[bool | None]) -> bool | None:
    found = set(truths)
    return True if True in found else None if None in found else False


@dataclass(frozen=True, slots=True, eq=False)
class NameClass:
    """Names that are spelled out nowhere, and alike to every regular pattern and length.

    Attributes:
        truths: Which atoms hold for them.
        size: How many there are; None for infinitely many.
    """

    truths: frozenset[Atom]
    size: int | None
    language: Language | None
    spelled: frozenset[str]

    def within(self, names: Names, *, guess: bool) -> bool | None:
        """Whether the names of the class are in the set, as `holds_name` says it of one name."""
        kind, content = names
        if kind == "set":
            return False
        if kind == "not":
            return _opposite(self.within(content, guess=guess))
        if kind == "or":
            return _any(self.within(part, guess=guess) for part in content)
        if kind == "pattern" and is_strange(content):
            return False if guess else None
        return (kind, content) in self.truths

    def some(self, count: int) -> list[str]:
        """So many names of the class, or all of them if there are fewer."""
        if self.language is not None:
            return self.language.some(count)
        fresh = (word for word in words_of(1, count + len(self.spelled)) if word not in self.spelled)
        return list(islice(fresh, count))


@lru_cache(maxsize=1024)
def classes(atoms: frozenset[Atom], explicit: frozenset[str]) -> tuple[NameClass, ...]:
    """Every class that has a name, by the atoms that are regular.

    Raises:
        NotUnderstoodError: There are too many.
    """
    atoms = frozenset(atom for atom in atoms if atom[0] != "pattern" or not is_strange(atom[1]))
    if not atoms:
        return (NameClass(frozenset(), None, None, explicit),)
    if len(atoms) > _MOST_ATOMS:
        raise NotUnderstoodError("too many patterns of property names")
    try:
        parts = [(truths, _without(language, explicit)) for truths, language in _split(atoms)]
        return tuple(
            NameClass(truths, language.size(), language, explicit)
            for truths, language in parts
            if not language.is_empty()
        )
    except PatternError:
        patterns = [str(content) for kind, content in atoms if kind == "pattern"]
        if not patterns:
            raise NotUnderstoodError("names of properties too long to be compared") from None
        raise NotUnderstoodError(PatternDoubt(max(sorted(patterns), key=len), TOO_LARGE)) from None


def _without(language: Language, names: frozenset[str]) -> Language:
    held = [name for name in names if language.accepts(name)]
    return language - Language.words(held) if held else language


@lru_cache(maxsize=256)
def _split(atoms: frozenset[Atom]) -> tuple[tuple[frozenset[Atom], Language], ...]:
    parts: list[tuple[frozenset[Atom], Language]] = [(frozenset(), Language.everything())]
    for kind, content in sorted(atoms, key=str):
        own = Language.pattern(content) if kind == "pattern" else Language.length(content, None)
        split = [(truths | {(kind, content)}, language & own) for truths, language in parts]
        split += [(truths, language - own) for truths, language in parts]
        parts = [(truths, language) for truths, language in split if not language.is_empty()]
        if len(parts) > _MOST_CLASSES:
            raise NotUnderstoodError("too many combinations of patterns of property names")
    return tuple(parts)
