"""How much a batch of records may hold that somebody else has written, and how one that holds more is named.

Law of this file: a cluster bounds the bytes of a batch as they are sent, compressed. What they become in the
memory of a reader is up to whoever wrote them, unless the reader bounds it. Pure.
"""

from types import MappingProxyType

from bus.record import Headers
from bus.topics import MAX_EVENT_BYTES

BATCH_BYTES = 16 * MAX_EVENT_BYTES
"""The most that a batch may take when unpacked."""
RECORD_BYTES = 4 * MAX_EVENT_BYTES
"""The most that one record of a batch may take when unpacked: as much as a topic with the largest takes."""
BATCH_RECORDS = 100_000
RECORD_HEADERS = 1_000

TOO_MANY_BYTES, TOO_LARGE_RECORD, TOO_MANY_RECORDS, TOO_MANY_HEADERS, UNPACKABLE = (
    b"bytes", b"record", b"records", b"headers", b"format",
)  # fmt: skip
EXCESSES = MappingProxyType(
    {
        TOO_MANY_BYTES: f"Expected a batch of at most {BATCH_BYTES} bytes unpacked, got more",
        TOO_LARGE_RECORD: f"Expected records of at most {RECORD_BYTES} bytes in a batch, got a larger one",
        TOO_MANY_RECORDS: f"Expected at most {BATCH_RECORDS} records in a batch, got more",
        TOO_MANY_HEADERS: f"Expected at most {RECORD_HEADERS} headers of a record in a batch, got more",
        UNPACKABLE: "Expected a batch that can be unpacked, got other bytes",
    }
)
"""What is wrong with a batch that is not read."""

EXCESS = "govbus-excess"
"""Header of an empty record that a reader finds in the place of one whose batch is not read."""


def excess_of(headers: Headers) -> str | None:
    """Return why the batch of a record was not read; None if it was."""
    for name, value in headers:
        if name == EXCESS and value is not None:
            return EXCESSES.get(value)
    return None
