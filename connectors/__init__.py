"""Who brings and takes: sources and sinks between legacy systems and the bus."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.configuration.config import ConnectorConfig, SinkConfig, SourceConfig
    from connectors.configuration.config_reader import load
    from connectors.errors import (
        BlockedError,
        ConfigurationError,
        ConnectorError,
        EndOfSourceError,
        NotConnectedError,
        RecordRejectedError,
        TryAgainError,
    )
    from connectors.health import Health
    from connectors.runner import Runner
    from connectors.sink import Applied, Sink, SinkRecord
    from connectors.source import Batch, CheckpointReader, EventRecord, MalformedRecord, Source, SourceRecord
    from connectors.translation.translate import Translated

# Each loads when it is used: a program, or a command, loads what it needs and not the room.
_HOMES = {
    "Applied": "connectors.sink",
    "Batch": "connectors.source",
    "BlockedError": "connectors.errors",
    "CheckpointReader": "connectors.source",
    "ConfigurationError": "connectors.errors",
    "ConnectorConfig": "connectors.configuration.config",
    "ConnectorError": "connectors.errors",
    "EndOfSourceError": "connectors.errors",
    "EventRecord": "connectors.source",
    "Health": "connectors.health",
    "MalformedRecord": "connectors.source",
    "NotConnectedError": "connectors.errors",
    "RecordRejectedError": "connectors.errors",
    "Runner": "connectors.runner",
    "Sink": "connectors.sink",
    "SinkConfig": "connectors.configuration.config",
    "SinkRecord": "connectors.sink",
    "Source": "connectors.source",
    "SourceConfig": "connectors.configuration.config",
    "SourceRecord": "connectors.source",
    "Translated": "connectors.translation.translate",
    "TryAgainError": "connectors.errors",
    "load": "connectors.configuration.config_reader",
}

__all__ = [
    "Applied",
    "Batch",
    "BlockedError",
    "CheckpointReader",
    "ConfigurationError",
    "ConnectorConfig",
    "ConnectorError",
    "EndOfSourceError",
    "EventRecord",
    "Health",
    "MalformedRecord",
    "NotConnectedError",
    "RecordRejectedError",
    "Runner",
    "Sink",
    "SinkConfig",
    "SinkRecord",
    "Source",
    "SourceConfig",
    "SourceRecord",
    "Translated",
    "TryAgainError",
    "load",
]


if not TYPE_CHECKING:  # a type checker knows the names by their imports, and reports others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_HOMES[name]), name)
        return found


def __dir__() -> list[str]:
    return __all__
