"""What the topics have not confirmed yet, and what is not believed, in the database.

Law of this file: a publish is `unchecked` from the batch that brought it until its topic has answered. It
stays so, as `undated`, where the topic keeps the times of publishers.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, func, select, update

from bus import PublishReceipt
from observability.database.intake import PLACE, Place, chunks, publish_columns
from observability.database.rows import insert_rows
from observability.database.schema import publishes, unchecked
from observability.evidence.trust import Word
from observability.identity import PublishKey, publish_key
from observability.transaction_view import moment
from observability.views import RefusalView

_KEY = ("transaction", "source", "event_id")
_SAME = and_(*(publishes.c[name] == unchecked.c[name] for name in _KEY))
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_KNOWN = select(*(unchecked.c[name] for name in _KEY)).where(unchecked.c.transaction.in_(_IDS))
_PLACES = select(*(publishes.c[name] for name in (*_KEY, *PLACE))).where(publishes.c.transaction.in_(_IDS))
_UNDATED = (
    update(unchecked)
    .where(*(unchecked.c[name] == bindparam(f"of_{name}") for name in _KEY))
    .values(undated=True)
)
_FORGET = delete(unchecked).where(*(unchecked.c[name] == bindparam(f"of_{name}") for name in _KEY))


def remember(connection: Connection, words: Iterable[Word], *, undated: bool) -> None:
    """Remember publishes that are believed unchecked, where they are the ones that count."""
    publishes_of: dict[PublishKey, list[tuple[Place, int]]] = defaultdict(list)
    for word in words:
        assert isinstance(word.receipt, PublishReceipt)  # noqa: S101 - only they are checked
        place = (word.receipt.topic, word.receipt.partition, word.receipt.offset)
        publishes_of[publish_key(word.receipt)].append((place, word.written_us))
    known: set[PublishKey] = set()
    places: dict[PublishKey, Place] = {}
    for chunk in chunks({transaction for transaction, _, _ in publishes_of}):
        known.update(map(tuple, connection.execute(_KNOWN, {"ids": chunk})))
        for transaction, source, event_id, topic, partition, offset in connection.execute(
            _PLACES, {"ids": chunk}
        ):
            places[transaction, source, event_id] = (topic, partition, offset)
    rows = []
    for key, found in publishes_of.items():
        counting = [written_us for place, written_us in found if place == places.get(key)]
        if counting and key not in known:
            rows.append((*key, counting[0], undated))
    insert_rows(connection, unchecked, (*_KEY, "written_us", "undated"), rows)


def forget(connection: Connection, keys: Iterable[PublishKey]) -> None:
    """Forget that publishes are unchecked."""
    if rows := _of(keys):
        connection.execute(_FORGET, rows)


def leave_undated(connection: Connection, keys: Iterable[PublishKey]) -> None:
    """Note that nothing will say when unchecked publishes were."""
    if rows := _of(keys):
        connection.execute(_UNDATED, rows)


def _of(keys: Iterable[PublishKey]) -> list[dict[str, str]]:
    names = [f"of_{name}" for name in _KEY]
    return [dict(zip(names, key, strict=True)) for key in keys]


def find_unchecked(connection: Connection, limit: int) -> list[Word]:
    """Return unchecked publishes that may be dated yet, the oldest of each agency in turn.

    Of what one agency wrote there may be more than can ever be checked.
    """
    turn = func.row_number().over(partition_by=publishes.c.agency, order_by=unchecked.c.written_us)
    query = (
        select(unchecked.c.written_us, *publish_columns)
        .select_from(unchecked.join(publishes, _SAME))
        .where(~unchecked.c.undated)
        .order_by(turn, unchecked.c.written_us)
        .limit(limit)
    )
    found = []
    for written_us, *values in connection.execute(query):
        receipt = PublishReceipt(*values)
        place = (receipt.topic, receipt.partition, receipt.offset)
        found.append(Word(receipt.agency, receipt, written_us, place))
    return found


def count_unchecked(connection: Connection) -> tuple[RefusalView, ...]:
    """Return how many publishes of each agency are unchecked or undated, and when the latest was written."""
    by = publishes.c.agency, unchecked.c.undated
    query = (
        select(*by, func.count(), func.max(unchecked.c.written_us))
        .select_from(unchecked.join(publishes, _SAME))
        .group_by(*by)
        .order_by(*by)
    )
    return tuple(
        RefusalView(agency, "undated" if undated else "unchecked", number, agency, moment(latest_us))
        for agency, undated, number, latest_us in connection.execute(query)
    )
