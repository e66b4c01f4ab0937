"""The command `govbus`: it tells where a folder hides one of the four packages, and else starts `bus.cli`.

An installation has this file as the module `govbus`, beside the packages, since `bus` itself may be hidden.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def main() -> None:
    """Run the command line of this process and exit; with 1 where a package of that name is another's."""
    # An editable installation copies this file alone. What hides a package comes before it in the path.
    folders = [Path(__file__).parent, *map(Path, reversed(sys.path))]
    file = next((file for folder in folders if (file := folder / "bus" / "rooms.py").is_file()), None)
    if file is None:
        sys.exit(
            "error: the folder that govbus was installed from is not there any more - install govbus again"
        )
    # By its file: `bus` itself may be another's.
    spec = spec_from_file_location("govbus_rooms", file)
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101 - it is a file of Python
    rooms = module_from_spec(spec)
    spec.loader.exec_module(rooms)
    if fault := rooms.stranger(rooms.room_files()):
        sys.exit(f"error: {fault}")
    from bus.cli import main as run  # noqa: PLC0415 - only now is it sure to be ours

    run()


if __name__ == "__main__":
    main()
