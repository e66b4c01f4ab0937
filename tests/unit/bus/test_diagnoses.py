"""Which command mends a difference between cluster and catalogue."""

import pytest

from bus.doctor.diagnoses import of_plan
from contracts import ClusterState, PlanScope, TopicState, compare_states

SUBJECT, TOPIC = "tax.refund-paid", "tax.refund-paid.v1"
SCOPE = PlanScope(frozenset({"tax"}), lambda topic: topic.startswith("tax."), frozenset({"User:tax"}))


def _state(count: int, *, registry: bool) -> ClusterState:
    topic = TopicState(TOPIC, max(count, 6))
    return ClusterState({TOPIC: topic}, entries={} if registry else None, counts={SUBJECT: count})


@pytest.mark.parametrize(
    ("wanted", "found", "registry", "remedy"),
    [
        (6, 3, True, "govbus contracts apply --grow"),
        (6, 3, False, "govbus contracts plan"),
        (3, 6, True, "govbus contracts plan"),
        (3, 6, False, "govbus contracts plan"),
    ],
)
def test_a_growth_that_needs_more_than_its_option_is_explained_by_the_plan(
    wanted: int, found: int, registry: bool, remedy: str
) -> None:
    """Where nobody can make publishers wait, and where keys would move back."""
    plan = compare_states(
        _state(wanted, registry=registry), _state(found, registry=registry), SCOPE, grow=True
    )
    named = f"`{SUBJECT}` (partitions: {found} -> {wanted})"
    assert [
        (one.what.partition(": ")[2], one.remedy) for one in of_plan(plan, is_guarded=False) if one.remedy
    ] == [(named, remedy)]
