"""A transaction to scale: every hop and every wait as a bar on one time axis.

Law of this file: pure; positions are thousandths of the axis, and no bar leaves it. A bar too short to see is
widened to `LEAST`; the numbers beside it stay exact.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from observability.views import HopView, TransactionView, WaitView

AXIS = 1000.0
"""Width of the axis; positions are in its units."""

LEAST = 4.0
"""Least width of a bar, in units of the axis."""

_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of time; `kind` is "queue", "handle", "wait" or "mark"; numbers are units of the axis."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One row: a hop with its bars, or a wait with its bar."""

    hop: HopView | None
    wait: WaitView | None
    offset_ms: float
    took_ms: float | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis at `x` units, `ms` milliseconds after the start."""

    x: float
    ms: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The rows of a transaction over `total_ms` milliseconds, in order of time."""

    total_ms: float
    ticks: tuple[Tick, ...]
    rows: tuple[WaterfallRow, ...]


def waterfall(transaction: TransactionView, now: datetime) -> Waterfall:
    """Return the waterfall of `transaction`; waits last until `now`."""
    total_ms = max(_milliseconds(transaction.started, _last(transaction, now)), 1.0)
    scale = _Scale(transaction.started, total_ms)
    hops = tuple(_hop_row(hop, scale) for hop in transaction.hops)
    waits = tuple(_wait_row(wait, scale, now) for wait in transaction.waits_for)
    return Waterfall(total_ms, ticks(total_ms), hops + waits)


def ticks(total_ms: float) -> tuple[Tick, ...]:
    """Return two to five round marks on an axis of `total_ms` milliseconds, the first at zero."""
    step = 1e-3
    while total_ms / step >= 5:
        step = _next_round(step)
    return tuple(
        Tick(index * step / total_ms * AXIS, index * step) for index in range(int(total_ms / step) + 1)
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    total_ms: float

    def bar(self, kind: str, begin: datetime, took_ms: float) -> Bar:
        width = min(max(took_ms / self.total_ms * AXIS, LEAST), AXIS)
        x = min(max(_milliseconds(self.start, begin) / self.total_ms * AXIS, 0.0), AXIS - width)
        return Bar(kind, round(x, 2), round(width, 2))


def _hop_row(hop: HopView, scale: _Scale) -> WaterfallRow:
    if hop.queue_ms is None:
        bars = [scale.bar("mark", hop.published, 0.0)]
    else:
        bars = [scale.bar("queue", hop.published, hop.queue_ms)]
    if hop.handle_ms is not None and hop.received is not None:
        bars.append(scale.bar("handle", hop.received, hop.handle_ms))
    took = None if hop.queue_ms is None or hop.handle_ms is None else hop.queue_ms + hop.handle_ms
    return WaterfallRow(hop, None, _milliseconds(scale.start, hop.published), took, tuple(bars))


def _wait_row(wait: WaitView, scale: _Scale, now: datetime) -> WaterfallRow:
    took = max(_milliseconds(wait.since, now), 0.0)
    bars = (scale.bar("wait", wait.since, took),)
    return WaterfallRow(None, wait, _milliseconds(scale.start, wait.since), took, bars)


def _last(transaction: TransactionView, now: datetime) -> datetime:
    times = [transaction.started + timedelta(milliseconds=transaction.duration_ms)]
    for hop in transaction.hops:
        times += [time for time in (hop.published, hop.received, hop.handled) if time is not None]
    return max([*times, now] if transaction.waits_for else times)


def _milliseconds(start: datetime, end: datetime) -> float:
    return (end - start) / timedelta(milliseconds=1)


def _next_round(step: float) -> float:
    power = 10.0 ** len(str(int(step * 1000))) / 10
    lead = round(step * 1000 / power)
    following = next((candidate for candidate in _STEPS if candidate > lead), 10)
    return following * power / 1000
