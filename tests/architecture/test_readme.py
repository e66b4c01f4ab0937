"""The README tells the truth: its map leads somewhere, its commands exist, its snippets run.

A ```python block must compile; with the word `run` after `python` it is run, with `bus.Bus` in memory. In a
```console block each line that begins with `$ govbus` is run and must exit with 0, against a real Kafka.
"""

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

import pytest

import bus
from tests.architecture.project import ROOT, defined_names

README = ROOT / "README.md"
BLOCK = re.compile(r"^```(?P<words>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MAP_TITLE = re.compile(r"^#+ .*Where is\b.*$", re.MULTILINE)
COMMAND_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of the README.

    Attributes:
        words: What stands after the fence.
        text: What it holds.
        line: Where it begins.
    """

    words: tuple[str, ...]
    text: str
    line: int


def _blocks(language: str) -> Iterator[Block]:
    readme = README.read_text("utf-8")
    for found in BLOCK.finditer(readme):
        words = tuple(found["words"].split())
        if words[:1] == (language,):
            yield Block(words, found["text"], readme.count("\n", 0, found.start()) + 2)


def test_the_map_leads_to_files_and_names_that_exist() -> None:
    """Each path of the "Where is ...?" table is there and defines the names beside it."""
    rows = list(_map_rows())
    assert rows, 'expected a table under the heading "Where is ...?" in README.md'
    assert [fault for row in rows for fault in _faults(row)] == []


def _map_rows() -> Iterator[str]:
    readme = README.read_text("utf-8")
    title = MAP_TITLE.search(readme)
    if title is None:
        return
    section = re.split(r"^#+ ", readme[title.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    yield from (line for line in section.splitlines() if line.startswith("|") and "`" in line)


def _faults(row: str) -> Iterator[str]:
    words = [word for quoted in re.findall(r"`([^`]+)`", row) for word in quoted.split("::")]
    paths = [word for word in words if "/" in word or word.endswith((".py", ".md", ".yml", ".lock"))]
    yield from (f"no file {path}" for path in paths if not (ROOT / path).exists())
    sources = [ROOT / path for path in paths if path.endswith(".py") and (ROOT / path).exists()]
    names = set().union(*(defined_names(ast.parse(source.read_text("utf-8"))) for source in sources))
    for word in words:
        name = word.removesuffix("()")
        if word not in paths and name not in names:
            yield f"`{name}` is not defined in {', '.join(paths) or 'any file of its row'}"


def test_every_make_target_it_names_exists() -> None:
    """`make X` is a line of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^\$? ?|`)make ([a-z]+)", README.read_text("utf-8"), re.MULTILINE))
    assert named - targets == set()


def test_python_blocks_compile() -> None:
    """Those that are not run are at least Python."""
    for block in _blocks("python"):
        _compiled(block)


async def test_python_blocks_marked_run_do_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """They run one after the other in one module, against the bus in memory."""
    from bus.testing import InMemoryBus

    monkeypatch.setattr(bus, "Bus", InMemoryBus)
    names: dict[str, object] = {"__name__": "readme"}
    for block in _blocks("python"):
        if "run" in block.words:
            left = eval(_compiled(block), names)
            if inspect.iscoroutine(left):
                await left


def _compiled(block: Block) -> CodeType:
    text = "\n" * (block.line - 1) + block.text
    code: CodeType = compile(text, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


def test_console_commands_exit_with_0(kafka: str) -> None:
    """What the README shows after `$ govbus` works as it stands."""
    for block in _blocks("console"):
        for line in block.text.splitlines():
            if line.startswith("$ govbus"):
                _run(line.removeprefix("$ "), kafka)


def _run(line: str, servers: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bus", *shlex.split(line)[1:]],
        cwd=ROOT,
        env={**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": servers},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{line}: exit {done.returncode}: {done.stderr}"
