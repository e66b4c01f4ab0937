"""Which transaction a record that became no event belongs to, so that its case is known to be stuck.

Law of this file: a receipt holds no personal data, so a value counts as a transaction only if it is sure to
be one. It is what the file maps to `transaction`, if that column could be read. A line whose columns are not
sure is searched for the one text that looks like the transactions of the good records: two, or none, say
nothing.
"""

import re
from collections.abc import Iterable

from bus import Intended
from connectors.configuration.config import SourceConfig
from connectors.errors import ConnectorError
from connectors.source import EventRecord, MalformedRecord, SourceRecord

MOST_SHAPES = 8
"""More shapes than this are free text, of which none is sure to be a transaction."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def shape_of(text: str) -> str | None:
    """Return letters as `a`, digits as `9`, the rest as it is; None if a person may have written it. Pure.

    A transaction is opaque: at least four characters, a digit among them, and no space.
    """
    if _UUID.fullmatch(text):
        return "uuid"
    shape = "".join("9" if c.isdecimal() else "a" if c.isalpha() else c for c in text)
    return shape if len(shape) >= 4 and "9" in shape and not re.search(r"\s", shape) else None


def only_alike(cells: Iterable[str], shapes: set[str]) -> str | None:
    """Return the one text that has one of the shapes, None if there are none or several. Pure."""
    alike = {text for cell in cells if shape_of(text := cell.strip()) in shapes}
    return alike.pop() if len(alike) == 1 else None


class TransactionFinder:
    """Finds the event that a source's record should have become.

    Args:
        config: The source.
    """

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._shapes: set[str] = set()

    def learn(self, transaction: str | None) -> None:
        """Remember what a transaction of this source looks like."""
        shape = None if transaction is None else shape_of(transaction)
        if shape is not None and len(self._shapes) <= MOST_SHAPES:
            self._shapes.add(shape)

    def intended(self, record: SourceRecord | MalformedRecord) -> Intended:
        """Return the event that a record should have become, as far as it is known."""
        if isinstance(record, EventRecord):
            event, draft = record.event, record.event.draft
            return Intended(
                f"{event.subject}.v{event.version.partition('.')[0]}", draft.service, draft.transaction
            )
        publish = self._config.publish
        if publish is None:
            return Intended()
        transaction = self._mapped(record)
        if transaction is None and isinstance(record, MalformedRecord) and len(self._shapes) <= MOST_SHAPES:
            transaction = only_alike(record.cells, self._shapes)
        return Intended(f"{publish.event}.v{publish.version.partition('.')[0]}", publish.service, transaction)

    def _mapped(self, record: SourceRecord | MalformedRecord) -> str | None:
        mapping = self._config.mapping
        try:
            return None if mapping is None else mapping.transaction_of(record.data)
        except ConnectorError:
            return None
