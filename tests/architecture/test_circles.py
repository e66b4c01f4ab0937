"""No circle of imports, at any level of the tree.

The modules and folders of one folder are compared as siblings: where `bus/stages/stamp.py` imports
`bus/topics.py`, the sibling `bus/stages` imports the sibling `bus/topics.py`. A circle of modules, however
far apart, is a circle of siblings in the folder that holds them all. Imports in functions and under
`TYPE_CHECKING` count: to understand one module of a circle, a reader needs all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import PurePath

import pytest

from tests.architecture.project import ROOMS, Module, module, modules


def test_no_circle_of_modules_or_folders() -> None:
    """Siblings import each other in one direction."""
    assert list(circles(modules(*ROOMS, "tests"))) == []


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"bus/a.py": "import bus.b", "bus/b.py": "import bus.c", "bus/c.py": ""}, []),
        ({"bus/a.py": "import bus.b", "bus/b.py": "from bus.a import A"}, ["bus/a.py - bus/b.py - bus/a.py"]),
        (
            {
                "bus/a.py": "def f():\n    import bus.b",
                "bus/b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from bus import a",
            },
            ["bus/a.py - bus/b.py - bus/a.py"],
        ),
        (
            {"bus/x/a.py": "import bus.y.b", "bus/y/b.py": "", "bus/y/c.py": "import bus.x.a"},
            ["bus/x - bus/y - bus/x"],
        ),
        (
            {"bus/a.py": "import bus.x.b", "bus/x/b.py": "", "bus/x/c.py": "import bus.a"},
            ["bus/a.py - bus/x - bus/a.py"],
        ),
        (
            {"bus/x/__init__.py": "from bus.x.a import A", "bus/x/a.py": "from bus.x import B"},
            ["bus/x/__init__.py - bus/x/a.py - bus/x/__init__.py"],
        ),
        ({"a/x.py": "import b.x", "b/x.py": "import c.x", "c/x.py": "import a.x"}, ["a - b - c - a"]),
    ],
)
def test_the_guard_finds_each_kind_of_circle(tree: dict[str, str], found: list[str]) -> None:
    """Of modules, type-only imports, folders, a module and a folder, a package and its module, rooms."""
    lines = [circle.splitlines()[0] for circle in circles([module(*file) for file in tree.items()])]
    assert [_turned(line) for line in lines] == found


def test_a_circle_names_the_imports_that_make_it() -> None:
    """The message is where to look."""
    tree = [module("bus/a.py", "\nimport bus.b"), module("bus/b.py", "import bus.a")]
    (circle,) = circles(tree)
    assert sorted(circle.splitlines()[1:]) == [
        "  bus/a.py:2 imports bus/b.py",
        "  bus/b.py:1 imports bus/a.py",
    ]


def circles(house: Iterable[Module]) -> Iterator[str]:
    """Yield each circle of siblings with the imports that make it, until what is left has none."""
    imports: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line, importer, imported in _imports(list(house)):
        one, other = _siblings(importer.path, imported.path)
        imports[one][other].append(f"  {importer.path}:{line} imports {imported.path}")
    while True:
        try:
            TopologicalSorter(imports).prepare()
        except CycleError as error:
            # Each of these is imported by the next.
            circle = error.args[1][::-1]
            evidence = [imports[one][other][0] for one, other in pairwise(circle)]
            yield "\n".join([" - ".join(circle), *evidence])
            del imports[circle[0]][circle[1]]
        else:
            return


def _imports(house: list[Module]) -> Iterator[tuple[int, Module, Module]]:
    by_name = {each.name: each for each in house}
    for each in house:
        for line, name, what in each.imports:
            found = by_name.get(f"{name}.{what}") or by_name.get(name)
            if found is not None and found is not each:
                yield line, each, found


def _siblings(one: PurePath, other: PurePath) -> tuple[str, str]:
    """Return the two entries, in the folder that both files share, which hold them."""
    depth = next(
        at for at, pair in enumerate(zip(one.parts, other.parts, strict=False)) if pair[0] != pair[1]
    )
    return "/".join(one.parts[: depth + 1]), "/".join(other.parts[: depth + 1])


def _turned(circle: str) -> str:
    *names, _ = circle.split(" - ")
    first = names.index(min(names))
    return " - ".join([*names[first:], *names[: first + 1]])
