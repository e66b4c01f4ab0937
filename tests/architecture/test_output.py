"""One module writes to the terminal, and one makes loggers: every list and log escapes what others say."""

import ast
from collections.abc import Iterable, Iterator

from tests.architecture.project import ROOMS, Module, module, modules

WRITERS = ("contracts/terminal.py", "contracts/logs.py")
NAMES = frozenset({"print", "click.echo", "click.secho", "echo", "secho", "Console", "rich.print"})
ALLOWED = ("bus/embedded/watcher.py", "sys.stdout.write")
"""It tells a program the number of a process; no person reads it."""


def test_only_one_module_writes_and_one_makes_loggers() -> None:
    """No other calls `print` or `click.echo`, makes a console of rich, or keeps a logger of `logging`."""
    assert list(writers(modules(*ROOMS))) == []


def test_the_guard_finds_every_way_to_write() -> None:
    """But not the level of another library's logger, nor a console that is not rich's."""
    tree = [
        module("bus/a.py", 'import click\nclick.echo("x")\nprint("y")'),
        module("bus/b.py", "from rich.console import Console\nConsole().print()"),
        module("bus/c.py", 'import logging\nlogger = logging.getLogger("govbus.c")'),
        module("bus/d.py", "import sys\nsys.stderr.write('x')"),
        module("bus/e.py", 'import logging\nlogging.getLogger("aiokafka").setLevel(50)'),
        module("bus/f.py", "class Console: ...\nmade = Console()"),
        module("contracts/terminal.py", "import click\nclick.echo('x')"),
    ]
    assert list(writers(tree)) == [
        "bus/a.py:2 click.echo", "bus/a.py:3 print", "bus/b.py:2 Console", "bus/c.py:2 logging.getLogger",
        "bus/d.py:2 sys.stderr.write",
    ]  # fmt: skip


def writers(house: Iterable[Module]) -> Iterator[str]:
    """Yield each use of what writes by itself, with its place."""
    for each in house:
        path = each.path.as_posix()
        uses_rich = any(source == "rich.console" for _, source, _ in each.imports)
        kept = {node.value for node in each.nodes if isinstance(node, ast.Assign)}
        calls = [node for node in each.nodes if isinstance(node, ast.Call)]
        for call in calls if path not in WRITERS else ():
            called = ast.unparse(call.func)
            writes = called in NAMES and (called != "Console" or uses_rich)
            writes |= called in ("sys.stdout.write", "sys.stderr.write")
            writes |= called.endswith("getLogger") and call in kept
            if writes and (path, called) != ALLOWED:
                yield f"{path}:{call.lineno} {called}"
