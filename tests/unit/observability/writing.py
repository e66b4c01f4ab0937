"""Receipts as honest agencies write them: each about its own events, which are where the receipts say."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from bus import DeliveryReceipt, PublishReceipt, encode_receipts, receipts_topic
from bus.testing import InMemoryCluster

AnyReceipt = PublishReceipt | DeliveryReceipt


def write(cluster: InMemoryCluster, receipts: Iterable[AnyReceipt], partition: int = 0) -> list[AnyReceipt]:
    """Append the events and, by agency, their receipts; return these, with the places and times of now."""
    written: dict[str, list[AnyReceipt]] = defaultdict(list)
    published: dict[str, PublishReceipt] = {}
    for receipt in receipts:
        if isinstance(receipt, PublishReceipt):
            record = cluster.append(receipt.topic, b"{}", partition=0)
            placed = replace(receipt, offset=record.offset, broker_time_us=record.timestamp * 1000)
            published[receipt.event_id] = placed
            written[receipt.agency].append(placed)
        else:
            written[receipt.agency].append(moved(receipt, published[receipt.event_id]))
    for agency, rows in written.items():
        cluster.append(receipts_topic(agency), encode_receipts(rows), partition=partition)
    return [receipt for rows in written.values() for receipt in rows]


def moved(delivery: DeliveryReceipt, publish: PublishReceipt) -> DeliveryReceipt:
    """Return a delivery of an event that was published at another place and time."""
    later_us = publish.broker_time_us - delivery.broker_time_us
    return replace(
        delivery,
        offset=publish.offset,
        broker_time_us=publish.broker_time_us,
        received_us=delivery.received_us + later_us,
        finished_us=delivery.finished_us + later_us,
    )
