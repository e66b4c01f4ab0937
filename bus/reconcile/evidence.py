"""Collects all that a cluster holds about the events of a window. It only reads."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

import orjson

from bus import envelope
from bus.dead_letters.record import TYPE, origin_of
from bus.dead_letters.stored import read_letters
from bus.errors import EnvelopeError, TopicMissingError, UsageError
from bus.grants.topics import expectations
from bus.parking.rows import read_row
from bus.receipts.receipts import DeliveryReceipt, PublishReceipt, ReceiptFormatError, decode_receipts
from bus.receipts.soundness import is_sound_receipt
from bus.reconcile.account import (
    EventPlace,
    Evidence,
    OffsetWindow,
    SourceCount,
    SourceRow,
    SubscriptionName,
)
from bus.reconcile.row_counts import counts_in
from bus.record import Record, TopicPartition
from bus.structured import read_envelope
from bus.topics import (
    checkpoints_topic,
    dead_letter_topic,
    group_of,
    parked_topic,
    receipts_topic,
    topic_of,
)
from bus.transport import Transport
from contracts import Catalog, ContractError

DAY = timedelta(days=1)


class EvidenceReader:
    """Reads what there is about one event.

    Args:
        transport: a started one. Its user reads the topics of the event, its publisher's and subscribers'
            receipts, parked events, dead letters and checkpoints.
        catalog: the contracts.
        event: the event's subject, or one of its types, such as `health.record-opened.v1`.
        days: the first day and the last one, in UTC, on the broker's clock.
        agency: only what this agency publishes or receives; all agencies if absent.
        earliest: the window begins here at the earliest.

    Raises:
        ContractError: the catalogue has no such event.
        UsageError: there is no such agency.
    """

    def __init__(
        self,
        transport: Transport,
        catalog: Catalog,
        event: str,
        days: tuple[date, date],
        *,
        agency: str | None = None,
        earliest: datetime | None = None,
    ) -> None:
        subject, _, major = event.rpartition(".v")
        if event in catalog.contracts or not major.isdecimal():
            subject, major = event, ""
        contract = catalog.contract(subject)
        majors = {int(major)} if major else {version.major for version in contract.versions}
        if agency is not None and agency not in catalog.agencies:
            raise UsageError(f"Expected an agency of the catalogue, got `{agency}` - at `--agency`")
        self._transport = transport
        self._catalog = catalog
        self._subject = subject
        self._majors = majors
        self._topics = [topic_of(subject, one) for one in sorted(majors)]
        self._publisher = contract.agency if agency in (None, contract.agency) else None
        self._agencies = list(catalog.agencies) if agency is None else [agency]
        self._days = days
        begin = datetime.combine(days[0], datetime.min.time(), UTC)
        self._since = begin if earliest is None else max(begin, earliest)
        self._midnight = datetime.combine(days[1], datetime.min.time(), UTC) + DAY
        self._until = self._midnight
        self._published: list[PublishReceipt] = []
        self._read_to: dict[str, Mapping[TopicPartition, int]] = {}

    async def read(self, latest: datetime | None = None) -> Evidence:
        """Return what there is.

        Args:
            latest: the window ends here at the latest: what is newer may still be on its way.

        Raises:
            BusError: the cluster does not answer, or does not allow it.
        """
        if latest is not None:
            self._until = max(self._since, min(self._midnight, latest))
        windows = await self._windows()
        plain = {place: (window.first, window.end) for place, window in windows.items()}
        events = {
            EventPlace(record.topic, record.partition, record.offset): _id_of(record)
            async for record in self._transport.read(plain)
        }
        # Subscribers go on meanwhile. What is past a position is parked, or has a receipt, by the time that
        # is read; so first the positions, then what is parked, and at last the rest of the receipts.
        deliveries = await self._deliveries(windows)
        positions = await self._positions(deliveries)
        ids = await self._transport.topic_ids(self._topics)
        parked = await self._parked(ids)
        deliveries += await self._deliveries(windows)
        rows, counts, receipts = [], [], None
        if (publisher := self._publisher) is not None:
            counts = await self._source_counts(publisher)
            rows = await self._source_rows(publisher)
            receipts = self._published
        return Evidence(
            windows=windows,
            events=events,
            receipts=receipts,
            deliveries=deliveries,
            parked=parked,
            positions=positions,
            rows=rows,
            counts=counts,
            topic_ids=ids,
            since_us=envelope.moment_us(self._since),
            until_us=envelope.moment_us(self._midnight),
        )

    async def _windows(self) -> dict[TopicPartition, OffsetWindow]:
        found = {}
        for topic in self._topics:
            bounds = await self._transport.bounds(topic)
            firsts = await self._transport.offsets_at(topic, _milliseconds(self._since))
            ends = await self._transport.offsets_at(topic, _milliseconds(self._until))
            for place, (oldest, stable) in bounds.items():
                end = min(ends[place], stable)
                found[place] = OffsetWindow(min(firsts[place], end), end, oldest)
        return found

    async def _news(self, topic: str, until: datetime | None = None) -> AsyncIterator[Record]:
        """Yield what a topic got since the window began, or since the last call; nothing if it is missing."""
        try:
            bounds = await self._transport.bounds(topic)
        except TopicMissingError:
            return
        firsts = self._read_to.get(topic)
        if firsts is None:
            firsts = await self._transport.offsets_at(topic, _milliseconds(self._since))
        ends = {place: stable for place, (_, stable) in bounds.items()}
        if until is not None:
            last = await self._transport.offsets_at(topic, _milliseconds(until))
            ends = {place: min(end, last[place]) for place, end in ends.items()}
        self._read_to[topic] = ends
        async for record in self._transport.read({place: (firsts[place], ends[place]) for place in ends}):
            yield record

    async def _deliveries(self, windows: Mapping[TopicPartition, OffsetWindow]) -> list[DeliveryReceipt]:
        """Return the delivery receipts that are new; the publish receipts beside them are kept."""
        found = []
        for agency in dict.fromkeys([*self._agencies, *([self._publisher] if self._publisher else [])]):
            async for record in self._news(receipts_topic(agency)):
                own = [row for row in _receipts(record) if row.agency == agency]  # nobody speaks for another
                if agency == self._publisher:
                    self._published += [row for row in own if isinstance(row, PublishReceipt)]
                found += [row for row in own if isinstance(row, DeliveryReceipt) and _is_in(row, windows)]
        return found

    async def _parked(self, ids: Mapping[str, str]) -> dict[SubscriptionName, set[EventPlace]]:
        found: dict[SubscriptionName, set[EventPlace]] = defaultdict(set)
        for agency in self._agencies:
            for record in await self._all(parked_topic(agency)):
                row = read_row(record)
                # A topic that was made again has other events at the same places.
                if row is not None and ids.get(row.home.partition.topic) == row.topic_id:
                    name = SubscriptionName(agency, row.home.subscription)
                    place = EventPlace(*row.home.partition, row.offset)
                    waits = row.event is not None and not row.event.held  # a held one is a dead letter
                    (found[name].add if waits else found[name].discard)(place)
        return found

    async def _positions(
        self, deliveries: Iterable[DeliveryReceipt]
    ) -> dict[SubscriptionName, Mapping[TopicPartition, int]]:
        reads: dict[SubscriptionName, set[str]] = defaultdict(set)
        for grant in self._catalog.subscriptions.values():
            if grant.subject == self._subject and grant.consumer in self._agencies:
                try:
                    topics = expectations(self._catalog, grant.subject, grant.major, self._days[1])
                except ContractError:
                    continue
                reads[SubscriptionName(grant.consumer, grant.name)] |= set(topics) & set(self._topics)
        for row in deliveries:
            reads[SubscriptionName(row.agency, row.subscription)].add(row.topic)
        found: dict[SubscriptionName, Mapping[TopicPartition, int]] = {}
        for name, topics_read in reads.items():
            positions: dict[TopicPartition, int] = {}
            for topic in topics_read:
                positions |= await self._transport.committed(group_of(*name), topic)
            found[name] = positions
        return found

    async def _source_rows(self, agency: str) -> list[SourceRow]:
        records = [record async for record in self._news(dead_letter_topic(agency), self._midnight)]
        return [
            SourceRow(
                connector=f"{agency}/{letter.why['connector']}",
                topic=letter.why[TYPE],
                origin=origin_of(letter.why),
                reason=letter.why.get("reason", ""),
                letter=EventPlace(dead_letter_topic(agency), 0, letter.offset),
            )
            for letter in read_letters(agency, records)
            if not letter.subscription
            and letter.why.get(TYPE) in self._topics
            and letter.why.get("connector")
            and (letter.why.get("line") or letter.why.get("position"))  # else it is a whole file
        ]

    async def _source_counts(self, agency: str) -> list[SourceCount]:
        first, last = (day.isoformat() for day in self._days)
        latest = {record.key: record.value for record in await self._all(checkpoints_topic(agency))}
        fates: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for key, value in latest.items():
            checkpoint = _json(value)
            connector, _, _ = (key or b"").decode(errors="replace").partition("/")
            source = envelope.source_of(agency, str(checkpoint.get("system")))
            for row in counts_in(checkpoint):
                if row.topic in self._topics and first <= row.day <= last:
                    fates[f"{agency}/{connector}", source][row.fate] += row.rows
        return [
            SourceCount(
                connector, source, found["published"], found["set-aside"], found["skipped"], found["repeated"]
            )
            for (connector, source), found in sorted(fates.items())
        ]

    async def _all(self, topic: str) -> Collection[Record]:
        try:
            return await self._transport.read_all(topic)
        except TopicMissingError:
            return ()


def _is_in(row: DeliveryReceipt, windows: Mapping[TopicPartition, OffsetWindow]) -> bool:
    window = windows.get(TopicPartition(row.topic, row.partition))
    return window is not None and window.first <= row.offset < window.end


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _id_of(record: Record) -> str:
    try:
        _, (event_id, *_) = read_envelope(record.headers, record.value)
    except (EnvelopeError, ValueError):
        return ""  # receipts know it by its place
    return event_id


def _receipts(record: Record) -> Iterable[PublishReceipt | DeliveryReceipt]:
    try:
        return filter(is_sound_receipt, decode_receipts(record.value))
    except ReceiptFormatError:
        return ()  # its events are listed as without a receipt


def _json(value: bytes | None) -> Mapping[str, object]:
    try:
        found = orjson.loads(value or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
