"""Runs the legacy systems of a JSON file until the process is stopped: `python legacy/__main__.py CONFIG`.

It is run by its path. It puts empty packages in place of the two above this folder, so that their code, the
connectors and with them the bus, is not loaded. Its log has the form of the others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
from pathlib import Path
from types import ModuleType


def load_no_room() -> None:
    """Make this folder importable without the packages above it."""
    demo = Path(__file__).parent.parent
    for package, folder in (("connectors", demo.parent), ("connectors.demo", demo)):
        empty = ModuleType(package)
        empty.__path__ = [str(folder)]
        sys.modules[package] = empty


def set_up_logs() -> None:
    """Log to stderr, in the form and under the name that the environment says."""
    lines = runpy.run_path(str(Path(__file__).parents[3] / "bus" / "process" / "log_lines.py"))
    form = os.environ.get("GOVBUS_LOG_FORMAT", "").lower()
    handler = logging.StreamHandler()
    handler.setFormatter(lines["formatter_of"](form, os.environ.get("OTEL_SERVICE_NAME", "legacy-systems")))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    set_up_logs()
    load_no_room()
    from connectors.demo.legacy.server import main

    asyncio.run(main(Path(sys.argv[1])))
