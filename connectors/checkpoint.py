"""Checkpoints in Kafka: where each source goes on after a restart, on any machine.

They are in the compacted topic `<agency>.checkpoints` under `<connector>/<partition>`, as JSON:

    {"format": 1, "position": <what the source gave>, "saved": "2026-11-23T14:50:00Z", "system": "register",
     "rows": [["tax.business-registered.v1", "2026-11-23", "published", 500], ...]}

`rows` counts what became of the rows that it covers, for `govbus reconcile`.

A checkpoint is written in the transaction of the last events that it covers, so it is never ahead of them;
where it is behind, the source reads a batch again.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from bus import RowCounts, Transaction
from connectors.errors import ConfigurationError
from connectors.source import ONLY_PARTITION, Json

_FORMAT = 1


class CheckpointTable(Protocol):
    """A compacted topic as a mapping, as `Bus.table` returns it."""

    topic: str

    async def get(self, key: str) -> bytes | None:
        """The last value under a key."""

    async def reread(self) -> None:
        """Read the topic again at the next `get`."""


def _now() -> datetime:
    return datetime.now(UTC)


class Checkpoints:
    """The checkpoints of one connector.

    Args:
        table: Where they are: those of the connector's agency, which no other can read or write.
        connector: Its name, unique within the agency.
        system: The system that it reads.
        now: The current time, aware.
    """

    def __init__(
        self, table: CheckpointTable, connector: str, system: str, now: Callable[[], datetime] = _now
    ) -> None:
        self._table = table
        self._system = system
        self._prefix = f"{connector}/"
        self._now = now

    async def load(self, partition: str = ONLY_PARTITION) -> Json | None:
        """The last checkpoint of a partition, None when there is none.

        Raises:
            ConfigurationError: It is no checkpoint, or a newer version of govbus wrote it.
        """
        written = await self._written(partition)
        return None if written is None else written["position"]

    async def has_published(self, partition: str = ONLY_PARTITION) -> bool:
        """Whether an event was published of what the checkpoints of a partition cover."""
        written = await self._written(partition) or {}
        return any(row.fate in {"published", "repeated"} for row in RowCounts.of_json(written.get("rows")))

    async def reread(self) -> None:
        """Forget what was loaded: another process may have saved since."""
        await self._table.reread()

    async def save(self, transaction: Transaction, position: Json, partition: str, rows: RowCounts) -> None:
        """Save a checkpoint in a transaction.

        Args:
            transaction: The transaction.
            position: What the source gave.
            partition: The part of the source it belongs to.
            rows: What became of the rows that it covers beyond the last one.
        """
        before = await self._written(partition) or {}
        saved = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        written = {"format": _FORMAT, "position": position, "saved": saved, "system": self._system}
        counts = RowCounts.of_json(before.get("rows")).plus(rows)
        value = orjson.dumps({**written, "rows": counts.as_json()})
        table: Any = self._table
        await transaction.put(table, self._prefix + partition, value)

    async def _written(self, partition: str) -> Mapping[str, Any] | None:
        value = await self._table.get(self._prefix + partition)
        if value is None:
            return None
        try:
            written: Mapping[str, Any] = orjson.loads(value)
            version, _ = written["format"], written["position"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise self._unusable(partition, "it is not a checkpoint") from None
        if version != _FORMAT:
            raise self._unusable(partition, f"its format is not {_FORMAT}")
        return written

    def _unusable(self, partition: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"the checkpoint `{self._prefix}{partition}` cannot be used",
            why,
            "run the version that wrote it, or rename the connector, which then reads everything again",
        )
