"""From a source's record to the parts of an event, and from an event to a sink's body. Pure.

This is the translation that a configuration file describes; a file may name a function instead.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, TypeAlias

from bus import Event
from connectors.errors import RecordRejectedError
from connectors.source import Json, SourceRecord
from connectors.translation.mapping import Expression, value_of
from contracts import ConversionOptions, DataPath, ValueConversionError, read_time

EVENT_FIELDS = ("data", "id", "key", "service", "source", "time", "transaction", "type", "version")
"""What a mapping of events may name."""


@dataclass(frozen=True, slots=True)
class Translated:
    """The parts of an event that a record gives.

    Attributes:
        data: The event's data.
        time: When the fact occurred, aware; the time of publishing when absent.
        transaction: The transaction it continues; a new one, if the file names a service, when absent.
        key: The partition key; made by the contract when absent.
    """

    data: Json
    time: datetime | None = None
    transaction: str | None = None
    key: str | None = None


TranslateRecord: TypeAlias = Callable[[SourceRecord], Translated | None]
"""The mapping of a file, or the function that it names; None where the record is no event by design."""


TranslateEvent: TypeAlias = Callable[[Event[Any]], Json]
"""The mapping of a file, or the function that it names, from the event to the sink's body."""


@dataclass(frozen=True, slots=True)
class RecordMapping:
    """The `publish:` section of a file, compiled.

    Attributes:
        data: Gives the event's data.
        time: Gives when the fact occurred.
        zone: The time zone of a time without an offset.
        transaction: Gives the transaction to continue.
        key: Gives the partition key.
    """

    data: Expression
    time: Expression | None = None
    zone: tzinfo | None = None
    transaction: Expression | None = None
    key: Expression | None = None

    def __call__(self, record: SourceRecord) -> Translated:
        """Translate a record.

        Raises:
            RecordRejectedError: It lacks something, or something does not convert.
        """
        return Translated(
            self.data.evaluate(record.data),
            self._time(record.data),
            self.transaction_of(record.data),
            _text(self.key, record.data, "key"),
        )

    def transaction_of(self, data: Mapping[str, Json]) -> str | None:
        """The transaction that a record continues, None where the file maps none.

        Raises:
            RecordRejectedError: The record lacks it.
        """
        return _text(self.transaction, data, "transaction")

    def paths(self) -> Iterator[DataPath]:
        """Every path into the record."""
        for expression in (self.data, self.time, self.transaction, self.key):
            if expression is not None:
                yield from (path for path, _ in expression.paths())

    def _time(self, root: Mapping[str, Json]) -> datetime | None:
        written = value_of(self.time, root)
        if written is None:
            return None
        try:
            return read_time(written, ConversionOptions(zone=self.zone))
        except ValueConversionError as error:
            raise RecordRejectedError(f"{error} for `publish.time`") from None


def _text(expression: Expression | None, root: Mapping[str, Json], name: str) -> str | None:
    value = value_of(expression, root)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not (isinstance(value, str) and value):
        raise RecordRejectedError(f"Expected text for `publish.{name}`, got none")
    return value


@dataclass(frozen=True, slots=True)
class EventMapping:
    """The `write:` section of a file, compiled.

    Attributes:
        body: Gives the sink's body.
    """

    body: Expression

    def __call__(self, event: Event[Any]) -> Json:
        """Translate an event.

        Raises:
            RecordRejectedError: It lacks something, or something does not convert.
        """
        fields = {name: getattr(event, name) for name in EVENT_FIELDS}
        if event.time is not None:
            fields["time"] = event.time.isoformat().replace("+00:00", "Z")
        return self.body.evaluate(fields)
