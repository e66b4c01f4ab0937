"""Every writer of receipts, read by the monitor."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bus import (
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    Ack,
    ContractViolationError,
    DeadLetter,
    DeliveryReceipt,
    Event,
    Intended,
    PublishReceipt,
    Reason,
    Retry,
    RetryPolicy,
)
from bus.dead_letters.operations import DeadLetters, Operator
from bus.deliver.cli import go_on
from bus.receipts.soundness import OUTCOMES
from bus.replay.replay import ReplayRequest, replay
from bus.testing import InMemoryBus, InMemoryCluster
from observability import Monitor, Store
from observability.evidence.topic_check import TopicCheck
from observability.identity import settle_deliveries, settle_publishes
from tests.small_catalog import SmallCountry, case
from tests.worlds import until

MAE = Operator("mae", "the register is mended")


class Country:
    """Two agencies on one cluster in memory, and what the monitor makes of their receipts."""

    def __init__(self, folder: Path) -> None:
        self.country = SmallCountry(folder)
        self.cluster = InMemoryCluster(self.country.catalog)
        self.store = Store(f"sqlite:///{folder / 'monitor.db'}", self.country.catalog.services)

    def bus(self, agency: str) -> InMemoryBus:
        """Return a bus of an agency, not yet started."""
        return InMemoryBus(agency, cluster=self.cluster)

    def south(self, *, exactly_once: bool = False) -> InMemoryBus:
        """Return the subscriber: odd cases cannot be handled, the rest can, case 4 at its second attempt."""
        bus = self.bus(self.country.south)

        @bus.subscribe(
            self.country.opened, version=1, purpose="close-cases", name="office", exactly_once=exactly_once,
            retry=RetryPolicy((0.02,), jitter=0),
        )  # fmt: skip
        async def take(event: Event[Any]) -> Ack | Retry | DeadLetter:
            if event.data["number"] % 2:
                return DeadLetter(Reason.TARGET_REJECTED)
            return Retry(after_seconds=0.01) if event.data["number"] == 4 and event.attempt == 1 else Ack()

        return bus

    async def publish(self, *numbers: int) -> None:
        """Publish cases, each with a key of its own."""
        async with self.bus(self.country.north) as north:
            for number in numbers:
                await north.publish(self.country.opened, case(number, f"case-{number:04}"), version="1.0")

    def outcomes(self) -> list[str]:
        """Return the outcome of every receipt on the cluster."""
        return [receipt.outcome for receipt in self.cluster.receipts()]

    @asynccontextmanager
    async def letters(self, agency: str) -> AsyncIterator[DeadLetters]:
        """Open the dead letters of an agency."""
        bus = self.bus(agency)
        await bus._transport.start()
        try:
            async with DeadLetters(bus._transport, agency, self.country.catalog) as letters:
                yield letters
        finally:
            await bus._transport.stop()

    async def monitored(self, caplog: pytest.LogCaptureFixture) -> set[tuple[type, str]]:
        """Run a monitor over all receipts; return what was written, all of which it must have stored."""
        async with self.cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
            monitor = Monitor(self.store, consumer, TopicCheck(self.cluster.offsets(), self.store))
            while await monitor.step():
                pass
        complaints = [record for record in caplog.records if record.name.startswith("observability")]
        written = self.cluster.receipts()
        assert (self.store.summary().undecodable, complaints) == (0, [])
        deliveries = settle_deliveries(row for row in written if isinstance(row, DeliveryReceipt))
        publishes = settle_publishes(row for row in written if isinstance(row, PublishReceipt))
        assert self.store.summary().receipts == len(deliveries) + len(publishes)
        return {(type(receipt), receipt.outcome) for receipt in written}


@pytest.fixture
def country(tmp_path: Path) -> Country:
    """A country with an empty cluster."""
    return Country(tmp_path)


async def publishes(country: Country) -> None:
    """Publish, alone and in a transaction."""
    await country.publish(2)
    async with country.bus(country.country.north) as north, north.transaction() as together:
        await together.publish(country.country.opened, case(6), version="1.0")


async def refusal(country: Country) -> None:
    """Publish what breaks the contract."""
    async with country.bus(country.country.north) as north:
        with pytest.raises(ContractViolationError):
            await north.publish(country.country.opened, {"number": "one"}, version="1.0")


async def source_dead_letter(country: Country) -> None:
    """Set lines of a source aside, of a known transaction and of none."""
    async with country.bus(country.country.north) as north:
        for transaction in (None, "case-0007"):
            intended = Intended(f"{country.country.opened}.v1", "one-case", transaction)
            await north.dead_letter(
                b"1;x", reason=Reason.MALFORMED_RECORD, stage="read", where={"line": "7"}, intended=intended
            )


async def source_dead_letter_discarded(country: Country) -> None:
    """Set lines of a source aside, and discard them."""
    await source_dead_letter(country)
    async with country.letters(country.country.north) as opened:
        for letter in await opened.read():
            await opened.discard(letter, MAE)


async def deliveries(country: Country) -> None:
    """Handle one, retry one, give one up, and meet bytes that are no event."""
    await country.publish(1, 2, 4)
    country.cluster.append(country.country.topic, b"no event")
    async with country.south():
        await until(lambda: country.outcomes().count("ack") == 2)
        await until(lambda: country.outcomes().count("dead-letter") == 2)
    assert "retry" in country.outcomes()


async def exactly_once(country: Country) -> None:
    """Handle and give up in one transaction with the offsets."""
    await country.publish(1, 2)
    async with country.south(exactly_once=True):
        await until(lambda: {"ack", "dead-letter"} <= set(country.outcomes()))


async def discarded(country: Country) -> None:
    """Discard what was given up, an event and bytes that are none."""
    await deliveries(country)
    async with country.letters(country.country.south) as opened:
        for letter in await opened.read():
            await opened.discard(letter, MAE)
    assert country.outcomes().count("discarded") == 2


async def redriven(country: Country) -> None:
    """Give a letter back, to be given up again."""
    await country.publish(1)
    async with country.south():
        await until(lambda: country.outcomes().count("dead-letter") == 1)
        async with country.letters(country.country.south) as opened:
            (letter,) = await opened.read()
            await opened.redrive(letter, MAE)
        await until(lambda: country.outcomes().count("dead-letter") == 2)


async def replayed(country: Country) -> None:
    """Replay a window."""
    await country.publish(1, 2)
    now = datetime.now(UTC)
    await replay(
        country.south(),
        "office",
        ReplayRequest("again", now - timedelta(hours=1), now + timedelta(hours=1), "mae", "joe", "mended"),
    )


async def displaced(country: Country) -> None:
    """Let offsets expire, as the subscription goes on at its own mark."""
    await country.publish(4)
    async with country.south():
        await until(lambda: "ack" in country.outcomes())
    country.cluster.forget_offsets(f"{country.country.south}.office")
    async with country.south():
        await until(lambda: "displaced" in country.outcomes())


async def halted(country: Country) -> None:
    """Let offsets expire, as exactly once waits for an operator."""
    before = country.outcomes()
    await country.publish(4)
    async with country.south(exactly_once=True):
        await until(lambda: country.outcomes().count("ack") > before.count("ack"))
    country.cluster.forget_offsets(f"{country.country.south}.office")
    async with country.south(exactly_once=True):
        await until(lambda: country.outcomes().count("halted") > before.count("halted"))


async def resumed(country: Country) -> None:
    """Let what has halted go on, by an operator's word; no event comes."""
    await halted(country)
    await let_go_on(country)


async def let_go_on(country: Country) -> None:
    """Say as an operator that what has halted goes on, and run the subscription until it does."""
    south, before = country.country.south, country.outcomes().count("resumed")
    operator = country.bus(south)
    await operator._transport.start()
    await go_on(operator._transport, south, "office", begin="recorded", by="mae", why="offsets expired")
    await operator._transport.stop()
    async with country.south(exactly_once=True):
        await until(lambda: country.outcomes().count("resumed") > before)


PUBLISHED, REFUSED, SET_ASIDE = (
    (PublishReceipt, outcome) for outcome in ("published", "refused", "dead-letter")
)
ACK, RETRY, GIVEN_UP, DISCARDED, DISPLACED, HALTED, RESUMED = (
    (DeliveryReceipt, outcome)
    for outcome in ("ack", "retry", "dead-letter", "discarded", "displaced", "halted", "resumed")
)

WRITERS: dict[Callable[[Country], Awaitable[None]], set[tuple[type, str]]] = {
    publishes: {PUBLISHED},
    refusal: {REFUSED},
    source_dead_letter: {SET_ASIDE},
    source_dead_letter_discarded: {SET_ASIDE, DISCARDED},
    deliveries: {PUBLISHED, ACK, RETRY, GIVEN_UP},
    exactly_once: {PUBLISHED, ACK, GIVEN_UP},
    discarded: {PUBLISHED, ACK, RETRY, GIVEN_UP, DISCARDED},
    redriven: {PUBLISHED, GIVEN_UP},
    replayed: {PUBLISHED, ACK, GIVEN_UP},
    displaced: {PUBLISHED, RETRY, ACK, DISPLACED},
    halted: {PUBLISHED, RETRY, ACK, HALTED},
    resumed: {PUBLISHED, RETRY, ACK, HALTED, RESUMED},
}
"""What writes receipts, and the kinds and outcomes that must be among them."""


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
async def test_the_monitor_reads_what_each_writer_writes(
    country: Country, write: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No receipt of the bus' own is called undecodable."""
    await write(country)
    found = await country.monitored(caplog)
    assert found == WRITERS[write]
    resolved = {letter.resolved for letter in country.store.dead_letters()}
    assert resolved <= {DISCARDED in found}


def test_every_outcome_has_a_writer_above() -> None:
    """One that is added to the closed set is written and read here."""
    written = {one for found in WRITERS.values() for one in found}
    named = {(kind, outcome) for kind, outcomes in OUTCOMES.items() for outcome in outcomes}
    assert written == named


async def test_what_has_halted_is_shown_until_it_goes_on_at_an_operators_word(
    country: Country, caplog: pytest.LogCaptureFixture
) -> None:
    """By what the bus writes, and without another event; halted again, it is shown again."""
    for _ in range(2):
        await halted(country)
        await country.monitored(caplog)
        found = country.store.gone_places()
        assert [(each.reason, each.halted) for each in found if each.halted] == [("offsets-expired", True)]
        assert country.store.summary().halted == 1
        south = country.country.south
        assert found[0].go_on.startswith(
            f"govbus subscriptions go-on office --agency {south} --from recorded "
        )
        await let_go_on(country)
        await country.monitored(caplog)
        assert not any(each.halted for each in country.store.gone_places())
        assert country.store.summary().halted == 0
