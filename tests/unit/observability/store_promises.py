"""What a store promises on any database; subclass it and give `url`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from bus import encode_receipts
from bus.receipts.soundness import LARGEST, SMALLEST
from observability import Store, StoreError
from observability.database import retention
from observability.evidence.silence import Addressee
from observability.evidence.trust import Word
from observability.identity import AnyReceipt, publish_key
from observability.receipt_reader import read
from observability.transaction_view import microseconds, moment
from observability.views import State
from tests.unit.observability.country import (
    ALLOWANCE,
    BIRTH,
    BORN,
    MINUTE,
    NUMBER,
    RECORD,
    SECOND,
    SERVICES,
    START,
    UNHURRIED,
    delivered,
    place_gone,
    published,
    refused,
    set_aside,
    unreadable,
    whole_birth,
)


class Clock:
    """The reader's time of day, moved by hand."""

    def __init__(self) -> None:
        self.now = moment(START + 10 * SECOND)

    def __call__(self) -> object:
        """Return the time."""
        return self.now


class StorePromises:
    """The same scenarios for every database."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The reader's clock, ten seconds after the start."""
        return Clock()

    @pytest.fixture
    def store(self, url: str, clock: Clock) -> Iterator[Store]:
        """An empty store."""
        with Store(url, SERVICES, clock=clock) as store:  # type: ignore[arg-type] # a clock by hand
            yield store

    def test_empty_store_says_so(self, store: Store) -> None:
        """Nothing is zero, unknown or absent; nothing fails."""
        summary = store.summary()
        assert (summary.transactions, summary.receipts, summary.freshness) == (0, 0, None)
        assert (store.transactions(), store.agencies(), store.dead_letters()) == ((), (), ())
        assert store.transaction("nobody") is None
        (service,) = store.services()
        assert (service.started, service.p50_ms, service.on_time_share, service.coverage) == (
            0,
            None,
            None,
            0,
        )
        assert {step.took.count for step in store.breakdown(BIRTH.name).steps} == {0}

    def test_whole_transaction_is_measured(self, store: Store) -> None:
        """Counts, percentiles, milestones, agencies and the waterfall agree on one birth."""
        assert store.apply(whole_birth()) == 7
        (service,) = store.services()
        assert (service.started, service.open, service.completed, service.late, service.stuck) == (
            1,
            0,
            1,
            0,
            0,
        )
        assert (service.p50_ms, service.p99_ms, service.window) == (3_000.0, 3_000.0, 1)
        assert (service.on_time_share, service.coverage, service.inclusive) == (1.0, 1.0, True)
        assert [milestone.seen for milestone in service.milestones] == [1, 1, 1, 1]
        view = store.transaction("case-1")
        assert view is not None
        assert (view.state, view.late, view.duration_ms, view.waits_for) == ("completed", False, 3_000.0, ())
        assert [(hop.subject, hop.subscriber) for hop in view.hops] == [
            (BORN, "health"),
            (BORN, "tax"),
            (RECORD, None),
            (NUMBER, "social-security"),
            (ALLOWANCE, None),
        ]
        agencies = {agency.name: agency for agency in store.agencies()}
        assert (agencies["tax"].published, agencies["tax"].delivered) == (1, 1)
        assert (agencies["civil-registry"].skew_ms, agencies["social-security"].handle_p95_ms) == (1.5, 20.0)

    def test_breakdown_says_where_the_time_goes(self, store: Store) -> None:
        """Steps run from event to event, paths from publisher to subscriber."""
        store.apply(whole_birth())
        breakdown = store.breakdown(BIRTH.name)
        assert [(step.event, step.took.p50_ms) for step in breakdown.steps] == [
            (RECORD, 1_000.0),
            (NUMBER, 2_000.0),
            (ALLOWANCE, 1_000.0),
        ]
        assert {
            (path.publisher, path.subscriber, path.queue.p50_ms, path.handle.p50_ms)
            for path in breakdown.paths
        } == {
            ("civil-registry", "health", 4.0, 20.0),
            ("civil-registry", "tax", 4.0, 20.0),
            ("tax", "social-security", 4.0, 20.0),
        }

    def test_breakdown_of_an_unknown_service_is_an_error_with_a_hint(self, store: Store) -> None:
        """A misspelt name is told from an idle service."""
        with pytest.raises(StoreError, match="did you mean `birth-of-a-child`") as caught:
            store.breakdown("birth-of-child")
        assert (caught.value.reason, caught.value.retriable) == ("unknown-service", False)

    def test_replay_counts_nothing_twice(self, store: Store) -> None:
        """Applying the same receipts again, whole or in part, leaves every view as it was."""
        receipts = [*whole_birth(), refused(BORN, START, "case-2"), *whole_birth("case-3")[:3]]
        assert store.apply(receipts, [("tax.receipts", 0, 7)]) == 12
        before = everything(store)
        assert store.apply(receipts, [("tax.receipts", 0, 7)]) == 0
        assert store.apply(receipts[3:6]) == 0
        assert everything(store) == before

    @pytest.mark.parametrize("seed", range(8))
    def test_order_and_batches_change_nothing(self, store: Store, seed: int) -> None:
        """Late, doubled and scattered receipts end in the same views as one batch in order."""
        dead = delivered(BORN, "tax", START, "case-4", outcome="dead-letter", reason="target-rejected")
        receipts = [
            *whole_birth(),
            *whole_birth("case-2", step_us=50 * SECOND),
            *whole_birth("case-3")[:4],
            published(BORN, START, "case-4"),
            dead,
            refused(RECORD, START + SECOND, "case-5"),
            published(RECORD, START + 2 * SECOND, "case-5"),
            delivered(BORN, "health", START, reason="duplicate", queue_us=9_000),
            published(BORN, START, "", service=None),
            set_aside("civil-registry", START + SECOND),
            unreadable("tax", START + SECOND),
        ]
        random = Random(seed)
        scattered = receipts * 2
        random.shuffle(scattered)
        while scattered:
            size = random.randint(1, 6)
            store.apply(scattered[:size])
            del scattered[:size]
        found = everything(store)
        store.apply(receipts)
        assert everything(store) == found
        summary = store.summary()
        assert (summary.transactions, summary.completed, summary.untracked, summary.receipts) == (6, 2, 2, 24)

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (None, ["case-6", "case-4", "case-3", "case-2", "case-1"]),
            ("open", ["case-4", "case-3"]),
            ("completed", ["case-2", "case-1"]),
            ("late", ["case-2", "case-3"]),
            ("stuck", ["case-3", "case-4"]),
            ("refused", ["case-5"]),
            ("untracked", ["case-6"]),
        ],
    )
    def test_transactions_by_state(
        self, store: Store, clock: Clock, state: State | None, expected: list[str]
    ) -> None:
        """Open holds all not completed, late holds all past the deadline; troubled ones oldest first."""
        for number in range(1, 5):
            kept = 7 if number < 3 else 3
            step = 50 * SECOND if number == 2 else SECOND
            store.apply(whole_birth(f"case-{number}", START + number * SECOND, step)[:kept])
        store.apply([refused(BORN, START, "case-5")])
        store.apply(
            [published(BORN, START + 9 * SECOND, "case-6", service="no-such-service", started_at_us=0)]
        )
        clock.now = moment(START + 3 * SECOND + 120 * SECOND) + timedelta(microseconds=1)
        assert [view.id for view in store.transactions(state)] == expected
        assert [view.id for view in store.transactions(state, limit=1)] == expected[:1]

    def test_counts_agree_with_lists(self, store: Store, clock: Clock) -> None:
        """The summary, the services and the lists are three ways to the same numbers."""
        for number in range(20):
            kept = 1 + number % 7
            store.apply(whole_birth(f"case-{number}", START + number * SECOND, 30 * SECOND)[:kept])
        for seconds in (0, 31, 95, 121, 400):
            clock.now = moment(START + seconds * SECOND)
            summary, (service,) = store.summary(), store.services()
            for state in ("open", "completed", "late", "stuck"):
                listed = len(store.transactions(state))
                assert (getattr(summary, state), getattr(service, state)) == (listed, listed), (
                    state,
                    seconds,
                )

    def test_service_filter(self, store: Store) -> None:
        """Only the named service's transactions are listed."""
        store.apply([*whole_birth(), published("x.y", START, "other", service="moving-house")])
        assert [view.id for view in store.transactions(service="moving-house")] == ["other"]

    def test_dead_letter_is_listed_until_it_is_resolved(self, store: Store) -> None:
        """A redrive that is acknowledged resolves it; the record of it stays."""
        store.apply(
            [published(BORN, START), delivered(BORN, "tax", START, outcome="dead-letter", reason="not-json")]
        )
        (letter,) = store.dead_letters()
        assert (letter.agency, letter.reason, letter.publisher, letter.resolved) == (
            "tax",
            "not-json",
            "civil-registry",
            False,
        )
        assert (store.summary().dead_letters, store.dead_letter_reasons()) == (1, {("tax", "not-json"): 1})
        store.apply([delivered(BORN, "tax", START, attempt=2, queue_us=SECOND)])
        assert [letter.resolved for letter in store.dead_letters()] == [True]
        assert (store.summary().dead_letters, store.dead_letter_reasons()) == (0, {})

    def test_record_that_never_became_an_event_is_a_dead_letter_and_no_transaction(
        self, store: Store
    ) -> None:
        """A source's broken row and bytes nobody can read are listed and counted, and that is all."""
        broken, poison = set_aside("civil-registry", START), unreadable("tax", START - SECOND)
        assert store.apply([broken, poison]) == 2
        assert store.apply([broken, poison]) == 0
        listed = [
            (letter.agency, letter.subscription, letter.reason, letter.attempts, letter.transaction)
            for letter in store.dead_letters()
        ]
        assert listed == [
            ("civil-registry", None, "malformed-record", 0, None),
            ("tax", f"{BORN}.v1", "malformed-envelope", 1, None),
        ]
        assert [letter.agency for letter in store.dead_letters(limit=1)] == ["civil-registry"]
        assert store.dead_letter_reasons() == {
            ("civil-registry", "malformed-record"): 1,
            ("tax", "malformed-envelope"): 1,
        }
        agencies = {agency.name: (agency.set_aside, agency.dead_lettered) for agency in store.agencies()}
        assert agencies == {"civil-registry": (1, 0), "tax": (0, 1)}
        summary = store.summary()
        assert (summary.transactions, summary.untracked, summary.dead_letters) == (0, 0, 2)
        assert (summary.receipts, summary.freshness) == (2, moment(START))
        assert [store.transactions(state) for state in (None, "untracked", "refused")] == [(), (), ()]
        assert store.transaction(broken.transaction) is None
        assert store.transaction(poison.transaction) is None

    @pytest.mark.parametrize("cause_first", [True, False])
    @pytest.mark.parametrize("outcome", ["published", "refused"])
    def test_publish_before_its_cause_changes_nothing(
        self, store: Store, outcome: str, *, cause_first: bool
    ) -> None:
        """Whichever receipt comes first; counted once, for who says it. Brokers' clocks may differ."""
        cause = published(BORN, START)
        by = {"causation": cause.event_id}
        make = published if outcome == "published" else refused
        early = make(ALLOWANCE, START - 70 * SECOND, event_id="lie", **by)
        close = published(NUMBER, START - SECOND, **by)
        for batch in ([cause], [early, close]) if cause_first else ([early, close], [cause]):
            store.apply(batch)
        assert [hop.subject for hop in store.transactions()[0].hops] == [NUMBER, BORN]
        store.apply([early])
        assert [(view.agency, view.fault, view.receipts, view.about) for view in store.refusals()] == [
            ("social-security", "before-cause", 1, "social-security")
        ]
        assert (store.summary().published, store.summary().refused) == (2, 0)

    @pytest.mark.parametrize("offset", [7, -1])
    def test_nobody_waits_since_before_the_start_of_a_case(self, store: Store, offset: int) -> None:
        """An agency that dates its event back would else let others seem overdue."""
        early = published(NUMBER, START - 60 * MINUTE, offset=offset)
        store.apply([published(BORN, START), early])
        (case,) = store.transactions()
        assert case.state == "open"
        assert [(wait.event, wait.since) for wait in case.waits_for] == [
            (RECORD, moment(START)), (ALLOWANCE, moment(START)),
        ]  # fmt: skip

    @pytest.mark.parametrize("lie_first", [True, False])
    def test_case_is_of_the_service_whose_start_others_received(self, url: str, *, lie_first: bool) -> None:
        """Who dates an event of its own back before the start takes no case for its service."""
        start, end = "police.fine-issued", "police.fine-paid"
        fine = replace(BIRTH, name="fine", start=start, milestones=(), ends=(end,))
        before: dict[str, Any] = {"service": fine.name, "event_id": "kept for a lie"}
        lie = published(start, START - 60 * MINUTE, **before)
        true: list[AnyReceipt] = [published(BORN, START), delivered(BORN, "tax", START)]
        own = delivered(start, "police", lie.broker_time_us, **before)
        elsewhere = delivered(start, "courts", START, **before)
        with Store(url, {**SERVICES, fine.name: fine}, clock=lambda: moment(START + SECOND)) as store:
            batches: list[list[AnyReceipt]] = [[lie, own, elsewhere], true]
            for batch in batches if lie_first else batches[::-1]:
                store.apply(batch)
            (case,) = store.transactions()
            assert (case.service, case.state, case.started) == (BIRTH.name, "open", moment(START))
            store.apply([published(start, START, "case-2", service=fine.name)])
            assert {view.service for view in store.transactions()} == {BIRTH.name, fine.name}

    @pytest.mark.parametrize("told_first", [True, False])
    def test_event_that_was_published_again_makes_nobody_a_liar(
        self, store: Store, clock: Clock, *, told_first: bool
    ) -> None:
        """Its publisher was killed before the first receipt; the first copy was handled, and had effects."""
        again = published(BORN, START + 5 * MINUTE, offset=9)
        heard = delivered(BORN, "health", START, offset=5)
        effect = published(RECORD, START + SECOND, causation=again.event_id)
        twice = delivered(BORN, "health", again.broker_time_us, offset=9, reason="duplicate")
        clock.now = moment(START + 6 * MINUTE)
        batches: list[list[AnyReceipt]] = [[again, twice], [heard, effect]]
        for batch in batches if told_first else batches[::-1]:
            store.apply(batch)
        assert store.refusals() == ()
        (case,) = store.transactions()
        assert RECORD not in [wait.event for wait in case.waits_for]
        lie = published(NUMBER, START + SECOND, causation=again.event_id)
        store.apply([lie, delivered(BORN, "tax", START, offset=9)])
        assert {(view.agency, view.fault, view.receipts) for view in store.refusals()} == {
            ("tax", "before-cause", 2)
        }

    def test_cause_that_no_topic_confirmed_makes_nobody_a_liar(self, store: Store) -> None:
        """Until it is confirmed: a publisher could else say that the events of others came before its own."""
        cause = published(BORN, START + MINUTE)
        word = Word(cause.agency, cause, cause.broker_time_us, ("civil-registry.receipts", 0, 1))
        store.apply([cause, published(NUMBER, START, causation=cause.event_id)], unchecked=[word])
        unknown = published(BORN, START + MINUTE, "case-2", offset=-1)
        store.apply([unknown, published(NUMBER, START, "case-2", causation=unknown.event_id)])
        assert (store.summary().published, store.refusals()) == (4, ())
        store.settle([publish_key(cause)], {})
        assert (store.summary().published, [view.agency for view in store.refusals()]) == (3, ["tax"])

    @pytest.mark.parametrize("together", [True, False])
    def test_two_events_at_one_offset_count_once(self, store: Store, *, together: bool) -> None:
        """The topic has one of them: the word that came first stays, the other changes nothing."""
        one = published(RECORD, START)
        same = {"topic": one.topic, "offset": one.offset}
        lies = [published(RECORD, START + SECOND, f"other-{n}", **same) for n in range(2)]
        others = [
            published(RECORD, START, "elsewhere", partition=1, offset=one.offset),
            published(RECORD, START + MINUTE, "after the topic was made again", offset=one.offset),
            *(published(RECORD, START, f"unknown-{n}", offset=-1) for n in range(2)),
        ]
        batches = [[one, *lies, *others]] if together else [[one], [lies[0]], [lies[1], *others]]
        for _ in range(2):
            for batch in batches:
                store.apply(batch)
        assert store.transaction(one.transaction)
        assert [store.transaction(lie.transaction) for lie in lies] == [None, None]
        assert all(store.transaction(other.transaction) for other in others)
        assert {(view.agency, view.fault) for view in store.refusals()} == {("health", "contradiction")}
        assert store.summary().published == 5

    def test_what_is_unchecked_is_shown_by_who_wrote_it(self, store: Store) -> None:
        """How much, and when the latest was written."""
        told = [published(BORN, START), published(RECORD, START, "a"), published(RECORD, START, "b")]
        words = [
            Word(one.agency, one, at_us, (f"{one.agency}.receipts", 0, at_us))
            for at_us, one in enumerate(told)
        ]
        store.apply([word.receipt for word in words], unchecked=words)
        assert [(view.agency, view.fault, view.receipts, view.latest) for view in store.not_checked()] == [
            ("civil-registry", "unchecked", 1, moment(0)),
            ("health", "unchecked", 2, moment(2)),
        ]
        assert store.summary().unchecked == 3

    def test_what_cannot_be_checked_of_one_agency_keeps_no_other_from_it(self, store: Store) -> None:
        """Its topics may not exist; they take turns, the oldest of each first."""
        ghosts = [published("ghost.thing", START + n, f"ghost-{n}") for n in range(5)]
        told = [*ghosts, *(published(RECORD, START + MINUTE + n, f"case-{n}") for n in range(2))]
        words = [Word(one.agency, one, one.broker_time_us, (f"{one.agency}.receipts", 0, 1)) for one in told]
        store.apply(told, unchecked=words)
        assert [word.receipt.transaction for word in store.unchecked(4)] == [
            "ghost-0", "case-0", "ghost-1", "case-1",
        ]  # fmt: skip

    def test_what_is_undated_is_shown_apart_and_asked_about_no_more(self, store: Store) -> None:
        """Whether that was known at once or later: nothing will ever say when it was."""
        told = [published(RECORD, START, name) for name in "ab"]
        first, second = (Word("health", one, START, ("health.receipts", 0, 1)) for one in told)
        store.apply(told, unchecked=[first], undated=[second])
        assert [word.receipt for word in store.unchecked(9)] == [told[0]]
        store.settle([], {}, [publish_key(told[0])])
        assert store.unchecked(9) == []
        assert [(view.fault, view.receipts) for view in store.not_checked()] == [("undated", 2)]
        assert (store.summary().unchecked, store.summary().published) == (0, 2)

    @pytest.mark.parametrize("settles", ["confirmed", "refuted", "undated"])
    def test_a_publish_that_no_topic_confirmed_makes_no_subscriber_a_liar(
        self, store: Store, settles: str
    ) -> None:
        """A publisher could else say that its event came after who handled it, while nobody can be asked."""
        late = published(BORN, START + 5 * MINUTE, offset=7)
        word = Word(late.agency, late, late.broker_time_us, ("civil-registry.receipts", 0, 1))
        store.apply([late, delivered(BORN, "tax", START, offset=7)], unchecked=[word])
        assert (store.summary().delivered, store.refusals()) == (1, ())
        key = publish_key(late)
        confirmed = [key] if settles == "confirmed" else []
        undated = [key] if settles == "undated" else []
        store.settle(confirmed, {key: "wrong-time"} if settles == "refuted" else {}, undated)
        liars = {"confirmed": ["tax"], "refuted": ["civil-registry"], "undated": []}[settles]
        assert [view.agency for view in store.refusals()] == liars
        assert store.summary().delivered == (0 if settles == "confirmed" else 1)

    def test_refused_follow_up_makes_its_transaction_stuck(self, store: Store) -> None:
        """The transaction would wait for ever; it says for what, and why it will not come."""
        store.apply([*whole_birth()[:6], refused(ALLOWANCE, START + 3 * SECOND)])
        (view,) = store.transactions("stuck")
        assert [(wait.event, wait.cause, wait.reason) for wait in view.waits_for] == [
            (ALLOWANCE, "refused", "contract-violation")
        ]
        assert (store.summary().stuck, store.services()[0].stuck, store.summary().refused) == (1, 1, 1)
        store.apply([published(ALLOWANCE, START + 9 * SECOND, event_id="mended")])
        assert [view.state for view in store.transactions()] == ["completed"]

    def test_silent_agency_is_named_by_its_cases_its_metric_and_its_lag(
        self, store: Store, clock: Clock
    ) -> None:
        """Who receives nothing of what waits for it is silent after 65 s, until it receives again."""
        store.apply([*whole_birth("case-1"), published(BORN, START + 10 * SECOND, "case-2")])
        store.apply([delivered(BORN, "health", START + 10 * SECOND, "case-2")])
        store.apply([published(RECORD, START + 11 * SECOND, "case-2")])
        clock.now = moment(START + 39 * SECOND)
        assert [view.state for view in store.transactions("open")] == ["open"]
        with Store(store.url, UNHURRIED, clock=clock) as other:  # type: ignore[arg-type] # by hand
            other.apply([])
            clock.now = moment(START + 75 * SECOND)
            assert [view.state for view in other.transactions("open")] == ["open"]
            clock.now = moment(START + 75 * SECOND + SECOND // 1000)
            (view,) = other.transactions("agency-silent")
            assert (view.id, view.state) == ("case-2", "agency-silent")
            (wait,) = view.waits_for
            assert (wait.event, wait.cause, wait.silent_since) == (
                NUMBER,
                "agency-silent",
                moment(START + 10 * SECOND),
            )
            assert (other.summary().agency_silent, other.services()[0].agency_silent) == (1, 1)
            activity = {agency.name: agency.activity for agency in other.agencies()}
            assert {name for name, found in activity.items() if found and found.silent_since} == {"tax"}
            tax = activity["tax"]
            assert tax is not None
            assert (tax.owes, tax.owes_since, tax.lag_ms) == (1, moment(START + 10 * SECOND), 65_001.0)
            assert (tax.received, tax.handled) == (moment(START + 4_000), moment(START + 24_000))
            assert tax.published == moment(START + 2 * SECOND)
            assert {(each.agency, each.lag_ms) for each in other.subscriptions() if each.lag_ms} == {
                ("tax", 65_001.0)
            }
            other.apply([delivered(BORN, "tax", START + 10 * SECOND, "case-2", queue_us=65 * SECOND)])
            assert other.summary().agency_silent == 0
            assert [view.state for view in other.transactions("open")] == ["open"]
            assert not any(each.lag_ms for each in other.subscriptions())

    def test_agency_that_never_reported_is_silent_for_the_cases_that_wait_for_it(
        self, store: Store, clock: Clock, url: str
    ) -> None:
        """Unless it may not receive the event at all, as the catalogue says."""
        clock.now = moment(START + 100 * SECOND)
        for grants, silent in ((None, {"health", "tax"}), ({Addressee("tax", BORN)}, {"tax"}), ((), set())):
            with Store(url, UNHURRIED, grants=grants, clock=clock) as other:  # type: ignore[arg-type]
                other.apply([published(BORN, START, f"case-{grants}")])
                view = other.transaction(f"case-{grants}")
                assert view is not None
                assert {wait.agency for wait in view.waits_for if wait.silent_since} == silent

    def test_place_that_is_gone_is_counted_and_halts_until_its_subscription_goes_on(
        self, store: Store, clock: Clock
    ) -> None:
        """Of this subscription and this partition only; what was in hand before does not count."""
        clock.now = moment(START + 60 * MINUTE)
        said = [
            place_gone("tax", START, attempt=40),
            place_gone("health", START, outcome="halted", reason="offsets-expired"),
            place_gone("health", START, 8, outcome="halted", reason="offsets-expired", partition=1),
        ]
        store.apply(said)
        store.apply([replace(said[1], finished_us=START + 2 * MINUTE), *said])  # said again after a restart
        later = START + 5 * MINUTE
        store.apply(
            [
                delivered(BORN, "health", START, "in-hand", finished_us=later),
                delivered(BORN, "health", later, "other-name", subscription="office"),
                delivered(BORN, "health", later, "again", subscription=f"{BORN}.v1.replay.again"),
                delivered(BORN, "tax", later, "other-agency"),
            ]
        )
        topic = f"{BORN}.v1"
        assert [(each.agency, each.partition, each.halted) for each in store.gone_places()] == [
            ("health", 1, True),
            ("health", 0, True),
            ("tax", 0, False),
        ]
        assert store.gone_counts() == (
            ("health", topic, "offsets-expired", 2, 0, 2),
            ("tax", topic, "records-lost", 1, 40, 0),
        )
        tax = store.gone_places()[-1]
        assert (tax.reason, tax.lost, tax.since, tax.time) == (
            "records-lost",
            40,
            moment(START),
            moment(START + MINUTE),
        )
        assert store.summary().halted == 2
        store.apply([delivered(BORN, "health", later, "next")])
        assert [each.partition for each in store.gone_places() if each.halted] == [1]
        found = {agency.name: agency.activity.halted for agency in store.agencies() if agency.activity}
        assert found == {"health": 1, "tax": 0}
        assert store.gone_counts()[0].places == 2
        store.apply([place_gone("health", later, 50, reason="topic-replaced", partition=1)])
        assert store.summary().halted == 0

    def test_monitor_that_is_behind_calls_nobody_silent(self, store: Store, clock: Clock) -> None:
        """The receipts that are missing may be written, and not read yet."""
        store.apply([published(BORN, START, service=None)])
        store.apply(
            [delivered(BORN, "tax", START, service=None), published(BORN, START + SECOND, "b", service=None)]
        )
        store.note_read_until(moment(START + 60 * SECOND))
        clock.now = moment(START + 900 * SECOND)
        (lag,) = store.subscriptions()
        assert lag.lag_ms == 59_000.0
        store.note_read_until(moment(START + 800 * SECOND))
        assert {
            agency.name for agency in store.agencies() if agency.activity and agency.activity.silent_since
        } == {"tax"}

    @pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(minutes=-5)])
    def test_who_only_reads_has_the_time_of_the_broker(self, url: str, ahead: timedelta) -> None:
        """A monitor keeps it in the database, where the clock of another machine counts for nothing."""
        with Store(url, UNHURRIED) as reader:
            assert abs(reader.now() - datetime.now(UTC)) < timedelta(minutes=2)
            with Store(url, UNHURRIED, clock=lambda: datetime.now(UTC) + ahead) as monitor:
                monitor.note_read_until(monitor.now())
            broker = microseconds(datetime.now(UTC) + ahead)
            assert abs(microseconds(reader.now()) - broker) < 2 * MINUTE
            reader.apply(
                [published(BORN, broker - 10 * SECOND, "a"), published(BORN, broker - 4 * MINUTE, "b")]
            )
            assert {view.id: view.late for view in reader.transactions()} == {"a": False, "b": True}

    def test_replay_and_a_subscription_gone_for_a_week_have_no_lag(self, store: Store, clock: Clock) -> None:
        """The one has ended, the other is forgotten as by Kafka."""
        again = delivered(BORN, "tax", START, subscription="office.replay.again")
        store.apply([published(BORN, START), again, delivered(BORN, "health", START)])
        store.apply([published(BORN, START + SECOND, "case-2")])
        clock.now = moment(START + 6 * 24 * 60 * MINUTE)
        assert [lag.agency for lag in store.subscriptions()] == ["health"]
        clock.now = moment(START + 8 * 24 * 60 * MINUTE)
        assert store.subscriptions() == ()

    def test_receipts_whose_times_run_backwards_are_counted(self, store: Store) -> None:
        """Each once; a tenth of a second is no more than two readings of a clock differ by."""
        for late_us in (-5_000_000, -50_000, 4_000):
            store.apply([delivered(BORN, f"health-{-late_us}", START, queue_us=late_us)])
            store.apply([delivered(BORN, f"health-{-late_us}", START, queue_us=late_us)])
        assert store.summary().backwards == 1

    def test_receipt_from_the_future_makes_nothing_newer(self, store: Store, clock: Clock) -> None:
        """It is counted, and neither the freshness nor a subscription's progress follows it."""
        clock.now = moment(START + 10 * SECOND)
        store.apply([published(BORN, START), delivered(BORN, "tax", START)])
        ahead = START + 400 * 24 * 60 * MINUTE
        store.apply([delivered(BORN, "tax", ahead, "case-9"), published(RECORD, ahead, "case-9")])
        summary = store.summary()
        assert (summary.future, summary.freshness) == (2, moment(START + 24_000))
        store.apply([published(BORN, START + SECOND, "case-2")])
        (lag,) = store.subscriptions()
        assert lag.lag_ms == 9_000.0

    def test_what_ended_long_ago_is_deleted_and_stays_counted(
        self, url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A transaction goes as a whole; what is in flight stays; nothing is counted again."""
        monkeypatch.setattr(retention, "BATCH", 10)
        day = 24 * 60 * MINUTE
        old = [row for number in range(12) for row in whole_birth(f"case-{number}", START + number)]
        old += [set_aside("tax", START), unreadable("tax", START), refused(BORN, START, "case-refused")]
        waits = published(BORN, START, "case-open")
        recent = whole_birth("case-new", START + 35 * day)
        with Store(url, SERVICES, keep=timedelta(days=31), clock=clock) as store:  # type: ignore[arg-type]
            store.apply([*old, waits, *recent])
            clock.now = moment(START + 40 * day)
            before = (store.summary(), store.services()[0].completed, store.services()[0].milestones)
            steps = []
            while deleted := store.prune():
                steps.append(deleted)
            assert (max(steps), sum(steps)) == (10, 15)
            after = (store.summary(), store.services()[0].completed, store.services()[0].milestones)
            assert replace(before[0], dead_letters=0) == after[0]
            assert before[1:] == after[1:]
            assert {view.id for view in store.transactions(limit=1000)} == {"case-open", "case-new"}
            assert store.apply([*old, waits, *recent]) == 0
            assert store.apply([published(RECORD, START + SECOND, "case-open")]) == 1
            assert replace(after[0], receipts=after[0].receipts + 1, published=after[0].published + 1) == (
                store.summary()
            )

    def test_case_that_waits_for_less_than_the_limit_is_open_though_its_agency_is_silent(
        self, store: Store, clock: Clock
    ) -> None:
        """Alone, in the list and in the headline: another case made the agency silent."""
        heard = [delivered(BORN, "health", START + at, id_) for at, id_ in ((0, "old"), (60 * SECOND, "new"))]
        with Store(store.url, UNHURRIED, clock=clock) as other:  # type: ignore[arg-type] # by hand
            other.apply([published(BORN, START, "old"), published(BORN, START + 60 * SECOND, "new"), *heard])
            clock.now = moment(START + 70 * SECOND)
            assert {view.id: view.state for view in other.transactions("open")} == {
                "old": "agency-silent", "new": "open",
            }  # fmt: skip
            (new,) = (view for view in other.transactions("open") if view.id == "new")
            assert other.transaction("new") == new
            assert not any(wait.silent_since or wait.cause for wait in new.waits_for if wait.agency == "tax")
            assert [view.id for view in other.transactions("agency-silent")] == ["old"]
            assert other.summary().agency_silent == 1

    def test_headline_numbers_count_nothing_twice(self, store: Store, clock: Clock) -> None:
        """A case in flight is stuck, of a silent agency or late; a refusal that was kept is a dead letter."""
        kept = set_aside("tax", START + SECOND, transaction="stuck", type=f"{NUMBER}.v1", service=BIRTH.name)
        received = [delivered(BORN, agency, START, "late") for agency in ("health", "tax")]
        with Store(store.url, UNHURRIED, clock=clock) as other:  # type: ignore[arg-type] # by hand
            other.apply(
                [
                    *whole_birth("done"),
                    *whole_birth("done-late", step_us=50 * SECOND),
                    published(BORN, START, "stuck"),
                    refused(NUMBER, START + SECOND, "stuck"),
                    kept,
                    refused(BORN, START, "alone"),
                    published(BORN, START, "silent"),
                    published(BORN, START, "late"),
                    *received,
                ]
            )
            clock.now = moment(START + 300 * SECOND)
            found = other.summary()
            assert (found.open, found.stuck, found.agency_silent, found.late_in_flight) == (3, 1, 1, 1)
            assert (found.completed, found.completed_late, found.late) == (2, 1, 4)
            assert (found.refused, found.refused_unkept, found.dead_letters) == (2, 1, 1)
            assert {view.id: view.state for view in other.transactions("open")} == {
                name: "agency-silent" if name == "silent" else name for name in ("stuck", "silent", "late")
            }

    def test_texts_of_any_length_are_stored_and_found(self, store: Store) -> None:
        """PostgreSQL keeps no long key: what one agency writes must not end the monitor of all."""
        long = "".join(sha256(bytes([number])).hexdigest() for number in range(200))
        born = [published(BORN, START, long + end, event_id=end + long, source=long) for end in "ab"]
        texts: dict[str, Any] = {
            "event_id": long,
            "source": long,
            "subscription": long,
            "type": long,
            "service": long,
        }
        heard = delivered(BORN, "tax", START, long + "a", **texts, topic=long, reason=long, agency=long)
        told = read(encode_receipts([*born, heard]))
        assert told.reason is None
        assert store.apply(told.receipts) == 3
        assert store.apply(told.receipts) == 0
        assert [store.transaction(long + end) is None for end in "abc"] == [False, False, True]
        assert read(encode_receipts(born[:1])).receipts[0].event_id != told.receipts[1].event_id

    def test_undecodable_record_is_counted_once(self, store: Store) -> None:
        """Its place identifies it."""
        assert store.apply([], [("t", 0, 1), ("t", 0, 2), ("t", 0, 1)]) == 2
        assert store.apply([], [("t", 0, 2)]) == 0
        assert store.summary().undecodable == 2

    @pytest.mark.parametrize("told", [SMALLEST, LARGEST])
    def test_absurd_start_does_not_break_a_reader(self, store: Store, told: int) -> None:
        """A foreign `startedat` of the year 1 or 9999 is shown, and every view still answers."""
        store.apply([published(BORN, LARGEST - 10 * SECOND, started_at_us=told)])
        assert store.summary().transactions == 1
        assert everything(store)

    def test_totals_survive_reopening(self, store: Store, url: str) -> None:
        """Another process sees what this one wrote."""
        store.apply(whole_birth())
        with Store(url, SERVICES, clock=lambda: moment(START + 10 * SECOND)) as other:
            assert everything(other) == everything(store)

    def test_changed_definition_moves_what_is_not_completed(self, store: Store, url: str) -> None:
        """A shorter deadline holds for transactions in flight; completed ones keep their judgement."""
        store.apply([*whole_birth(), *whole_birth("case-2")[:3]])
        assert store.summary().stuck == 0
        first = replace(BIRTH.milestones[0], deadline_seconds=1.0)
        shorter = {
            BIRTH.name: replace(BIRTH, deadline_seconds=2.0, milestones=(first, *BIRTH.milestones[1:]))
        }
        with Store(url, shorter, clock=lambda: moment(START + 5 * SECOND)) as other:
            other.apply([])
            summary = other.summary()
        assert (summary.stuck, summary.late, summary.completed, summary.open) == (1, 1, 1, 1)

    def test_service_added_to_the_catalogue_tracks_what_was_untracked(self, url: str) -> None:
        """Receipts are kept before anyone has defined their service."""
        now = moment(START + 10 * SECOND)
        with Store(url, {}, clock=lambda: now) as store:
            store.apply(whole_birth())
            assert (store.summary().untracked, store.summary().completed) == (1, 0)
        with Store(url, SERVICES, clock=lambda: now) as store:
            store.apply([])
            assert (store.summary().untracked, store.summary().completed) == (0, 1)


def everything(store: Store) -> tuple[object, ...]:
    """Return every view a reader can have."""
    return (
        store.summary(),
        store.transactions(limit=1_000),
        store.transactions("refused"),
        store.services(),
        store.breakdown(BIRTH.name),
        store.agencies(),
        store.dead_letters(),
        store.dead_letter_reasons(),
    )
