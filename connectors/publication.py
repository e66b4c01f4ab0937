"""What becomes of one record: an event to publish, a dead letter, or nothing by design. Pure.

| the record                                     | becomes                                        |
|------------------------------------------------|------------------------------------------------|
| was found malformed by its source              | dead letter, stage `read`, `malformed-record`  |
| is an event already                            | that event                                     |
| does not translate                             | dead letter, stage `translate`, `untranslatable` |
| translates to None                             | nothing                                        |
| breaks its contract when it is submitted       | dead letter, stage `publish`, the bus' reason  |
| all else                                       | an event                                       |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from bus import BusError, ContractViolationError, Draft, Reason, UsageError
from connectors.config import SourceConfig
from connectors.errors import ConnectorError, RecordRejectedError, TryAgainError
from connectors.identity import event_id, transaction_id
from connectors.source import EventRecord, MalformedRecord, SourceRecord
from contracts import Catalog, ContractError

MOST_RAW_BYTES = 524_288
_MOST_VIOLATIONS = 5


@dataclass(frozen=True, slots=True)
class SetAside:
    """A dead letter to write.

    Attributes:
        raw: The record's original bytes, cut to `MOST_RAW_BYTES`.
        reason: Why, of the bus' closed set.
        stage: The step that could not go on.
        detail: One line for a person, without values.
        where: Where the record stands.
    """

    raw: bytes
    reason: Reason
    stage: str
    detail: str
    where: Mapping[str, str]


def require_known(records: Iterable[SourceRecord | MalformedRecord], catalog: Catalog) -> None:
    """Hold events of contracts that a catalogue lacks, before any of a batch is sent.

    Whoever wrote them had the contract: this catalogue is behind, and may be brought up to date.

    Raises:
        TryAgainError: The catalogue lacks one.
    """
    for subject, version in {
        (record.event.subject, record.event.version) for record in records if isinstance(record, EventRecord)
    }:
        major, _, minor = version.partition(".")
        try:
            catalog.contract(subject).version(int(major), int(minor) if minor else None)
        except ContractError as error:
            raise TryAgainError(f"{error}. Bring the catalogue of this process up to date") from None


def plan(record: SourceRecord | MalformedRecord, config: SourceConfig) -> Draft | SetAside | None:
    """Decide what becomes of a record before anything is sent."""
    if isinstance(record, MalformedRecord):
        return set_aside(record, Reason.MALFORMED_RECORD, "read", record.problem, config.name)
    if isinstance(record, EventRecord):
        return record.event.draft
    publish, translate = config.publish, config.translate
    if publish is None or translate is None:
        raise UsageError("Expected events from a source with `brings_events`, got a record to translate")
    try:
        translated = translate(record)
        if translated is not None and translated.time is not None and translated.time.tzinfo is None:
            raise RecordRejectedError("Expected a time with a time zone from `translate`, got one without")
        parts = config.identity.of(record) if translated is not None else ()
    except ConnectorError as error:
        return set_aside(record, Reason.UNTRANSLATABLE, "translate", str(error), config.name)
    except Exception as error:  # noqa: BLE001 - whatever a file's own function raises, the rest goes on
        detail = f"`translate` raised {type(error).__name__}"
        return set_aside(record, Reason.UNTRANSLATABLE, "translate", detail, config.name)
    if translated is None:
        return None
    identity = event_id(config.agency, config.system, publish.event, *parts)
    transaction = translated.transaction
    if transaction is None and publish.service is not None:
        transaction = transaction_id(identity)
    return Draft(
        data=translated.data,
        key=translated.key,
        id=identity,
        time=translated.time,
        service=publish.service,
        transaction=transaction,
    )


def refused(record: SourceRecord, error: BusError | ContractError, connector: str) -> SetAside:
    """The dead letter of a record whose event the bus refused."""
    reason = error.reason if isinstance(error, BusError) else Reason.CONTRACT_VIOLATION
    detail = f"{type(error).__name__}"
    if isinstance(error, ContractViolationError):
        detail = "; ".join(violation.message for violation in error.violations[:_MOST_VIOLATIONS])
    elif isinstance(error, ContractError):
        detail = str(error)
    return set_aside(record, reason, "publish", detail, connector)


def set_aside(
    record: SourceRecord | MalformedRecord, reason: Reason, stage: str, detail: str, connector: str
) -> SetAside:
    """A dead letter for a record.

    Args:
        record: The record.
        reason: Why, of the bus' closed set.
        stage: The step that could not go on.
        detail: One line for a person, without values.
        connector: The name of the connector that read it.
    """
    raw = record.raw
    if raw is None:
        raw = orjson.dumps(record.data, default=str) if isinstance(record, SourceRecord) else b""
    where = {"connector": connector, **{name: _printable(text) for name, text in record.where.items()}}
    if len(raw) > MOST_RAW_BYTES:
        where["cut-from-bytes"] = str(len(raw))
    return SetAside(raw[:MOST_RAW_BYTES], reason, stage, detail, where)


def _printable(text: str) -> str:
    """A file's name may hold bytes that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()
