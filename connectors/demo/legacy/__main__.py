"""Runs the legacy systems of a JSON file until the process is stopped: `python legacy/__main__.py CONFIG`.

It is run by its path. It puts empty packages in place of the two above this folder, so that their code, the
connectors and with them the bus, is not loaded.
"""

from __future__ import annotations

import asyncio
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


if __name__ == "__main__":
    load_no_room()
    from connectors.demo.legacy.server import main

    asyncio.run(main(Path(sys.argv[1])))
