"""Who brings and takes: sources and sinks between legacy systems and the bus."""

from connectors.configuration.config import ConnectorConfig, SinkConfig, SourceConfig
from connectors.configuration.config_reader import load
from connectors.errors import (
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

__all__ = [
    "Applied",
    "Batch",
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
