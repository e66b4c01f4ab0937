"""What calls itself pure is: rules over values, which get the time, random numbers and ids as arguments.

A docstring that says "pure" speaks for its module, class or function; that of a package for each of its
modules. Pure code uses nothing of the outside world, and calls nothing that reads a clock, makes an id or
touches a file. Nor does it use a class or function of the house that does so in its own body.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from tests.architecture.project import ROOMS, Module, module, modules

SAYS_PURE = re.compile(r"\bpure\b", re.IGNORECASE)
LEAST = 55
"""There were 65 when this was written."""

OUTSIDE_WORLD = frozenset(
    {
        *("aiohttp", "aiokafka", "asyncio", "click", "faststream", "ftplib", "getpass", "http.client"),
        *("http.server", "httpx", "httpx2", "importlib", "logging", "multiprocessing", "opentelemetry", "os"),
        *("random", "secrets", "shutil", "signal", "smtplib", "socket", "sqlalchemy", "sqlite3", "ssl"),
        *("starlette", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uvicorn"),
    }
)
CALLS = frozenset(
    {
        *("print", "input", "open", "read_text", "read_bytes", "write_text", "write_bytes", "exists"),
        *("is_file", "is_dir", "iterdir", "glob", "rglob", "mkdir", "unlink", "stat", "resolve", "cwd"),
        *("now", "utcnow", "today", "uuid1", "uuid4"),
    }
)


class Code(NamedTuple):
    """A module, or a class or function of one."""

    module: Module
    node: ast.AST


class Imported(NamedTuple):
    """One imported name: from which module, what of it (None for the module), and what it is called here."""

    line: int
    source: str
    what: str | None
    name: str


def test_what_calls_itself_pure_touches_nothing_outside() -> None:
    """No file, network, clock, chance, thread or log."""
    assert list(impurities(modules(*ROOMS))) == []


def test_enough_code_calls_itself_pure() -> None:
    """The guard above has something to guard."""
    assert len(pure(modules(*ROOMS))) >= LEAST


def test_the_guard_finds_what_is_not_pure() -> None:
    """By import, by call, through another module, in one function, and in a package that says it is pure."""
    tree = [
        module("bus/imports.py", '"""Pure."""\ndef f():\n    import socket as s\n    s.socket()'),
        module("bus/calls.py", '"""Pure."""\nfrom datetime import datetime\ndef f(): return datetime.now()'),
        module("bus/through.py", '"""Pure."""\nfrom bus import connect as join, Address'),
        module("bus/__init__.py", "from bus.network import Address, connect"),
        module("bus/network.py", "import socket\nclass Address: ...\ndef connect():\n    socket.socket()"),
        module("bus/stages/__init__.py", '"""The steps, each pure."""'),
        module("bus/stages/check.py", '"""A step."""\nfrom random import random\nrandom()'),
        module("bus/whole.py", '"""Pure."""\nfrom bus.stages import check'),
        module("bus/mixed.py", 'import os\ndef f():\n    """Pure."""\n    return os\ndef g(): os.getcwd()'),
        module("bus/impure.py", '"""Says nothing."""\nimport os\nos.getcwd()'),
    ]
    assert list(impurities(tree)) == [
        "bus/imports.py:4 uses socket",
        "bus/calls.py:3 uses now()",
        "bus/through.py:2 imports connect, which uses socket",
        "bus/stages/check.py:3 uses random",
        "bus/whole.py:2 imports check, which uses random",
        "bus/mixed.py:4 uses os",
    ]


def impurities(house: Iterable[Module]) -> Iterator[str]:
    """Yield what pure code uses of the outside world, each with its place."""
    by_name = {each.name: each for each in house}
    for code in pure(by_name.values()):
        path = code.module.path
        yield from (f"{path}:{line} uses {what}" for line, what in _uses(code))
        used = {node.id for node in ast.walk(code.node) if isinstance(node, ast.Name)}
        for imported in _imports(code.module):
            if isinstance(code.node, ast.Module) or imported.name in used:
                definition = _definition(by_name, imported.source, imported.what)
                if definition is not None and (use := next(_uses(definition), None)):
                    yield f"{path}:{imported.line} imports {imported.what}, which uses {use[1]}"


def pure(house: Iterable[Module]) -> list[Code]:
    """Return the modules, classes and functions whose docstring, or whose package's, says "pure"."""
    all_ = list(house)
    packages = {
        each.path.parent for each in all_ if each.path.name == "__init__.py" and _says_pure(each.tree)
    }
    found: list[Code] = []
    for each in all_:
        if _says_pure(each.tree) or packages.intersection(each.path.parents):
            found.append(Code(each, each.tree))
        else:
            found += [Code(each, node) for node in each.nodes if _says_pure(node)]
    return found


def _says_pure(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return SAYS_PURE.search(ast.get_docstring(node) or "") is not None


def _uses(code: Code) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each use of the outside world."""
    outside = {found.name: found.source for found in _imports(code.module) if _is_outside(found)}
    for node in ast.walk(code.node):
        if isinstance(node, ast.Name) and node.id in outside:
            yield node.lineno, outside[node.id]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in CALLS:
                yield node.lineno, f"{called}()"


def _is_outside(found: Imported) -> bool:
    parts = found.source.split(".")
    named = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)} | {f"{found.source}.{found.what}"}
    # A seeded generator is an argument like any other.
    return bool(named & OUTSIDE_WORLD) and (found.source, found.what) != ("random", "Random")


@cache
def _imports(module: Module) -> list[Imported]:
    found: list[Imported] = []
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found.append(Imported(node.lineno, alias.name, None, name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = alias.asname or alias.name
                found.append(Imported(node.lineno, node.module, alias.name, name))
    return found


def _definition(by_name: dict[str, Module], source: str, what: str | None) -> Code | None:
    """Return what is imported, behind packages that only pass it on; None if it is not of the house."""
    if (whole := by_name.get(f"{source}.{what}")) is not None:
        return Code(whole, whole.tree)
    if (found := by_name.get(source)) is None:
        return None
    if what is None:
        return Code(found, found.tree)
    for node in found.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == what:
            return Code(found, node)
    passed_on = (each for each in _imports(found) if each.name == what)
    return next((_definition(by_name, each.source, each.what) for each in passed_on), None)
