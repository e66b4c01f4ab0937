"""Checkpoints in Kafka: where each source goes on after a restart, on any machine.

They are in the compacted topic `<agency>.checkpoints` under `<connector>/<partition>`, as JSON:

    {"format": 1, "position": <what the source gave>, "saved": "2026-11-23T14:50:00Z"}

A checkpoint is written only after Kafka has acknowledged every event it covers, so it is never ahead of
them; where it is behind, the source reads a batch again.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import orjson

from connectors.errors import ConfigurationError
from connectors.source import ONLY_PARTITION, Json

_FORMAT = 1


class CheckpointTable(Protocol):
    """A compacted topic as a mapping."""

    async def get(self, key: str) -> bytes | None:
        """The last value under a key."""

    async def put(self, key: str, value: bytes | None) -> None:
        """Set the value under a key, or remove it with None; returns once Kafka has it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Checkpoints:
    """The checkpoints of one connector.

    Args:
        table: Where they are: those of the connector's agency, which no other can read or write.
        connector: Its name, unique within the agency.
        now: The current time, aware.
    """

    def __init__(self, table: CheckpointTable, connector: str, now: Callable[[], datetime] = _now) -> None:
        self._table = table
        self._prefix = f"{connector}/"
        self._now = now

    async def load(self, partition: str = ONLY_PARTITION) -> Json | None:
        """The last checkpoint of a partition, None when there is none.

        Raises:
            ConfigurationError: It is no checkpoint, or a newer version of govbus wrote it.
        """
        value = await self._table.get(self._prefix + partition)
        if value is None:
            return None
        try:
            written = orjson.loads(value)
            version, position = written["format"], written["position"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise self._unusable(partition, "it is not a checkpoint") from None
        if version != _FORMAT:
            raise self._unusable(partition, f"its format is not {_FORMAT}")
        return position

    async def save(self, position: Json, partition: str = ONLY_PARTITION) -> None:
        """Save a checkpoint; returns once Kafka has it."""
        saved = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        value = orjson.dumps({"format": _FORMAT, "position": position, "saved": saved})
        await self._table.put(self._prefix + partition, value)

    def _unusable(self, partition: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"the checkpoint `{self._prefix}{partition}` cannot be used",
            why,
            "run the version that wrote it, or rename the connector, which then reads everything again",
        )
