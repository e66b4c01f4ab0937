"""An agency's program, by the name of its bus: `MODULE:BUS`."""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bus.errors import UsageError
from bus.rooms import hidden_in
from contracts import say, shown_folder

if TYPE_CHECKING:
    from bus.bus import Bus


def load_bus(app: str) -> "Bus":
    """Return the bus that `MODULE:BUS` names; it is not started.

    Args:
        app: the module, found from the working directory, and the name of the bus in it; `bus` if absent.

    Raises:
        UsageError: there is none. What the module itself raises is passed on.
    """
    from bus.bus import Bus  # noqa: PLC0415 - keeps `govbus --help` quick

    module, _, name = app.partition(":")
    if fault := hidden_in(Path.cwd()):
        raise UsageError(fault)
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), name or "bus", None)
    except ImportError as error:
        raise UsageError(
            f"Expected a module that can be imported, got `{app}` ({error}) - at `MODULE:BUS`"
        ) from error
    if not isinstance(found, Bus):
        raise UsageError(f"Expected `MODULE:BUS` that names a bus, got `{app}` - at `MODULE:BUS`")
    return found


def load_named_bus(app: str) -> "Bus":
    """Return the bus as `load_bus` does, and name its catalogue on stderr."""
    bus = load_bus(app)
    if bus.catalog_folder is not None:
        say(f"catalogue: {shown_folder(bus.catalog_folder)}", err=True)
    return bus
