"""One public class name, one class: a reader who meets `Consumer` has one file to open."""

import ast
from collections import defaultdict
from collections.abc import Iterable

from tests.architecture.project import ROOMS, Module, module, modules


def test_a_public_class_name_is_defined_once() -> None:
    """Rooms and folders share one vocabulary."""
    assert repeated_classes(modules(*ROOMS)) == []


def test_the_guard_finds_a_name_defined_twice() -> None:
    """Private classes may share a name: nobody else reads them."""
    tree = [
        module("bus/record.py", "class Record: ...\nclass _Row: ..."),
        module("connectors/source.py", "class Source: ...\nclass Record: ...\nclass _Row: ..."),
    ]
    assert repeated_classes(tree) == ["Record: bus/record.py:1, connectors/source.py:2"]


def repeated_classes(house: Iterable[Module]) -> list[str]:
    """Return each public name of more than one class, with the places that define it."""
    places = defaultdict(list)
    for each in house:
        for node in each.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{each.path}:{node.lineno}")
    return [f"{name}: {', '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]
