"""Asks each connector whether it can reach its system, changing nothing there."""

import asyncio
from collections.abc import Sequence

from connectors.config import ConnectorConfig, SourceConfig
from connectors.errors import ConfigurationError, ConnectorError
from connectors.finding import NOT_USABLE, Finding
from connectors.worker import Worker

REACH_SECONDS = 30.0


async def check_reach(configs: Sequence[ConnectorConfig]) -> list[Finding]:
    """What every connector says that cannot reach its system, or finds it unfit."""
    found = await asyncio.gather(*(_check(config) for config in configs))
    return [finding for finding in found if finding is not None]


async def _check(config: ConnectorConfig) -> Finding | None:
    worker = Worker(config.name)
    connector = config.make()
    section = "source" if isinstance(config, SourceConfig) else "sink"
    try:
        async with asyncio.timeout(REACH_SECONDS):
            await worker.call(connector.check)
    except ConfigurationError as error:
        return config.document.finding((section,), NOT_USABLE, error.what, error.why, error.how)
    except ConnectorError as error:
        what, how = f"`{config.name}` is not ready", "see that it runs and can be reached from here"
        return config.document.finding((section,), NOT_USABLE, what, str(error), how)
    except Exception as error:  # noqa: BLE001 - a finding about one connector must not hide the others
        what, how = f"`{config.name}` could not be checked", "see its own documentation"
        return config.document.finding((section,), NOT_USABLE, what, f"raised {type(error).__name__}", how)
    finally:
        await worker.call(connector.close)
        worker.close()
    return None
