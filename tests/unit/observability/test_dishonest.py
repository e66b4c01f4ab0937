"""A dishonest agency writes every lie it can think of to its own topic; nothing of others changes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bus import (
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    DeliveryReceipt,
    PublishReceipt,
    encode_receipts,
    receipts_topic,
)
from bus.testing import InMemoryCluster
from observability import Monitor, Store
from observability.evidence.topic_check import TopicCheck
from observability.evidence.trust import Standing
from tests.unit.observability.country import (
    ALLOWANCE,
    BORN,
    NUMBER,
    RECORD,
    SECOND,
    SERVICES,
    delivered,
    published,
    refused,
    whole_birth,
)
from tests.unit.observability.writing import AnyReceipt, write

LIAR = "police"
DAYS = 3 * 86_400 * SECOND


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    soon = datetime.now(UTC) + timedelta(seconds=5)  # a clock that stands: how long a case takes stays
    with Store(f"sqlite:///{tmp_path / 'm.db'}", SERVICES, clock=lambda: soon) as store:
        yield store


@pytest.fixture
def cluster() -> InMemoryCluster:
    """A cluster with the topics of the reference catalogue."""
    return InMemoryCluster()


async def watch(cluster: InMemoryCluster, store: Store) -> None:
    """Run a monitor over all receipts."""
    async with cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
        monitor = Monitor(store, consumer, TopicCheck(cluster.offsets(), store))
        for _ in range(4):
            await monitor.step()


def say(cluster: InMemoryCluster, *receipts: AnyReceipt, speaker: str = LIAR) -> None:
    """Write receipts, whatever they say, where `speaker` may write."""
    for receipt in receipts:
        cluster.append(receipts_topic(speaker), encode_receipts([receipt]), partition=0)


def seen(store: Store) -> object:
    """Return what everybody but the liar can look at."""
    summary = store.summary()
    agencies = [view for view in store.agencies() if view.name != LIAR]
    cases = store.transactions(limit=100)
    whole = replace(summary, receipts=0, delivered=0, freshness=None)  # the liar's own are counted too
    return whole, agencies, cases, store.services(), store.dead_letters()


def lies(true: list[AnyReceipt]) -> list[AnyReceipt]:
    """Return lies about a running case, and about one that never was."""
    born = next(one for one in true if isinstance(one, PublishReceipt))
    now = born.broker_time_us
    ghost = [replace(one, transaction="ghost", event_id=f"ghost-{n}") for n, one in enumerate(whole_birth())]
    dressed = [replace(one, agency=LIAR) for one in ghost]
    return [
        *ghost,
        *dressed,
        replace(born, broker_time_us=now - DAYS, started_at_us=now - DAYS),
        replace(born, agency=LIAR, broker_time_us=now - DAYS),
        replace(born, service="register-a-motor-vehicle"),
        *(published(subject, now, offset=0) for subject in (RECORD, NUMBER, ALLOWANCE)),
        refused(RECORD, now),
        refused(RECORD, now, agency=LIAR),
        delivered(BORN, "tax", now, outcome="dead-letter", reason="target-rejected"),
        delivered(BORN, "health", now, outcome="dead-letter", reason="target-rejected"),
        published("police.fine-issued", now, offset=12_345),
        published("police.fine-issued", now + DAYS, offset=0),
        published("police.ghost", now, offset=0),
        published("police.fine-issued", now, topic=f"{BORN}.v1", offset=born.offset),
        delivered(BORN, LIAR, now + DAYS),
        delivered(BORN, LIAR, now - DAYS, broker_time_us=now - DAYS),
    ]


async def test_no_lie_changes_what_others_see(cluster: InMemoryCluster, store: Store) -> None:
    """Each is counted once, under the name of its speaker."""
    running = write(cluster, whole_birth()[:1])
    write(cluster, whole_birth("case-2"))
    await watch(cluster, store)
    before = seen(store)
    told = lies(running)
    say(cluster, *told)
    await watch(cluster, store)
    assert seen(store) == before
    counts = {(view.agency, view.fault): view.receipts for view in store.refusals()}
    assert {agency for agency, _ in counts} == {LIAR}
    of_itself = [one for one in told if isinstance(one, DeliveryReceipt) and one.transaction == "ghost"]
    assert sum(counts.values()) == len(told) - len([one for one in of_itself if one.agency == LIAR])
    assert {fault for _, fault in counts} == {
        "other-agency", "other-event", "no-such-offset", "ahead-of-now", "before-cause",
    }  # fmt: skip
    about = {(view.fault, view.about) for view in store.refusals()}
    assert {("other-event", "civil-registry"), ("ahead-of-now", "civil-registry")} <= about
    cluster.commit(MONITOR_GROUP, dict.fromkeys(cluster.committed(MONITOR_GROUP), 0))
    await watch(cluster, store)
    assert {(view.agency, view.fault): view.receipts for view in store.refusals()} == counts


async def test_a_publisher_cannot_back_date_its_own_event(cluster: InMemoryCluster, store: Store) -> None:
    """The case would be late or stuck in days that nobody waited, and others would be blamed."""
    (born,) = write(cluster, whole_birth()[:1])
    assert isinstance(born, PublishReceipt)
    say(cluster, replace(born, broker_time_us=born.broker_time_us - DAYS), speaker="civil-registry")
    await watch(cluster, store)
    (case,) = store.transactions()
    assert (case.state, case.late) == ("open", False)
    assert [(view.agency, view.fault) for view in store.refusals()] == [("civil-registry", "wrong-time")]


async def test_an_end_that_was_never_published_completes_nothing(
    cluster: InMemoryCluster, store: Store
) -> None:
    """Even if its own publisher says so."""
    born, *_ = write(cluster, whole_birth()[:1])
    assert isinstance(born, PublishReceipt)
    for subject in (RECORD, ALLOWANCE):
        end = published(subject, born.broker_time_us, offset=0)
        say(cluster, end, speaker=end.agency)
    await watch(cluster, store)
    assert [case.state for case in store.transactions()] == ["open"]
    assert {view.fault for view in store.refusals()} == {"no-such-offset"}


async def test_what_could_not_be_checked_is_checked_later(
    cluster: InMemoryCluster, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts until the topic answers, is shown as unchecked, and goes if it was false."""
    monkeypatch.setattr("observability.monitor.CHECK_AGAIN_SECONDS", 0.0)
    (born,) = write(cluster, whole_birth()[:1])
    assert isinstance(born, PublishReceipt)
    say(cluster, published(RECORD, born.broker_time_us, offset=7), speaker="health")

    class Away(TopicCheck):
        """A check whose cluster is away."""

        async def standings(self, publishes: Sequence[PublishReceipt]) -> list[Standing]:
            """Know nothing."""
            return ["unchecked"] * len(publishes)

    async with cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
        for _ in range(3):
            await Monitor(store, consumer, Away(cluster.offsets(), store)).step()
    assert (store.summary().unchecked, store.summary().published) == (2, 2)
    await watch(cluster, store)
    assert (store.summary().unchecked, store.summary().published) == (0, 1)
    assert [(view.agency, view.fault) for view in store.refusals()] == [("health", "no-such-offset")]


async def test_a_topic_with_the_times_of_its_publishers_neither_accuses_nor_acquits(
    cluster: InMemoryCluster, store: Store
) -> None:
    """What it is said to have is still asked of it."""
    (born,) = write(cluster, whole_birth()[:1])
    assert isinstance(born, PublishReceipt)
    cluster.undated_topics.add(f"{BORN}.v1")
    early = replace(born, event_id="early", broker_time_us=born.broker_time_us - 3_600 * SECOND)
    say(cluster, early, replace(born, event_id="nowhere", offset=7), speaker="civil-registry")
    await watch(cluster, store)
    assert {(view.agency, view.fault) for view in store.refusals()} == {("civil-registry", "no-such-offset")}
    assert [(view.fault, view.receipts) for view in store.not_checked()] == [("undated", 2)]


async def test_a_delivery_before_its_publish_changes_nothing_in_any_order(
    cluster: InMemoryCluster, store: Store
) -> None:
    """Its own account of when the event was published does not help it."""
    born, *_ = write(cluster, whole_birth()[:1])
    early = born.broker_time_us - DAYS
    lie = delivered(BORN, "tax", early, outcome="dead-letter", reason="target-rejected")
    assert isinstance(lie, DeliveryReceipt)
    say(cluster, replace(lie, event_id=born.event_id), speaker="tax")
    await watch(cluster, store)
    assert [case.state for case in store.transactions()] == ["open"]
    assert [(view.agency, view.fault) for view in store.refusals()] == [("tax", "before-cause")]
    store.apply([replace(lie, event_id=born.event_id)])
    assert store.summary().dead_letters == 0
