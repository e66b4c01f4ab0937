"""Places of subscriptions that were gone: what was missed, and where an operator must say how to go on.

Law of this file: a partition has halted until its subscription begins in it anew, at an operator's word or
otherwise, or receives from it. These rows are few, and are kept.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from observability.database.schema import deliveries, reports, tells_of_place
from observability.transaction_view import moment
from observability.views import GonePlaceView

_HERE = ("agency", "subscription", "topic", "partition")


class GoneCount(NamedTuple):
    """How often places of an agency in a topic were gone for a reason, and how many offsets unread."""

    agency: str
    topic: str
    reason: str
    places: int
    lost: int
    halted: int
    """Partitions that wait for an operator."""


def _has_gone_on() -> ColumnElement[bool]:
    """Whether the subscription received from the partition later, or began there again."""
    later = deliveries.alias("later")
    again = (later.c[name] == deliveries.c[name] for name in _HERE)
    received = (reports.c[name] == deliveries.c[name] for name in _HERE)
    return or_(
        exists().where(*received, reports.c.received_us > deliveries.c.finished_us),
        exists().where(*again, tells_of_place(later), later.c.finished_us > deliveries.c.finished_us),
    )


_gone = tells_of_place(deliveries) & (deliveries.c.outcome != "resumed")
_halted = (deliveries.c.outcome == "halted") & ~_has_gone_on()


_BY = (deliveries.c.agency, deliveries.c.topic, deliveries.c.reason)
_COUNTS = (
    select(*_BY, func.count(), func.sum(deliveries.c.attempt), func.count().filter(_halted))
    .where(_gone)
    .group_by(*_BY)
)


def find_gone_places(connection: Connection, limit: int) -> tuple[GonePlaceView, ...]:
    """Return places that were gone, those that wait for an operator first, then the newest."""
    newest = (_halted.desc(), deliveries.c.finished_us.desc(), deliveries.c.event_id)
    query = select(deliveries, _halted.label("halted")).where(_gone).order_by(*newest).limit(limit)
    return tuple(
        GonePlaceView(
            agency=row.agency,
            subscription=row.subscription,
            topic=row.topic,
            partition=row.partition,
            offset=row.offset,
            reason=row.reason or "unknown",
            lost=row.attempt,
            since=moment(row.broker_time_us),
            time=moment(row.finished_us),
            halted=bool(row.halted),
        )
        for row in connection.execute(query)
    )


def count_gone_places(connection: Connection) -> tuple[GoneCount, ...]:
    """Return how often places were gone, by agency, topic and reason."""
    return tuple(
        GoneCount(agency, topic, reason or "unknown", places, int(lost), waiting)
        for agency, topic, reason, places, lost, waiting in connection.execute(_COUNTS)
    )
