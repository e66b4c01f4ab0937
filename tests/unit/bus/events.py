"""Events as a bus would deliver them, made by hand."""

from typing import Any

import orjson

from bus import Event, StoredRecord
from bus.envelope import read_attributes
from contracts import Catalog

CATALOG = Catalog.open()
BIRTH = "civil-registry.birth-registered"


def delivered(event_id: str, data: Any, source: str = "urn:govbus:civil-registry:main") -> Event[Any]:
    """Return an event of a birth; nothing checks its data."""
    headers: tuple[tuple[str, bytes | None], ...] = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", f"{BIRTH}.v1".encode()),
        ("ce_service", b"birth-of-a-child"),
        ("ce_correlationid", b"case-7"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )
    record = StoredRecord(f"{BIRTH}.v1", 0, 0, 1_772_000_000_000, b"key", orjson.dumps(data), headers)
    return Event(record, *read_attributes(headers), data, CATALOG.contract(BIRTH).version(1))
