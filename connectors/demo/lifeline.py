"""A child of the demo lives no longer than its parent.

The parent holds the writing end of a pipe and the child the reading end. When the parent goes, for whatever
reason and without a word, the pipe ends; the child then has a moment to stop by itself. The program is run by
its path: it loads no room by itself, since the legacy systems know of none.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

__all__ = ["GRACE_SECONDS", "VARIABLE", "main", "watch"]

VARIABLE = "GOVBUS_DEMO_LIFELINE"
GRACE_SECONDS = 3.0


def watch(descriptor: int) -> None:
    """Stop this process when the pipe behind a file descriptor ends."""
    threading.Thread(target=_wait, args=(descriptor,), name="lifeline", daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Be the nursery, or the legacy systems, and watch the lifeline."""
    descriptor = int(os.environ.pop(VARIABLE))
    name, arguments = sys.argv[1], sys.argv[2:]
    if name == "nursery":
        from connectors.demo import nursery  # noqa: PLC0415 - the legacy systems load no room

        sys.exit(nursery.main(Path(arguments[0]), lambda: watch(descriptor)))
    watch(descriptor)
    _load_no_room()
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _load_no_room() -> None:
    """Let the legacy systems be found without running what stands above them."""
    here = Path(__file__).parent
    for package, folder in (("connectors", here.parent), ("connectors.demo", here)):
        bare = ModuleType(package)
        bare.__path__ = [str(folder)]
        sys.modules[package] = bare


if __name__ == "__main__":
    main()
