"""Does everything about an event add up? Pure.

Law of this file: in a window of a topic

- each event has its publish receipt, and each receipt its event. Offsets that hold no event, such as the
  markers and the aborted records of transactions, are counted apart;
- each event is, for each subscription, handled, parked, a dead letter or not yet read. One before the
  position of the group that is none of these is lost;
- the rows that a source counted are those it published and those it set aside.

An event that was published again is there twice: one copy with a receipt is enough.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from bus.outcome import DISCARDED, PUBLISHED, SET_ASIDE
from bus.receipts.receipts import DeliveryReceipt, PublishReceipt, record_name
from bus.record import TopicPartition
from bus.topics import REPLAY


class EventPlace(NamedTuple):
    """Where an event is."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return "/".join(map(str, self))


class SubscriptionName(NamedTuple):
    """A subscription of an agency."""

    agency: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(frozen=True, slots=True)
class OffsetWindow:
    """The offsets of a partition in the window, and the first one that it still has."""

    first: int
    end: int
    oldest: int


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A dead letter of a source: the row that did not become an event.

    Attributes:
        connector: The connector that read it, `<agency>/<name>`.
        topic: The topic of the event that it should have become.
        origin: Where it is, as `file:line` or `table:position`.
        reason: Why it was set aside.
        letter: The dead letter.
    """

    connector: str
    topic: str
    origin: str
    reason: str
    letter: EventPlace


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What a source counted of its rows for one topic, in the window.

    Attributes:
        connector: The connector, `<agency>/<name>`.
        source: The `source` of the events it publishes.
    """

    connector: str
    source: str
    published: int
    set_aside: int
    skipped: int
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the cluster holds about the events of a window.

    Attributes:
        windows: The offsets of each partition.
        events: The id of each committed event in the window, by its place.
        receipts: Publish receipts written since the window began; None if they are not asked for.
        deliveries: Delivery receipts written since then.
        parked: The events that wait for another attempt.
        positions: The committed position of each subscription to the topics.
        rows: The rows that sources set aside in the window.
        counts: What sources counted in the window.
        topic_ids: The id of each topic as it is now.
        since_us: When the window begins, in microseconds since the epoch.
        until_us: When it ends.
    """

    windows: Mapping[TopicPartition, OffsetWindow]
    events: Mapping[EventPlace, str]
    receipts: Sequence[PublishReceipt] | None
    deliveries: Sequence[DeliveryReceipt]
    parked: Mapping[SubscriptionName, Collection[EventPlace]]
    positions: Mapping[SubscriptionName, Mapping[TopicPartition, int]]
    rows: Sequence[SourceRow]
    counts: Sequence[SourceCount]
    topic_ids: Mapping[str, str]
    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True, order=True)
class AccountDifference:
    """Something that does not add up.

    Attributes:
        who: The topic, the subscription or the connector.
        where: `<topic>/<partition>/<offset>`, or the place in the source.
        what: What is missing.
    """

    who: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.who} at {self.where or '(no place)'}: {self.what}"


@dataclass(frozen=True, slots=True)
class TopicAccount:
    """The offsets of a topic's window.

    Attributes:
        offsets: How many there are.
        events: How many of them hold an event that readers see.
        others: The rest: transaction markers, aborted records, deleted records.
        receipts: Events with a publish receipt.
        copies: Events without one of their own, of which another copy has one.
    """

    topic: str
    offsets: int
    events: int
    others: int
    receipts: int
    copies: int


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """The rows of a source: each is one of the four."""

    connector: str
    rows: int
    published: int
    set_aside: int
    skipped: int
    repeated: int


@dataclass(frozen=True, slots=True)
class SubscriberAccount:
    """What became of the events for one subscription."""

    subscription: str
    events: int
    handled: int
    parked: int
    dead: int
    not_yet_read: int
    lost: int


@dataclass(frozen=True, slots=True)
class EventAccount:
    """What was found; it adds up if there are no differences."""

    topics: Sequence[TopicAccount]
    sources: Sequence[SourceAccount]
    set_aside: Sequence[SourceRow]
    subscribers: Sequence[SubscriberAccount]
    differences: Sequence[AccountDifference] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The account as JSON."""
        found = asdict(self)
        for row in found["set_aside"]:
            row["letter"] = str(EventPlace(*row["letter"]))
        return {"adds_up": not self.differences, **found}


def account(evidence: Evidence) -> EventAccount:
    """Compare everything with everything."""
    differences: list[AccountDifference] = []
    topics = list(_topics(evidence, differences))
    sources = list(_sources(evidence, differences))
    subscribers = list(_subscribers(evidence, differences))
    return EventAccount(
        topics, sources, sorted(evidence.rows, key=_row_order), subscribers, sorted(differences)
    )


def _row_order(row: SourceRow) -> tuple[str, EventPlace]:
    return row.connector, row.letter


def _topics(evidence: Evidence, differences: list[AccountDifference]) -> Iterator[TopicAccount]:
    places, ids = _receipted(evidence)
    for topic in sorted({place.topic for place in evidence.windows}):
        windows = [window for place, window in evidence.windows.items() if place.topic == topic]
        offsets = sum(window.end - window.first for window in windows)
        events = {place for place in evidence.events if place.topic == topic}
        without = set() if evidence.receipts is None else events - places
        copies = {place for place in without if evidence.events[place] in ids}
        differences += [
            AccountDifference(topic, str(place), "an event without its publish receipt")
            for place in without - copies
        ]
        differences += [
            AccountDifference(topic, str(place), "a publish receipt without its event")
            for place in places
            if place.topic == topic and _is_missing(evidence, place)
        ]
        yield TopicAccount(
            topic, offsets, len(events), offsets - len(events), len(events) - len(without), len(copies)
        )


def _is_missing(evidence: Evidence, place: EventPlace) -> bool:
    """Whether a place of the window holds no event, although retention has not taken it yet."""
    window = evidence.windows.get(TopicPartition(place.topic, place.partition))
    if window is None or place in evidence.events:
        return False
    return max(window.first, window.oldest) <= place.offset < window.end


def _receipted(evidence: Evidence) -> tuple[set[EventPlace], set[str]]:
    """The places and the ids that publish receipts name; a repeated batch may have no place."""
    published = [row for row in evidence.receipts or () if row.outcome == PUBLISHED]
    places = {
        place
        for row in published
        if row.offset >= 0
        and evidence.events.get(place := EventPlace(row.topic, row.partition, row.offset), row.event_id)
        == row.event_id  # else it is the receipt of an event of a topic that was made again since
    }
    return places, {row.event_id for row in published}


def _sources(evidence: Evidence, differences: list[AccountDifference]) -> Iterator[SourceAccount]:
    if evidence.receipts is None:
        return
    letters: dict[str, set[str]] = defaultdict(set)
    for row in evidence.rows:
        letters[row.connector].add(row.origin)
    counted = {count.connector: 0 for count in evidence.counts} | dict.fromkeys(letters, 0)
    published: dict[str, int] = defaultdict(int)
    for count in evidence.counts:
        counted[count.connector] += count.set_aside
        published[count.source] += count.published
        rows = count.published + count.set_aside + count.skipped + count.repeated
        yield SourceAccount(
            count.connector, rows, count.published, count.set_aside, count.skipped, count.repeated
        )
    for connector, rows in counted.items():
        if rows != (found := len(letters[connector])):
            what = f"its own count says {rows} rows set aside, there are {found} dead letters"
            differences.append(AccountDifference(connector, _ends_of(letters[connector]), what))
    receipts = _published_of(evidence, evidence.receipts)
    for source, rows in published.items():
        if rows != receipts[source]:
            what = f"its own count says {rows} rows published, {receipts[source]} have a receipt"
            differences.append(AccountDifference(source, "", what))
    differences += _letters_without_receipt(evidence, evidence.receipts)


def _published_of(evidence: Evidence, receipts: Iterable[PublishReceipt]) -> Counter[str]:
    """How many events each source published in the window, by its receipts; each once, at its last copy."""
    latest: dict[tuple[str, str], int] = {}
    topics = {place.topic for place in evidence.windows}
    for row in receipts:
        if row.outcome == PUBLISHED and row.topic in topics:
            key = row.source, row.event_id
            latest[key] = max(latest.get(key, 0), row.broker_time_us)
    within = [key for key, at in latest.items() if evidence.since_us <= at < evidence.until_us]
    return Counter(source for source, _ in within)


def _letters_without_receipt(
    evidence: Evidence, receipts: Iterable[PublishReceipt]
) -> Iterator[AccountDifference]:
    have = {EventPlace(row.topic, row.partition, row.offset) for row in receipts if row.outcome == SET_ASIDE}
    for row in evidence.rows:
        if row.letter not in have:
            yield AccountDifference(
                row.connector, row.origin, f"a dead letter without its receipt: {row.letter}"
            )


def _ends_of(origins: Collection[str]) -> str:
    """The first and the last place."""
    ordered = sorted(origins)
    return " to ".join(dict.fromkeys([*ordered[:1], *ordered[-1:]]))


def _subscribers(evidence: Evidence, differences: list[AccountDifference]) -> Iterator[SubscriberAccount]:
    outcomes = _outcomes(evidence)
    for name in sorted({*evidence.positions, *outcomes}):
        rows, positions = outcomes.get(name, {}), evidence.positions.get(name, {})
        topics = {place.topic for place in positions} | {place.topic for place in rows}
        events = [place for place in evidence.events if place.topic in topics]
        parked = evidence.parked.get(name, ())
        fates: Counter[str] = Counter()
        for place in events:
            fate = _fate(rows.get(place, ()), is_parked=place in parked)
            if not fate:
                position = positions.get(TopicPartition(place.topic, place.partition), 0)
                fate = "not yet read" if place.offset >= position else "lost"
            if fate == "lost":
                what = "read past, but neither handled nor parked nor a dead letter"
                differences.append(AccountDifference(str(name), str(place), what))
            fates[fate] += 1
        differences += [
            AccountDifference(str(name), str(place), "a delivery receipt without its event")
            for place in rows
            if _is_missing(evidence, place)
        ]
        yield SubscriberAccount(
            str(name), len(events), fates["handled"], fates["parked"], fates["dead"], fates["not yet read"],
            fates["lost"],
        )  # fmt: skip


def _fate(outcomes: Collection[str], *, is_parked: bool) -> str:
    if "ack" in outcomes:
        return "handled"
    if is_parked:
        return "parked"
    return "dead" if "dead-letter" in outcomes or DISCARDED in outcomes else ""


def _outcomes(
    evidence: Evidence,
) -> dict[SubscriptionName, dict[EventPlace, set[str]]]:
    found: dict[SubscriptionName, dict[EventPlace, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in evidence.deliveries:
        if REPLAY not in row.subscription and row.subscription:
            place = EventPlace(row.topic, row.partition, row.offset)
            name = record_name(
                TopicPartition(*place[:2]), place.offset, evidence.topic_ids.get(place.topic, "")
            )
            if row.event_id not in (evidence.events.get(place, row.event_id), name):
                continue  # it is the receipt of an event of a topic that was made again since
            found[SubscriptionName(row.agency, row.subscription)][place].add(row.outcome)
    return found
