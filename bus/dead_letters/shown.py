"""What an agency sees of the data of its dead letters: what it is granted of their events. Pure.

Law of this file: the letter holds the whole event, so that it can be redriven; whoever looks at it sees the
fields that the agency is granted of its topic, and nothing of what is no event. An edited event has the other
fields of the original.
"""

from datetime import date

import orjson

from bus.dead_letters.stored import StoredDeadLetter
from bus.errors import UsageError
from bus.event import Event
from bus.grants.rule import readable_fields
from bus.grants.topics import expectations
from bus.stages import decode
from contracts import AmbiguousJsonError, Catalog, ContractError, GrantedFields, read_event_json


def fields_of(letter: StoredDeadLetter, catalog: Catalog, today: date) -> GrantedFields | None:
    """Return what its agency may see of a letter's event; None if that is nothing.

    A letter of a source is the agency's own.
    """
    topic = letter.why.get("topic", "")
    if not letter.subscription:
        return GrantedFields(("$",))
    fields = readable_fields(catalog, topic, letter.agency, today)
    return GrantedFields(sorted(fields)) if fields else None


def shown_value(letter: StoredDeadLetter, catalog: Catalog, today: date) -> bytes | None:
    """Return what its agency may see of a letter's bytes; None if that is nothing."""
    fields = fields_of(letter, catalog, today)
    if fields is None or fields.is_everything:
        return None if fields is None else letter.value
    event = _event_of(letter, catalog, today)
    return None if event is None else orjson.dumps(fields.of(event.data))


def whole_value(letter: StoredDeadLetter, edited: bytes, catalog: Catalog, today: date) -> bytes:
    """Return edited data with the fields of the original that its agency does not see.

    Args:
        letter: the letter.
        edited: JSON of what the agency sees.
        catalog: the contracts and grants.
        today: the day on which grants must be in force.

    Raises:
        UsageError: it has other fields, or it is no JSON.
    """
    fields = fields_of(letter, catalog, today)
    event = None if fields is None or fields.is_everything else _event_of(letter, catalog, today)
    if fields is None or event is None:
        return edited
    where = f"with `--edit`, {letter.name}"
    try:
        data = read_event_json(edited)
    except AmbiguousJsonError as error:
        raise UsageError(f"{error.fault} - {where}") from None
    except ValueError:
        raise UsageError(f"Expected JSON, got something else - {where}") from None
    if fields.of(data) != data:
        paths = ", ".join(fields.paths)
        raise UsageError(
            f"Expected granted fields alone ({paths}), got others, which stay as they are - {where}"
        )
    return orjson.dumps(fields.within(event.data, data))


def _event_of(letter: StoredDeadLetter, catalog: Catalog, today: date) -> Event[object] | None:
    record, topic = letter.event(), letter.why.get("topic", "")
    subject, _, major = topic.rpartition(".v")
    if record is None or not major.isdecimal():
        return None
    try:
        expected = expectations(catalog, subject, int(major), today)[topic]
    except ContractError:
        return None
    found = decode.decode(record, expected)
    return found if isinstance(found, Event) else None
