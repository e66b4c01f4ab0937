"""The command `govbus`, under a name of its own: it tells where a folder hides one of its packages."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def main() -> None:
    """Run the command line of this process and exit; with 1 where a package of that name is another's."""
    home = Path(__file__).resolve().parent
    # By its file: `bus` itself may be another's.
    spec = spec_from_file_location("govbus_rooms", home / "bus" / "rooms.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101 - the file ships with this one
    rooms = module_from_spec(spec)
    spec.loader.exec_module(rooms)
    if fault := rooms.stranger(rooms.room_files()):
        sys.exit(f"error: {fault}")
    from bus.cli import main as run  # noqa: PLC0415 - only now is it sure to be ours

    run()


if __name__ == "__main__":
    main()
