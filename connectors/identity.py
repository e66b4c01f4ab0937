"""The law of ids: the same record of the same system is the same event, however often it is read.

Pure. An id is a UUID of version 8 (RFC 9562) made of a SHA-256 over length-prefixed parts, so that different
lists of parts never give the same bytes. A record is the same when it is read again from the same place or,
where a file names values in it under `publish.identity`, when it has the same values.
"""

import hashlib
from dataclasses import dataclass

import orjson

from connectors.errors import RecordRejectedError
from connectors.source import SourceRecord
from contracts import DataPath

_VARIANT = {f"{digit:x}": f"{0b1000 | digit & 0b11:x}" for digit in range(16)}
"""The hexadecimal digit that says which variant a UUID is of, made of one of the hash."""


def derived_id(*parts: str) -> str:
    """The UUID that always belongs to these parts in this order."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies records of a system as the same fact.

    Attributes:
        paths: Where the identifying values are; without paths the record's place identifies it.
    """

    paths: tuple[DataPath, ...] = ()

    def of(self, record: SourceRecord) -> tuple[str, ...]:
        """The parts of an id that are the record's own.

        Raises:
            RecordRejectedError: It lacks one of the values.
        """
        if not self.paths:
            return (record.identity,)
        return ("identity", *(_part(path, record) for path in self.paths))


def _part(path: DataPath, record: SourceRecord) -> str:
    value = path.look_up(record.data)
    if isinstance(value, str) and not value.strip():
        value = None
    if not isinstance(value, str | int | float):
        raise RecordRejectedError("Expected text or a number for `publish.identity`", path=path.text)
    return orjson.dumps(value).decode()


def event_id(agency: str, system: str, subject: str, *identity: str) -> str:
    """The id of the event that a record of a system gives rise to."""
    return derived_id("event", agency, system, subject, *identity)


def transaction_id(event: str) -> str:
    """The id of the transaction that an event starts, so that publishing it again starts no second one."""
    return derived_id("transaction", event)
