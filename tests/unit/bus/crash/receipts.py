"""Receipts of one subscription, for tests."""

from bus.crash.verdict import Accepted
from bus.outcome import DeliveryOutcome
from bus.receipts.receipts import DeliveryReceipt

ACCEPTED = [Accepted(("t", 0, n), "ab"[n % 2], n) for n in range(6)]


def row(
    number: int, outcome: DeliveryOutcome = "ack", reason: str | None = None, at: int = 0
) -> DeliveryReceipt:
    """Return a receipt of one delivery, finished `at` seconds."""
    return DeliveryReceipt(
        event_id=str(number), source="s", type="t", version="1.0", agency="a", subscription="a", purpose="p",
        service=None, transaction="x", causation=None, outcome=outcome, reason=reason, attempt=1, topic="t",
        partition=0, offset=number, broker_time_us=0, started_at_us=0, received_us=0,
        finished_us=at * 1_000_000, skew_us=0, size_bytes=1, data_hash="",
    )  # fmt: skip


def rows(*numbers: int) -> list[DeliveryReceipt]:
    """Return receipts of good ends, in this order, a second apart."""
    return [row(number, at=at) for at, number in enumerate(numbers)]
