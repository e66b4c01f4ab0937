"""What the project is made of: its files, modules and names, as the guards see them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("bus", "connectors", "contracts", "observability")


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file of the project.

    Attributes:
        path: Where it is, from the root of the project.
        lines: How long it is.
        tree: What it says.
    """

    path: Path
    lines: int
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first folder of its path."""
        return self.path.parts[0]

    def imports(self) -> Iterator[tuple[int, str, str | None]]:
        """Yield the line, the module and, for `from`, the name of each import, wherever it stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, name.name, None) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from ((node.lineno, node.module, name.name) for name in node.names)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return the modules under some folders of the project."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(_module(path) for path in paths if "__pycache__" not in path.parts)


def _module(path: Path) -> Module:
    text = path.read_text("utf-8")
    return Module(path.relative_to(ROOT), len(text.splitlines()), ast.parse(text))


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
