"""Titles of the parts of a schema, by which code generators name classes. Pure.

Law: what becomes a class has a title that no other part has, and that another contract's change does not
change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any, Final

_CLASSES: Final = ("properties", "patternProperties", "enum", "oneOf", "anyOf", "allOf")
"""What a generator makes a class, an enumeration or a union of."""
_INNER: Final = ("properties", "patternProperties", "definitions")
_PARTS: Final = ("oneOf", "anyOf", "allOf", "items")
_ONES: Final = ("items", "additionalItems", "additionalProperties", "if", "then", "else")


class Titles:
    """Titles that stay apart as names of classes, which have neither punctuation nor, for some, case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, title: str) -> str:
        """The title, or the next that nothing else has."""
        further = (f"{title} {number}" for number in count(2))
        found = next(each for each in chain((title,), further) if spelled(each) not in self._taken)
        self._taken.add(spelled(found))
        return found


def spelled(title: str) -> str:
    """What is left of a title in the name of a class."""
    return re.sub(r"[\W_]+", "", title).casefold()


def inside(node: Mapping[str, Any], title: str, titles: Titles) -> dict[str, Any]:
    """Give the parts of a schema in draft-07 titles that begin with `title`, which is its own."""
    found = dict(node)
    for word in _INNER:
        if isinstance(node.get(word), Mapping):
            found[word] = {
                name: _titled(child, f"{title} {name}", titles) for name, child in node[word].items()
            }
    for word in _PARTS:
        if isinstance(node.get(word), list):
            found[word] = [
                _titled(child, f"{title} {word} {number}", titles)
                for number, child in enumerate(node[word], 1)
            ]
    for word in _ONES:
        if isinstance(node.get(word), Mapping):
            found[word] = _titled(node[word], f"{title} {'item' if word == 'items' else word}", titles)
    return found


def _titled(node: Any, title: str, titles: Titles) -> Any:
    """Give what becomes a class a title of its own; the texts and names of the contract stay."""
    if not isinstance(node, Mapping):
        return node
    is_class = node.get("type") == "object" or any(word in node for word in _CLASSES)
    title = titles.unique(title) if is_class else title
    found = inside(node, title, titles)
    return {**found, "title": title} if is_class else found
