"""The process of an agency's program in a crash run: `python -m bus.crash.program MODULE:BUS`."""

import asyncio
import sys

from bus.errors import UsageError
from bus.run.programs import load_bus
from bus.settings import Settings


async def main(app: str) -> None:
    """Run the bus until this process is killed.

    Raises:
        UsageError: the bus does not connect to the cluster that the environment names.
    """
    bus = load_bus(app)
    if bus.settings.bootstrap_servers != Settings().bootstrap_servers:
        raise UsageError(
            f"Expected a bus that finds its cluster by GOVBUS_BOOTSTRAP_SERVERS, got `{app}` with servers of "
            "its own. Leave them out of its `settings`: a crash run must not reach the real cluster"
        )
    await bus.run()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1]))
    except UsageError as error:
        sys.exit(str(error))
