"""Whether each connector can reach its system; checking changes nothing there."""

import asyncio
from collections.abc import Sequence

from connectors.configuration.config import ConnectorConfig, SourceConfig
from connectors.errors import ConfigurationError, ConnectorError
from connectors.translation.codes import NOT_USABLE
from connectors.worker import Worker
from contracts import Finding

MAX_CHECK_SECONDS = 30.0


async def check_reachability(configs: Sequence[ConnectorConfig]) -> list[Finding]:
    """A finding for every connector that cannot reach its system, or does not fit what it finds there."""
    found = await asyncio.gather(*(_check(config) for config in configs))
    return [finding for finding in found if finding is not None]


async def _check(config: ConnectorConfig) -> Finding | None:
    worker = Worker(config.name)
    connector = config.make()
    try:
        async with asyncio.timeout(MAX_CHECK_SECONDS):
            await worker.call(connector.check)
    except ConfigurationError as error:
        what, why, how = error.what, error.why, error.how
    except ConnectorError as error:
        what, why = f"`{config.name}` is not ready", str(error)
        how = "check that its system runs and can be reached from here"
    except Exception as error:  # noqa: BLE001 - a finding about one connector must not hide the others
        what, why = f"`{config.name}` could not be checked", f"it raised {type(error).__name__}"
        how = "see its own documentation"
    else:
        return None
    finally:
        await worker.call(connector.close)
        worker.close()
    place = config.document.place("source" if isinstance(config, SourceConfig) else "sink")
    return Finding(place, NOT_USABLE, what, why, how)
