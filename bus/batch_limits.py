"""How much a batch of records may hold that somebody else has written, and how one that is not read is named.

Law of this file: a cluster bounds the bytes of a batch as they are sent, compressed. What they become in the
memory of a reader is up to whoever wrote them, unless the reader bounds it.
"""

from secrets import token_hex
from types import MappingProxyType

from bus.record import Headers
from bus.topics import MAX_EVENT_BYTES

BATCH_BYTES = 16 * MAX_EVENT_BYTES
"""The most that a batch may take when unpacked."""
RECORD_BYTES = 4 * MAX_EVENT_BYTES
"""The most that one record of a batch may take when unpacked: as much as a topic with the largest takes."""
BATCH_RECORDS = 100_000
RECORD_HEADERS = 1_000
EVENT_HEADERS = 900
"""The most that an event may have: parked or set aside it has some more, and must be read again."""

TOO_MANY_BYTES, TOO_LARGE_RECORD, TOO_MANY_RECORDS, TOO_MANY_HEADERS = (
    b"bytes", b"record", b"records", b"headers",
)  # fmt: skip
UNPACKABLE, ODD_NAME = b"format", b"name"
UNREAD = MappingProxyType(
    {
        TOO_MANY_BYTES: f"Expected a batch of at most {BATCH_BYTES} bytes unpacked, got more",
        TOO_LARGE_RECORD: f"Expected records of at most {RECORD_BYTES} bytes in a batch, got a larger one",
        TOO_MANY_RECORDS: f"Expected at most {BATCH_RECORDS} records in a batch, got more",
        TOO_MANY_HEADERS: f"Expected at most {RECORD_HEADERS} headers of a record in a batch, got more",
        UNPACKABLE: "Expected a batch that can be unpacked, got other bytes",
        ODD_NAME: "Expected UTF-8 as the name of each header, got other bytes",
    }
)
"""Why a record, or all of a batch, is not read."""
MALFORMED = (UNPACKABLE, ODD_NAME)
"""Those of which no size is the reason."""

MARK = f"govbus-unread-{token_hex(16)}"
"""Header of the empty record that this process finds in the place of one that is not read.

No other program knows it, and so none can send it.
"""


def unread(headers: Headers) -> bytes | None:
    """Return why a record was not read, a key of `UNREAD`; None if it was."""
    for name, value in headers:
        if name == MARK:
            return value
    return None
