"""What the topics have not confirmed yet, and what is not believed, in the database.

Law of this file: a publish is `unchecked` from the batch that brought it until its topic has answered.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, func, insert, select

from bus import PublishReceipt
from observability.database.intake import of_key, publish_columns
from observability.database.schema import publishes, unchecked
from observability.evidence.trust import Word
from observability.identity import PublishKey, publish_key
from observability.transaction_view import moment
from observability.views import RefusalView

_KEY = ("transaction", "source", "event_id")
_SAME = and_(*(publishes.c[name] == unchecked.c[name] for name in _KEY))


def remember(connection: Connection, words: Iterable[Word]) -> None:
    """Remember publishes that are believed unchecked, where they are the ones that count."""
    for word in words:
        assert isinstance(word.receipt, PublishReceipt)  # noqa: S101 - only they are checked
        key = publish_key(word.receipt)
        place = {name: getattr(word.receipt, name) for name in ("topic", "partition", "offset")}
        counts = [publishes.c[name] == value for name, value in place.items()]
        if (
            connection.execute(select(unchecked).where(*of_key(unchecked, key))).first() is None
            and connection.execute(select(publishes.c.topic).where(*of_key(publishes, key), *counts)).first()
        ):
            row = {**dict(zip(_KEY, key, strict=True)), "written_us": word.written_us}
            connection.execute(insert(unchecked).values(row))


def forget(connection: Connection, keys: Iterable[PublishKey]) -> None:
    """Forget that publishes are unchecked."""
    for key in keys:
        connection.execute(delete(unchecked).where(*of_key(unchecked, key)))


def find_unchecked(connection: Connection, limit: int) -> list[Word]:
    """Return unchecked publishes, the oldest first."""
    query = (
        select(unchecked.c.written_us, *publish_columns)
        .select_from(unchecked.join(publishes, _SAME))
        .order_by(unchecked.c.written_us)
        .limit(limit)
    )
    found = []
    for written_us, *values in connection.execute(query):
        receipt = PublishReceipt(*values)
        place = (receipt.topic, receipt.partition, receipt.offset)
        found.append(Word(receipt.agency, receipt, written_us, place))
    return found


def count_unchecked(connection: Connection) -> tuple[RefusalView, ...]:
    """Return how many publishes of each agency are unchecked, and when the latest was written."""
    by = publishes.c.agency
    query = (
        select(by, func.count(), func.max(unchecked.c.written_us))
        .select_from(unchecked.join(publishes, _SAME))
        .group_by(by)
        .order_by(by)
    )
    return tuple(
        RefusalView(agency, "unchecked", number, agency, moment(latest_us))
        for agency, number, latest_us in connection.execute(query)
    )
