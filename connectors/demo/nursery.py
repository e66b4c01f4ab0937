"""One process that loads the rooms once and then becomes many: each job is a fork of it that runs `govbus`.

Loading the rooms takes a second of processor time; seven processes that each do it make a small machine wait.
Nothing here starts a thread before the last fork.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

__all__ = ["Job", "govbus", "main", "order"]

COMMANDS = ("connect", "console", "monitor")
LOOK_SECONDS = 0.02
FAILED = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One process to be.

    Attributes:
        name: What messages and its log are called.
        arguments: What follows `govbus`.
    """

    name: str
    arguments: Sequence[str]


def order(file: Path, jobs: Sequence[Job], environment: Mapping[str, str]) -> None:
    """Tell a nursery that waits for a file what to do.

    Args:
        file: The file it waits for.
        jobs: The processes to be.
        environment: Variables added to its own.
    """
    part = file.with_suffix(".part")
    part.write_text(json.dumps({"jobs": [asdict(job) for job in jobs], "environment": dict(environment)}))
    part.replace(file)


def main(file: Path, watch: Callable[[], None]) -> int:
    """Load the rooms, wait for the order, and run its jobs until one of them ends or SIGTERM comes.

    Args:
        file: Where the order will be.
        watch: Called in each process once it forks no more.

    Returns:
        0 when told to stop, 1 when a job ended by itself.
    """
    for command in COMMANDS:
        for point in entry_points(group="govbus.commands", name=command):
            point.load()
    parent = os.getppid()
    while not file.exists():
        if os.getppid() != parent:
            return FAILED
        time.sleep(LOOK_SECONDS)
    ordered = json.loads(file.read_text())
    os.environ.update(ordered["environment"])
    jobs = [Job(**job) for job in ordered["jobs"]]
    running = {_fork(job, file.parent / "logs", watch): job for job in jobs}
    watch()
    code = _await(running)
    if os.getppid() != parent:
        shutil.rmtree(file.parent, ignore_errors=True)  # the parent was killed before it could
    return code


def govbus(arguments: Sequence[str]) -> int:
    """Run the command `govbus` in this process, by the entry point it was installed under.

    Args:
        arguments: What follows `govbus` on the line.

    Returns:
        Its exit code.
    """
    point = next(iter(entry_points(group="console_scripts", name="govbus")))
    sys.argv = ["govbus", *arguments]
    try:
        point.load()()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED if end.code else 0
    return 0


def _fork(job: Job, logs: Path, watch: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = FAILED
    try:
        with (logs / f"{job.name}.log").open("ab") as log:
            os.dup2(log.fileno(), sys.stdout.fileno())
            os.dup2(log.fileno(), sys.stderr.fileno())
        # Each is a service of its own to whoever watches the country.
        os.environ.setdefault("OTEL_SERVICE_NAME", f"govbus-{job.name}")
        watch()
        code = govbus(job.arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _await(running: dict[int, Job]) -> int:
    told = False

    def tell(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        for pid in running:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, tell)
    while running:
        pid, status = os.wait()
        job = running.pop(pid)
        if not told:
            print(f"{job.name} ended with {os.waitstatus_to_exitcode(status)}", file=sys.stderr, flush=True)  # noqa: T201
            tell(signal.SIGTERM, None)
            told = False
            while running:
                running.pop(os.wait()[0])
            return FAILED
    return 0
