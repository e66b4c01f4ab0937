"""What one record leads to: an event to publish, a dead letter, or nothing. Pure.

| the record                                     | leads to                                         |
|------------------------------------------------|--------------------------------------------------|
| could not be read by its source                | dead letter, stage `read`, `malformed-record`    |
| is an event already                            | that event                                       |
| does not translate                             | dead letter, stage `translate`, `untranslatable` |
| translates to None                             | nothing                                          |
| is refused by the bus when it is submitted     | dead letter, stage `publish`, the bus' reason    |
| anything else                                  | an event                                         |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from bus import BusError, ContractViolationError, Draft, Intended, Reason, UsageError
from connectors.configuration.config import SourceConfig
from connectors.errors import ConnectorError, RecordRejectedError, TryAgainError
from connectors.identity import event_id, transaction_id
from connectors.source import EventRecord, MalformedRecord, SourceRecord
from connectors.translation.translate import Translated
from contracts import Catalog, ContractError

MAX_RAW_BYTES = 524_288
_MAX_VIOLATIONS = 5


@dataclass(frozen=True, slots=True)
class DeadLetterDraft:
    """A dead letter to write.

    Attributes:
        raw: The record's original bytes, cut to `MAX_RAW_BYTES`.
        reason: Why, of the bus' closed set.
        stage: The step that failed.
        detail: One line for a person, without values.
        where: Where the record is.
        intended: The event that it should have become.
    """

    raw: bytes
    reason: Reason
    stage: str
    detail: str
    where: Mapping[str, str]
    intended: Intended = field(default_factory=Intended)


def require_known(records: Iterable[SourceRecord | MalformedRecord], catalog: Catalog) -> None:
    """Check that a catalogue has the contracts of all events, before any event of a batch is sent.

    The process that wrote an event had its contract: a catalogue that lacks it is out of date.

    Raises:
        TryAgainError: The catalogue lacks one.
    """
    for subject, version in {
        (record.event.subject, record.event.version) for record in records if isinstance(record, EventRecord)
    }:
        major, _, minor = version.partition(".")
        try:
            catalog.contract(subject).version(int(major), int(minor))
        except ContractError as error:
            raise TryAgainError(f"{error}. Update the catalogue of this process") from None


def plan(record: SourceRecord | MalformedRecord, config: SourceConfig) -> Draft | DeadLetterDraft | None:
    """Decide what a record leads to, before anything is sent."""
    if isinstance(record, MalformedRecord):
        return dead_letter(record, Reason.MALFORMED_RECORD, "read", record.problem, config.name)
    if isinstance(record, EventRecord):
        return record.event.draft
    publish, translate = config.publish, config.translate
    if publish is None or translate is None:
        raise UsageError("Expected events from a source with `brings_events`, got a record to translate")
    try:
        translated = translate(record)
        if translated is None:
            return None
        if not isinstance(translated, Translated):
            raise RecordRejectedError(
                f"Expected `Translated` or None from `translate`, got a `{type(translated).__name__}`"
            )
        if translated.time is not None and translated.time.tzinfo is None:
            raise RecordRejectedError("Expected a time with a time zone from `translate`, got one without")
        parts = config.identity.of(record)
    except ConnectorError as error:
        return dead_letter(record, Reason.UNTRANSLATABLE, "translate", str(error), config.name)
    except Exception as error:  # noqa: BLE001 - a function of the file's own may raise anything
        detail = f"`translate` raised {type(error).__name__}"
        return dead_letter(record, Reason.UNTRANSLATABLE, "translate", detail, config.name)
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


def refused(record: SourceRecord, error: BusError | ContractError, connector: str) -> DeadLetterDraft:
    """The dead letter of a record whose event the bus refused."""
    reason = error.reason if isinstance(error, BusError) else Reason.CONTRACT_VIOLATION
    detail = type(error).__name__
    if isinstance(error, ContractViolationError):
        detail = "; ".join(violation.message for violation in error.violations[:_MAX_VIOLATIONS])
    elif isinstance(error, ContractError):
        detail = str(error)
    return dead_letter(record, reason, "publish", detail, connector)


def dead_letter(
    record: SourceRecord | MalformedRecord, reason: Reason, stage: str, detail: str, connector: str
) -> DeadLetterDraft:
    """The dead letter of a record.

    Args:
        record: The record.
        reason: Why, of the bus' closed set.
        stage: The step that failed.
        detail: One line for a person, without values.
        connector: The name of the connector that read it.
    """
    raw = record.raw
    if raw is None:
        raw = _written(record.data) if isinstance(record, SourceRecord) else b""
    where = {"connector": connector, **{name: _printable(text) for name, text in record.where.items()}}
    if len(raw) > MAX_RAW_BYTES:
        where["cut-from-bytes"] = str(len(raw))
    return DeadLetterDraft(raw[:MAX_RAW_BYTES], reason, stage, detail, where)


def _written(data: object) -> bytes:
    """The data as JSON, or as Python writes it where JSON cannot: setting aside never fails on a value."""
    try:
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        try:
            return ascii(data).encode()
        except Exception as error:  # noqa: BLE001 - a type of somebody else's, or a number of too many digits
            return f"<{type(data).__name__} that raises {type(error).__name__}>".encode()


def _printable(text: str) -> str:
    """The text in UTF-8: a file's name may hold bytes that are not."""
    return text.encode("utf-8", "backslashreplace").decode()
