"""The agency's own program as the kit drives it: its bus with its subscriptions, by the name `MODULE:BUS`.

`python -m bus.crash.app MODULE:BUS` is the process that is killed.
"""

import asyncio
import sys
from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType

from bus.bus import Bus
from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.replay.cli import load_bus
from bus.settings import Settings
from contracts import Catalog


def subscriptions_of(bus: Bus) -> list[Subscription]:
    """Return what a bus subscribes to.

    Raises:
        UsageError: nothing.
    """
    found = list(bus._subscriptions.values())  # noqa: SLF001 - the room's own, not offered to others
    if not found:
        raise UsageError("Expected a bus with subscriptions, got one with none - at `--app`")
    return found


def part_of(catalog: Catalog, agency: str, topics: Collection[str]) -> Catalog:
    """Return what of a catalogue a run needs: the topics read, and the agency's own."""
    read = {topic.rpartition(".v")[0] for topic in topics}
    contracts = {
        subject: contract
        for subject, contract in catalog.contracts.items()
        if subject in read or contract.agency == agency
    }
    owners = {agency, *(contract.agency for contract in contracts.values())}
    agencies = {name: found for name, found in catalog.agencies.items() if name in owners}
    return replace(catalog, agencies=MappingProxyType(agencies), contracts=MappingProxyType(contracts))


async def main(app: str) -> None:
    """Run the bus until it is killed.

    Raises:
        UsageError: it would not go to the cluster that the environment names.
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
