"""A program that runs a node and ends it with its owner, however the owner ends.

It stands between the owner and Java: the owner holds the other end of its standard input, so that the pipe
closes even when the owner is killed; then Java is ended and a temporary folder removed. It runs in a session
of its own, out of reach of the terminal's Ctrl-C, so that the owner can finish its work before its broker
goes. It imports nothing of this project: it starts in milliseconds under `python -I -S`.
"""

import contextlib
import ctypes
import enum
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 0.25
PR_SET_PDEATHSIG = 1


class OwnerState(enum.Enum):
    """The owner's wish, or that it has died."""

    GO_ON = enum.auto()
    STOP = enum.auto()
    """It asked to stop, and removes the folder itself."""
    ABANDONED = enum.auto()
    """It died."""


def _end_with_me() -> Callable[[], None] | None:
    """Linux ends Java with this program too; elsewhere only a kill of this program leaves Java behind."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _owner_state(owner: int) -> OwnerState:
    readable, _, _ = select.select([0], [], [], LOOK_SECONDS)
    if readable:
        return OwnerState.STOP if os.read(0, 64) else OwnerState.ABANDONED
    # A fork of the owner may hold the pipe open after the owner's death, hence the look at the parent too.
    return OwnerState.GO_ON if os.getppid() == owner else OwnerState.ABANDONED


def _end(java: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    if grace_seconds and java.poll() is None:
        java.terminate()
        java.send_signal(signal.SIGCONT)  # one that was paused hears nothing before
        with contextlib.suppress(subprocess.TimeoutExpired):
            java.wait(grace_seconds)
    java.kill()
    java.wait()


def main(order: str) -> int:
    """Run one node until its owner stops it or ends.

    Args:
        order: JSON with `command`, `log`, `folder`, `owner` (a process id), `grace_seconds` and `remove`, the
            temporary folder or null.
    """
    wish = json.loads(order)
    for unheard in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler that does nothing, not SIG_IGN: that one Java would inherit, and be deaf to our SIGTERM.
        signal.signal(unheard, lambda _number, _frame: None)
    with Path(wish["log"]).open("ab") as log:
        java = subprocess.Popen(  # noqa: S603 - the command comes from the owner
            wish["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=wish["folder"],
            preexec_fn=_end_with_me(),  # noqa: PLW1509 - this program has one thread
        )
    sys.stdout.write(f"{java.pid}\n")
    sys.stdout.flush()
    wanted = OwnerState.GO_ON
    while java.poll() is None and wanted is OwnerState.GO_ON:
        wanted = _owner_state(wish["owner"])
    _end(java, wish["grace_seconds"])
    # By the end of this pipe the owner sees that Java is gone; the folder is still in our care.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    while wanted is OwnerState.GO_ON:
        wanted = _owner_state(wish["owner"])
    if wish["remove"] and wanted is OwnerState.ABANDONED:
        shutil.rmtree(wish["remove"], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
