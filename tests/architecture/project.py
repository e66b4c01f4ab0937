"""The project as the guards see it: its files, its modules, what they import, define and say."""

import ast
import gc
import io
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("bus", "connectors", "contracts", "observability")


@dataclass(frozen=True, eq=False)
class Module:
    """One Python file; each of its parts is read once, whoever asks.

    Attributes:
        path: Where it is, from the root of the project.
        text: Its source.
        tree: Its syntax tree.
    """

    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first folder of its path."""
        return self.path.parts[0]

    @property
    def name(self) -> str:
        """The name it is imported by."""
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of its tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[tuple[int, str, str | None], ...]:
        """Line, module and, for `from`, name of each import, in functions and `TYPE_CHECKING` too."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[tuple[int, str, str | None]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, name.name, None) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from ((node.lineno, node.module, name.name) for name in node.names)

    @cached_property
    def defined_names(self) -> set[str]:
        """What it defines, see `defined_names`."""
        return defined_names(self.tree)

    def docstrings(self) -> Iterator[tuple[int, str]]:
        """Yield the first line and the text of each docstring, those of attributes included."""
        for node in self.nodes:
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield node.lineno, node.value.value

    def comments(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the text of each comment."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def modules(*folders: str) -> tuple[Module, ...]:
    """Return the modules under some folders of the project."""
    return tuple(found for folder in folders for found in _modules(folder))


@cache
def _modules(folder: str) -> tuple[Module, ...]:
    paths = sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)
    gc.disable()
    try:
        return tuple(module(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths)
    finally:
        gc.freeze()  # each collection would look at millions of nodes, which all stay
        gc.enable()


def module(path: str, text: str) -> Module:
    """Return a module, which need not be on the disk: the tests of the guards make theirs up."""
    return Module(Path(path), text, ast.parse(text))


def committed_files() -> tuple[Path, ...]:
    """Return the files that git keeps; those of the folder when it is no checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        hidden = (".venv", ".git", "build", "__pycache__")
        return tuple(
            path for path in sorted(ROOT.rglob("*")) if path.is_file() and not set(hidden) & set(path.parts)
        )
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def defined_names(tree: ast.Module) -> set[str]:
    """Return what a module defines: its names, and its classes' as `Class.name`."""
    names = set(_own_names(tree.body))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for name in _own_names(node.body)}
    return names


def _own_names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
