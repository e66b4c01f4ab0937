"""What the registry says of a growth: paused while its lease is renewed, switched in time or not at all."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import (
    LEASE_MS,
    ClusterState,
    Growth,
    PlanScope,
    RegistryEntry,
    SigningKey,
    TopicState,
    compare_states,
    counts_of,
    growths_of,
    paused_growth,
    settled_growth,
    switched_growth,
)
from contracts.cluster.drift_rules import drift
from contracts.cluster.plan_text import render_plan

SUBJECT, TOPIC = "tax.refund-paid", "tax.refund-paid.v1"
SCOPE = PlanScope(frozenset({"tax"}), lambda topic: topic.startswith("tax."), frozenset({"User:tax"}))


def read(entry: RegistryEntry, timestamp: int = 0) -> Growth:
    """What readers of the topic make of an entry."""
    key = SigningKey(Ed25519PrivateKey.generate())
    value = key.sign(entry, datetime(2026, 11, 30, tzinfo=UTC), "")
    return growths_of([key.trusted.open(entry.key, value, timestamp)])[SUBJECT]


def test_publishers_wait_while_a_growth_is_paused_and_go_on_when_it_is_settled() -> None:
    """The count stays as it was in both."""
    assert read(paused_growth(SUBJECT, 3, 6, 7)) == Growth(SUBJECT, 3, 6, 7)
    assert read(settled_growth(SUBJECT, 3)) == Growth(SUBJECT, 3)


@pytest.mark.parametrize(("late_ms", "expected"), [(0, 6), (LEASE_MS, 6), (LEASE_MS + 1, 3)])
def test_a_switch_counts_only_while_the_lease_ran(late_ms: int, expected: int) -> None:
    """By the broker's times: a process that slept through the lease switches nothing."""
    assert read(switched_growth(SUBJECT, 3, 6, 1_000), 1_000 + late_ms) == Growth(SUBJECT, expected)


def test_the_count_in_force_is_that_of_the_growth_then_that_of_the_contract() -> None:
    """A contract that was never grown has its own."""
    contract = RegistryEntry(f"contract/{SUBJECT}", b'{"documents":{},"partitions":6}')
    other = replace(contract, key="contract/tax.refund-asked")
    forged = replace(contract, key="contract/tax.forged", content=b"", fault="not signed with a trusted key")
    entries = [contract, other, forged, paused_growth(SUBJECT, 3, 6, 1)]
    assert counts_of(entries) == {SUBJECT: 3, "tax.refund-asked": 6}


def state(partitions: int, count: int, *, registry: bool = True, paused: bool = False) -> ClusterState:
    """A cluster with one topic, and the count that publishers of its event use."""
    return ClusterState(
        {TOPIC: TopicState(TOPIC, partitions)},
        entries={} if registry else None,
        counts={SUBJECT: count},
        paused=frozenset({SUBJECT} if paused else ()),
    )


def test_growth_waits_for_leave_and_says_what_it_does() -> None:
    """Order per key is kept, and publishers wait meanwhile."""
    plan = compare_states(state(6, 6), state(3, 3), SCOPE)
    assert [(change.kind, change.what) for change in plan.refusals] == [("growth", ("partitions: 3 -> 6",))]
    assert "`--grow` allows it" in plan.refusals[0].refusal
    grown = compare_states(state(6, 6), state(3, 3), SCOPE, grow=True)
    assert [(change.kind, change.counts) for change in grown.changes] == [
        ("topic", (0, 0)),
        ("growth", (3, 6)),
    ]
    assert "order per key is kept" in grown.changes[1].why
    assert not grown.refusals
    assert drift(grown.changes[1]).place.file == "agencies/tax/refund-paid/contract.yaml"


def test_without_a_registry_growth_needs_more_than_leave() -> None:
    """Nobody could make the publishers wait."""
    desired, found = state(6, 6, registry=False), state(3, 3, registry=False)
    for grow in (False, True):
        plan = compare_states(desired, found, SCOPE, grow=grow)
        assert [change.leave for change in plan.refusals] == [f"growth:{SUBJECT}"]
        assert f"`--grow --allow-destroy growth:{SUBJECT}` allows it" in plan.refusals[0].refusal
    assert compare_states(desired, found, SCOPE, allow_destroy=["all"]).refusals
    assert not compare_states(desired, found, SCOPE, grow=True, allow_destroy=["all"]).refusals


def test_the_count_in_force_never_shrinks_even_with_leave() -> None:
    """Kafka cannot remove partitions, and keys would move."""
    plan = compare_states(state(3, 3), state(6, 6), SCOPE, allow_destroy=["all"], grow=True)
    assert ["Kafka cannot remove" in change.refusal for change in plan.refusals] == [True]


def test_partitions_that_somebody_else_added_are_named_and_left() -> None:
    """They do no harm, so they hold up no `apply`; `verify` reports them."""
    plan = compare_states(state(3, 3), state(5, 3), SCOPE)
    assert plan.changes == ()
    assert [drift(change).what for change in plan.left] == [
        f"`{TOPIC}` differs: partitions: 3 -> 5; somebody else added partitions; publishers go on with 3, "
        "subscribers read all, and order per key is kept"
    ]
    assert "Left as it is" in render_plan(plan)


def test_a_growth_that_somebody_else_began_still_waits_for_subscribers() -> None:
    """The topic has the partitions; that publishers use them is the growth."""
    plan = compare_states(state(6, 6), state(6, 3), SCOPE, grow=True)
    assert [(change.kind, change.counts) for change in plan.changes] == [("growth", (3, 6))]


def test_a_pause_that_nobody_ended_is_ended_by_the_next_apply() -> None:
    """Also where the catalogue wants no growth any more."""
    plan = compare_states(state(3, 3), state(6, 3, paused=True), SCOPE)
    assert [(change.kind, change.counts, change.refusal) for change in plan.changes] == [
        ("growth", (3, 3), "")
    ]
