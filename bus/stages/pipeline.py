"""The order of the stages that an event passes. Pure.

Out: encode > validate > stamp, then the topic.
In: decode > deduplicate > validate > convert, then the handler, which sees the fields of its grant.

A stage's file, span, metric attribute and dead-letter header have the same name.
"""

from typing import Any, NamedTuple

import orjson

from bus.errors import OlderVersionError, VersionRetiredError
from bus.event import Event
from bus.outcome import Ack, Outcome, Reason
from bus.record import Record
from bus.stages import convert, decode, deduplicate, encode, stamp, validate
from contracts import ContractVersion, ConversionError

HANDLE = "handle"
"""The stage that is the subscriber's own code."""

OUT = (encode.NAME, validate.NAME, stamp.NAME)
IN = (decode.NAME, deduplicate.NAME, validate.NAME, convert.NAME, HANDLE)


class RejectedRecord(NamedTuple):
    """A record that a stage takes from the handler: the outcome, and the stage that decided it."""

    outcome: Outcome
    stage: str
    event: Event[Any] | None


Content = tuple[bytes, bytes]
"""Key and data of an event that keeps its contract, as they travel."""


def require_in_force(stamper: stamp.Stamper, now_us: int) -> None:
    """Refuse events of a version that is retired.

    Args:
        stamper: stamps the events of the version.
        now_us: the time on the broker's clock.

    Raises:
        VersionRetiredError: it is; nothing was sent.
    """
    if stamper.ends_us is not None and now_us >= stamper.ends_us:
        version = stamper.contract
        name = f"{version.contract.subject} {version.number}"
        raise VersionRetiredError(name, str(version.sunset), version.contract.version().number)


def check(contract: ContractVersion, data: Any, key: str | None, value: bytes | None = None) -> Content:
    """Return key and data of an event that keeps its contract.

    Args:
        contract: the version.
        data: what happened.
        key: its partition key; made by the contract's key rule if absent.
        value: the data as `encode` gave it, if it did.

    Raises:
        RefusedError: it breaks its contract; nothing was sent.
        ContractError: the data holds no partition key.
    """
    if value is None:
        value = encode.encode(contract, data)
    seen = validate.require_valid(contract, data, value)
    return stamp.key_bytes(contract.contract.key_of(seen) if key is None else key), value


def companions(
    stamper: stamp.Stamper, stamped: stamp.Stamp, content: Content, skew_us: int = 0
) -> list[tuple[stamp.Stamper, stamp.Stamp, Content]]:
    """Return what is published with an event: the same event in each older version that is not retired.

    Args:
        stamper: stamps the events of its contract version.
        stamped: the stamp of this one.
        content: its key and data.
        skew_us: the broker's clock, on which a version retires, minus that of the stamp.

    Raises:
        RefusedError: an older version cannot express it; nothing was sent.
    """
    key, value = content
    found = []
    for older, route in stamper.companions:
        if older.ends_us is not None and stamped.recorded_us + skew_us >= older.ends_us:
            continue
        try:
            data = route.write(orjson.loads(value))
        except ConversionError as error:
            raise OlderVersionError(f"{error}; the event was not sent") from None
        again = stamp.derived(stamped, older.contract.major)
        found.append((older, again, check(older.contract, data, key.decode())))
    return found


def admit(
    record: Record, expected: decode.Expected, recent: deduplicate.RecentEvents
) -> Event[Any] | RejectedRecord:
    """Return the event to handle, or the outcome of a record rejected before the handler."""
    event = decode.decode(record, expected)
    if not isinstance(event, Event):
        return RejectedRecord(event, decode.NAME, None)
    conversion = expected.conversion
    if conversion is not None and conversion.older and convert.is_derived(event):
        return RejectedRecord(Ack(Reason.DUPLICATE), deduplicate.NAME, event)
    repeated = recent.check(event)
    if repeated is not None:
        return RejectedRecord(repeated, deduplicate.NAME, event)
    fault = validate.validate(event)
    if fault is not None:
        return RejectedRecord(fault, validate.NAME, event)
    if conversion is not None:
        fault = convert.convert(event, conversion)
        if fault is not None:
            return RejectedRecord(fault, convert.NAME, event)
    if expected.granted is not None:
        event.data = expected.granted.of(event.data)
    return event
