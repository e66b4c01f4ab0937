"""Runs commands in forks of one process that has loaded them all, each with its own limits.

Reads jobs from stdin, one JSON list of arguments a line; writes one JSON object a line: what the command
gave back and wrote. `python -m tests.unit.contracts.hostile_commands`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
from importlib import import_module
from typing import Any

from bus.cli import run
from contracts.cli import COMMANDS

MEMORY = 2 * 1024**3
SECONDS = 10


def answer(arguments: list[str], writer: int) -> None:
    """Run one command under limits and write what it gave."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(SECONDS)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments if arguments[0] == "new" else ["contracts", *arguments])
    told = {"code": code, "out": out.getvalue(), "err": err.getvalue()}
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(told))


def forked(arguments: list[str]) -> dict[str, Any]:
    """What a command gave back in a process of its own; the signal that ended it, if one did."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            answer(arguments, writer)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if not text:
        return {"code": -os.WTERMSIG(status), "out": "", "err": "ended by a signal or without an answer"}
    told: dict[str, Any] = json.loads(text)
    return told


def main() -> None:
    """Answer each job in turn."""
    for module in {target.partition(":")[0] for target, _ in COMMANDS.values()}:
        import_module(f"contracts.commands.{module}")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(forked(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
