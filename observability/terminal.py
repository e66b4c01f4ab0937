"""Transactions in a terminal: many as a table, one as a waterfall.

Law of this file: 80 columns are enough, and colour only repeats what a word says. The axis of a waterfall
runs from the first event to the last known moment of the transaction:

    civil-registry.birth-registered.v1  +0 ms
      > health           ..####                          4 ms + 52 ms ack
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from observability.formats import clock, count, duration, number
from observability.views import (
    Cause,
    GonePlaceView,
    HopView,
    RefusalView,
    State,
    TransactionView,
    WaitView,
)

INDENT = "  "
AGENCY_WIDTH = 18
TIMES_WIDTH = 23
OUTCOME_WIDTH = 11
MAX_NAME = 40
"""Columns of an id in a list: a longer one must not push out what stands beside it."""

WIDE = 110
"""From so many columns on a list shows ids whole, and the year of each time."""
SHORTEST_SHOWN = 13
"""Characters of an id in a narrow list, at least: those of a UUIDv7 that say its time."""

STYLES: dict[State, str] = {
    "open": "cyan",
    "completed": "green",
    "late": "yellow",
    "stuck": "bold red",
    "agency-silent": "bold magenta",
    "refused": "red",
    "untracked": "dim",
}

LOSSES: Mapping[Cause, str] = {
    "dead-letter": "dead letter",
    "set-aside": "record set aside",
    "refused": "refused",
}

OUTCOME_STYLES = {"ack": "green", "retry": "yellow", "dead-letter": "bold red", "refused": "red"}


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters to draw with."""

    queue: str
    handle: str
    arrow: str
    event: str


UNICODE = Marks(queue="░", handle="█", arrow="→", event="◆")
ASCII = Marks(queue=".", handle="#", arrow=">", event="*")


def marks_of(console: Console) -> Marks:
    """Return the characters this terminal can show."""
    return UNICODE if console.encoding.lower().startswith("utf") else ASCII


def listing(found: Sequence[TransactionView], width: int) -> RenderableType:
    """Return a table of transactions; in a narrow one an id is cut to what tells it from the others.

    Args:
        found: the transactions.
        width: columns to fill; 80 are enough.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("TRANSACTION", "STARTED (UTC)", "STATE", "TOOK", "SERVICE"):
        table.add_column(
            name,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if name == "TOOK" else "left",
            max_width=MAX_NAME,
        )
    is_wide = width >= WIDE
    length = MAX_NAME if is_wide else distinguishing([view.id for view in found])
    for view in found:
        late = Text(" late", "yellow") if view.late and view.state == "completed" else Text()
        state = Text(view.state, STYLES[view.state]) + late
        started = clock(view.started)
        table.add_row(
            view.id[:length], started if is_wide else started[5:], state, duration(view.duration_ms),
            view.service or "-",
        )  # fmt: skip
    return table


def distinguishing(ids: Sequence[str]) -> int:
    """Return how many characters tell every id from the others, and two more."""
    ordered = sorted(set(ids))
    same = (_same(one, other) for one, other in pairwise(ordered))
    return min(MAX_NAME, max(SHORTEST_SHOWN, 3 + max(same, default=0)))


def _same(one: str, other: str) -> int:
    """How many characters two texts begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def refusals(found: Iterable[RefusalView]) -> RenderableType:
    """Return a table of receipts that are not believed, or not checked yet."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("AGENCY", "FAULT", "RECEIPTS", "LATEST (UTC)", "ABOUT"):
        table.add_column(name, no_wrap=True, justify="right" if name == "RECEIPTS" else "left")
    for view in found:
        table.add_row(view.agency, view.fault, number(view.receipts), clock(view.latest), view.about)
    return table


def gone_places(found: Iterable[GonePlaceView]) -> RenderableType:
    """Return places that were gone, with what was missed, and the command for one that has halted."""
    lines: list[Text] = []
    for view in found:
        state = Text("halted", "bold red") if view.halted else Text("went on", "green")
        lines.append(Text.assemble((f"{view.agency}: {view.subscription}", "bold"), "  ", state))
        missed = f"{count(view.lost, 'offset')} gone unread since {clock(view.since)} UTC"
        lines.append(Text(f"{INDENT}{view.topic}/{view.partition}/{view.offset}: {view.reason}, {missed}"))
        if view.halted:
            lines.append(Text(INDENT + view.go_on))
    return Group(*lines)


def waiting(found: Iterable[TransactionView]) -> RenderableType:
    """Return what each transaction waits for, one line for each event."""
    lines: list[Text] = []
    for view in found:
        if view.waits_for:
            lines += [Text(view.id, "bold"), *(Text(INDENT) + _wait(wait, view) for wait in view.waits_for)]
    return Group(*lines)


def waterfall(view: TransactionView, width: int, marks: Marks, title: str | None = None) -> RenderableType:
    """Return one transaction: its state, a bar for each hop on the time axis, and what it waits for.

    Args:
        view: the transaction.
        width: columns to fill; 80 are enough.
        marks: the characters to draw with.
        title: the title of the service, None if it has none.
    """
    bar_width = max(10, width - len(INDENT) - AGENCY_WIDTH - TIMES_WIDTH - OUTCOME_WIDTH - 3)
    end = max([_last(hop) for hop in view.hops] + [view.ended or view.started])
    axis = _Axis(view.started, end, bar_width, marks)
    lines: list[RenderableType] = [*_head(view, title), Text(), axis.head()]
    for _, group in groupby(view.hops, key=lambda hop: hop.event_id):
        lines += _event(list(group), view, axis)
    if view.waits_for:
        lines += [Text(), *(_wait(wait, view) for wait in view.waits_for)]
    return Group(*lines)


@dataclass(frozen=True, slots=True)
class _Axis:
    start: datetime
    end: datetime
    width: int
    marks: Marks

    def head(self) -> Text:
        length = duration((self.end - self.start) / timedelta(milliseconds=1))
        scale = "0" + length.rjust(self.width - 1)
        legend = f"{self.marks.queue} queue + {self.marks.handle} handle"
        return Text(_columns("", scale, legend, "outcome", self.width), "dim")

    def column(self, at: datetime) -> int:
        whole = (self.end - self.start) / timedelta(microseconds=1)
        part = (at - self.start) / timedelta(microseconds=1)
        return min(self.width - 1, max(0, int(part / whole * self.width))) if whole else 0

    def bar(self, hop: HopView) -> str:
        first = self.column(hop.published)
        if hop.received is None:
            return " " * first + self.marks.event
        received = self.column(hop.received)
        handled = max(received + 1, self.column(hop.handled) + 1) if hop.handled else received
        queued = self.marks.queue * max(received - first, 0 if hop.handled else 1)
        return " " * first + queued + self.marks.handle * (handled - received)


def _head(view: TransactionView, title: str | None) -> list[Text]:
    took = f"{'took' if view.ended else 'so far'} {duration(view.duration_ms)}"
    if view.due is not None:
        took += f" of {duration((view.due - view.started) / timedelta(milliseconds=1))}"
    if view.late:
        took += ", past the deadline"
    elif view.ended:
        took += ", in time"
    started = view.started.isoformat(" ", timespec="milliseconds").removesuffix("+00:00")
    name = (title or view.service or "no service", "bold")
    return [
        Text.assemble(name, "  ", (view.state, STYLES[view.state])),
        Text.assemble("transaction ", view.id),
        Text(f"started {started} UTC, {took}"),
    ]


def _event(hops: list[HopView], view: TransactionView, axis: _Axis) -> list[Text]:
    first = hops[0]
    after = (first.published - view.started) / timedelta(milliseconds=1)
    lines = [Text.assemble((first.type, "bold"), (f"  +{duration(after)}", "dim"))]
    for hop in hops:
        lines.append(_hop(hop, axis))
        lines += [Text(INDENT * 2 + note, "dim") for note in _notes(hop)]
    return lines


def _hop(hop: HopView, axis: _Axis) -> Text:
    style = OUTCOME_STYLES.get(hop.outcome, "")
    receiver = f"{axis.marks.arrow} {hop.subscriber}" if hop.subscriber else "(no receiver)"
    handle = duration(hop.handle_ms) if hop.handle_ms is not None else "..."
    times = f"{duration(hop.queue_ms)} + {handle}" if hop.queue_ms is not None else ""
    line = _columns(receiver, axis.bar(hop), times, "", axis.width)
    if hop.outcome == "published":
        return Text(line.rstrip())
    return Text.assemble(line, (hop.outcome, style))


def _notes(hop: HopView) -> list[str]:
    # By default a subscription is called as its event, whose name stands above.
    parts = [hop.subscription] if hop.subscription and hop.subscription != hop.type else []
    if hop.attempts > 1:
        parts.append(count(hop.attempts, "attempt"))
    if hop.reason is not None:
        parts.append(hop.reason)
    if hop.dead_letter in ("redriven", "discarded"):
        parts.append(f"dead letter {hop.dead_letter}")
    notes = [", ".join(parts)] if parts else []
    if hop.dead_letter == "open":
        notes.append(f"govbus deadletters list --agency {hop.subscriber} --state open")
    return notes


def _wait(wait: WaitView, view: TransactionView) -> Text:
    event = wait.event.removeprefix(wait.agency)
    sentence = Text.assemble(
        "waits for ", (wait.agency, "bold"), event if event != wait.event else f": {event}"
    )
    now = view.started + timedelta(milliseconds=view.duration_ms)
    since = duration((now - wait.since) / timedelta(milliseconds=1))
    if wait.cause is not None and wait.cause in LOSSES:
        why = f": {wait.reason}" if wait.reason else ""
        where = f" at {wait.origin}" if wait.origin else ""
        return sentence + Text(f" for {since}, {LOSSES[wait.cause]}{why}{where}", "bold red")
    if wait.silent_since is not None:
        silent = duration((now - wait.silent_since) / timedelta(milliseconds=1))
        return sentence + Text(f" for {since}, agency-silent: receives nothing for {silent}", "bold magenta")
    if wait.cause == "deadline" and wait.due is not None:
        over = duration((now - wait.due) / timedelta(milliseconds=1))
        return sentence + Text(f", overdue by {over}", "bold red")
    return sentence + Text(f" for {since}")


def _last(hop: HopView) -> datetime:
    return hop.handled or hop.received or hop.published


def _columns(receiver: str, bar: str, times: str, outcome: str, bar_width: int) -> str:
    if cell_len(receiver) > AGENCY_WIDTH:
        receiver = receiver[: AGENCY_WIDTH - 1] + "~"
    cells = (receiver.ljust(AGENCY_WIDTH), bar.ljust(bar_width), times.rjust(TIMES_WIDTH), outcome)
    return INDENT + " ".join(cells)
