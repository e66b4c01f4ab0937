"""Ends the demo's processes after the demo: `python -I -S guard.py FOLDER SECONDS`.

It is the first of their process group, and reads a pipe that only the demo holds open. The pipe closes when
the demo ends, also when it is killed; then the guard ends the group and removes the demo's folder.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

KEPT = "kept"
"""A file of this name keeps the folder."""


def main(folder: Path, stop_seconds: float) -> None:
    """Wait for the end of the pipe, then end the group."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)
    time.sleep(stop_seconds)
    if not (folder / KEPT).exists():
        shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
