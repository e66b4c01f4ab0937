"""A path or a module that a docstring, a comment or a page names exists.

Checked are paths from the root of the project (`bus/topics.py`, `tests/unit/`), in docstrings and comments
also names of Python and Markdown files alone (`topics.py`) and dotted names below a room (`bus.topics`,
`contracts.Catalog.open`), in Markdown also the targets of links. Other files that a text names are examples
from a user's project.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from os.path import normpath
from pathlib import PurePath

from tests.architecture.project import ROOMS, ROOT, Module, committed_files, module, modules

TOP = "|".join(map(re.escape, (*ROOMS, "tests", ".ci", ".github")))
PATH = re.compile(rf"(?<![\w./<>-])(?:(?:{TOP})/[\w./-]*\w(?![\w.]*[<*])|[\w-]+\.(?:py|md)\b)")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
NAME = re.compile(rf"(?<![\w./-])(?:{'|'.join((*ROOMS, 'tests'))})(?:\.[A-Za-z_]\w*)+(?![\w/])")


def test_what_docstrings_and_comments_name_exists() -> None:
    """A text that names a file was written to send its reader there."""
    files = [path.relative_to(ROOT) for path in committed_files()]
    assert list(dead_ends(modules(*ROOMS, "tests"), files)) == []


def test_what_pages_name_exists() -> None:
    """A reader of Markdown is sent to files that are there."""
    files = [path.relative_to(ROOT) for path in committed_files()]
    pages: dict[PurePath, str] = {
        path: (ROOT / path).read_text("utf-8") for path in files if path.suffix == ".md"
    }
    assert list(dead_links(pages, files)) == []


def test_the_guard_finds_dead_links() -> None:
    """Paths from the root and targets relative to the page; no web address, anchor or placeholder."""
    page = (
        "`bus/gone.py` bus/topics.py bus/test_<x>.py [a](no.md) [b](../README.md#x) [c](#x) [d](https://x.y)"
    )
    files = [PurePath("bus/README.md"), PurePath("bus/topics.py"), PurePath("README.md")]
    assert list(dead_links({files[0]: page}, files)) == [
        "bus/README.md: no bus/gone.py",
        "bus/README.md: no bus/no.md",
    ]


def test_the_guard_finds_what_does_not_exist() -> None:
    """Paths, folders, lone files, modules, names in modules; in docstrings and comments only."""
    text = '''"""See `bus/topics.py`, `bus/gone.py`, `gone.py`, `topics.py`, `bus/stages/` and `bus/old/`."""
import bus  # bus.topics.Topic, bus.topics.Lost, bus.lost and bus.Topic
SAID = "bus/nowhere.py"
PORT = 1
"""The port of `bus.ports`."""
'''
    tree = [
        module("bus/__init__.py", "from bus.topics import Topic"),
        module("bus/topics.py", "class Topic: ..."),
        module("bus/stages/check.py", text),
    ]
    assert list(dead_ends(tree, [each.path for each in tree])) == [
        "bus/stages/check.py:1: no bus/gone.py",
        "bus/stages/check.py:1: no gone.py",
        "bus/stages/check.py:1: no bus/old",
        "bus/stages/check.py:5: no bus.ports",
        "bus/stages/check.py:2: no bus.topics.Lost",
        "bus/stages/check.py:2: no bus.lost",
    ]


def dead_ends(house: Iterable[Module], files: Collection[PurePath]) -> Iterator[str]:
    """Yield each citation of what is not there, with its place."""
    by_name = {each.name: each for each in house}
    there = _there(files) | {path.name for path in files}
    for each in by_name.values():
        for line, text in (*each.docstrings(), *each.comments()):
            cited = [path for path in PATH.findall(text) if path not in there]
            cited += [name for name in NAME.findall(text) if not _is_defined(by_name, name)]
            yield from (f"{each.path}:{line}: no {what}" for what in cited)


def dead_links(pages: Mapping[PurePath, str], files: Collection[PurePath]) -> Iterator[str]:
    """Yield each path and link of Markdown pages to what is not there."""
    there = _there(files)
    for page, text in pages.items():
        named = [path for path in PATH.findall(text) if "/" in path]
        linked = [normpath(page.parent / target) for target in LINK.findall(text)]
        yield from (f"{page}: no {path}" for path in (*named, *linked) if path not in there)


def _there(files: Collection[PurePath]) -> set[str]:
    return {str(path) for path in files} | {str(folder) for path in files for folder in path.parents}


def _is_defined(by_name: dict[str, Module], name: str) -> bool:
    if name in by_name:
        return True
    holder, _, member = name.rpartition(".")
    while holder not in by_name:
        if not holder:
            return False
        holder, _, outer = holder.rpartition(".")
        member = f"{outer}.{member}"
    found = by_name[holder]
    imported = {what for _, _, what in found.imports}
    return member in found.defined_names or member.partition(".")[0] in imported
