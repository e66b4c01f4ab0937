"""The pages tell the truth: links and maps lead somewhere; the README's commands exist and its snippets run.

A ```python block must compile; with the word `run` after `python` it is run as a program, against the Kafka
of `govbus up`, and must print its delivery. In a ```console block each line that begins with `$ govbus` is
run and must exit with 0, against a real Kafka.
"""

import ast
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from bus.embedded.folder import free_ports
from tests.architecture.project import ROOT, committed_files, defined_names

README = ROOT / "README.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
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


def test_every_heading_and_test_that_a_page_names_exists() -> None:
    """The files themselves are checked by `test_citations`."""
    pages = [ROOT / path for path in committed_files() if path.suffix == ".md"]
    assert [fault for page in pages for fault in _dead_ends(page)] == []


def _dead_ends(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    for file, heading in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]*)\)", BLOCK.sub("", text)):
        if heading not in _headings(page.parent / file if file else page):
            yield f"{page.relative_to(ROOT)} links to {file}#{heading}"
    for path, name in re.findall(r"([\w./-]+\.py)::(\w+)", text):
        if f"def {name}(" not in (ROOT / path).read_text("utf-8"):
            yield f"{page.relative_to(ROOT)} names {path}::{name}"


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_every_dependency_stands_in_the_table_with_its_reason() -> None:
    """Each of the project and of its extras for users; `opentelemetry-*` names several."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = project["dependencies"] + extras["embedded"] + extras["postgresql"]
    packages = {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in declared}
    table = README.read_text().partition("## Dependencies")[2]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")]
    named = [name.strip().lower() for cell in cells for name in re.sub(r"\(.*\)", "", cell).split(",")]
    assert [each for each in sorted(packages) if not any(fnmatch(each, name) for name in named)] == []


def test_contributors_are_shown_every_folder() -> None:
    """The layout names each package of `contracts` and `bus`, and nothing that is not there."""
    room, shown = "", defaultdict[str, set[str]](set)
    for indent, folder in re.findall(r"^( *)([a-z_]+)/ ", CONTRIBUTING.read_text("utf-8"), re.MULTILINE):
        if indent:
            shown[room].add(folder)
        else:
            room = folder
    assert [path for room in shown for path in shown[room] if not (ROOT / room / path).is_dir()] == []
    for room in ("contracts", "bus"):
        assert {package.parent.name for package in (ROOT / room).glob("*/__init__.py")} - shown[room] == set()


def test_every_make_target_named_exists() -> None:
    """`make X` is a line of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in (README, CONTRIBUTING):
        named = set(re.findall(r"(?:^\$? ?|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE))
        assert named - targets == set()


def test_python_blocks_compile() -> None:
    """Those that are not run are at least Python."""
    for block in _blocks("python"):
        text = "\n" * (block.line - 1) + block.text
        compile(text, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_python_blocks_marked_run_print_a_delivery(tmp_path: Path) -> None:
    """Saved and run as the README says, each prints the id of the event it published, and its delivery."""
    programs = [block.text for block in _blocks("python") if "run" in block.words]
    assert programs
    with _govbus_up(ROOT, "--catalog", "reference") as servers:
        for program in programs:
            (tmp_path / "first.py").write_text(program, "utf-8")
            printed = _done([sys.executable, "first.py"], servers, tmp_path, "reference").stdout
            published = re.findall(r"^published (\S+)", printed, re.MULTILINE)
            assert published
            assert published == re.findall(r"^delivered (\S+) BRT-", printed, re.MULTILINE)


@contextmanager
def _govbus_up(folder: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "bus", "up", *options, "--port", str(free_ports(1)[0])]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as kafka:
        assert kafka.stdout is not None
        try:
            yield kafka.stdout.readline().strip().removeprefix("GOVBUS_BOOTSTRAP_SERVERS=")
        finally:
            kafka.send_signal(signal.SIGINT)
    assert kafka.returncode == 0


def test_console_commands_make_a_country_that_runs(tmp_path: Path) -> None:
    """Each line of its block, but for the installation of pytest, and then both programs."""
    (block,) = [each for each in _blocks("sh") if "govbus new country" in each.text]
    lines = [line.partition("#")[0].split() for line in block.text.splitlines()]
    *before, up = [line for line in lines if "pip" not in line]
    assert up == ["govbus", "up", "--port", "9092"]
    for line in before:
        command = (
            [sys.executable, "-m", "bus", *line[1:]] if line[0] == "govbus" else [sys.executable, *line[1:]]
        )
        _done(
            [*command, *(["-p", "no:asyncio", "-p", "no:cacheprovider"] if "pytest" in line else [])],
            "",
            tmp_path,
        )
    with _govbus_up(tmp_path) as servers:
        environment = {**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": servers, "GOVBUS_CATALOG": ""}
        command = [sys.executable, "-m", "bus", "run", "licensing:bus"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        ) as licensing:
            assert licensing.stdout is not None
            _done([sys.executable, "register.py", "SHOP-000001"], servers, tmp_path)
            assert licensing.stdout.readline() == "issued L-SHOP-000001\n"
            licensing.send_signal(signal.SIGINT)
        assert licensing.returncode == 0


def test_console_commands_exit_with_0(kafka: str) -> None:
    """What the README shows after `$ govbus` works as it stands."""
    for block in _blocks("console"):
        for line in block.text.splitlines():
            if line.startswith("$ govbus"):
                _done([sys.executable, "-m", "bus", *shlex.split(line)[2:]], kafka)


def _done(
    command: list[str], servers: str, folder: Path = ROOT, catalog: str = ""
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": servers, "GOVBUS_CATALOG": catalog},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stderr}"
    return done
