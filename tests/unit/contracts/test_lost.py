"""A catalogue that lost something since it was applied takes nothing from anyone without permission."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts import Access, CatalogParts, ClusterState, PlanScope, compare_states
from contracts.cluster.plan_text import render_plan

AGENCIES = frozenset({"tax", "health", "police"})
SCOPE = PlanScope(
    AGENCIES,
    lambda topic: topic.partition(".")[0] in AGENCIES,
    frozenset(f"User:{name}" for name in AGENCIES),
)
READS = frozenset(
    {
        *(("tax", f"health.event-{number}") for number in range(4)),
        *(("health", f"tax.event-{number}") for number in range(3)),
        ("police", "tax.event-0"), ("police", "health.event-0"),
    }
)  # fmt: skip
SERVICES = frozenset(f"service-{number}" for number in range(5))
APPLIED = CatalogParts(AGENCIES, READS, SERVICES)


def state(parts: CatalogParts = APPLIED) -> ClusterState:
    """A catalogue of some documents, or a cluster that goes by them."""
    access = (
        Access(f"User:{consumer}", "topic", f"{subject}.v1", prefixed=False, operation="read")
        for consumer, subject in parts.subscriptions
    )
    return ClusterState(parts=parts, access=frozenset(access))


def refused(here: CatalogParts) -> dict[str, tuple[str, ...]]:
    """What of a catalogue is asked about, by its name; with leave it is a note."""
    # Its quota differs in any case: a plan without changes has nothing to ask about.
    desired = replace(state(here), quotas={"tax": {"producer_byte_rate": 1.0}})
    plan = compare_states(desired, state(), SCOPE)
    freed = compare_states(desired, state(), SCOPE, allow_destroy=["all"])
    assert freed.refusals == ()
    told = {change.name: change.what for change in plan.refusals}
    assert freed.notes == tuple(f"{name}: {what}" for name, whats in told.items() for what in whats)
    return told


def without(*gone: tuple[str, str]) -> CatalogParts:
    """The catalogue without some subscriptions."""
    return replace(APPLIED, subscriptions=READS - set(gone))


def of(agency: str, count: int) -> list[tuple[str, str]]:
    """Some subscriptions of an agency."""
    return sorted(pair for pair in READS if pair[0] == agency)[:count]


@pytest.mark.parametrize(
    "gone",
    [of("police", 1), of("police", 2), of("health", 2), of("tax", 2), of("tax", 1) + of("health", 1)],
    ids=["one", "all two", "two of three", "two of four", "one of two each"],
)
def test_a_subscription_that_is_removed_is_withdrawn_at_once(gone: list[tuple[str, str]]) -> None:
    """Nobody is asked, also where an agency had no other."""
    assert refused(without(*gone)) == {}
    plan = compare_states(state(without(*gone)), state(), SCOPE)
    assert [(change.action, change.kind) for change in plan.changes] == [("-", "access")] * len(gone)


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (
            without(*READS),
            (
                "9 of 9 subscriptions are gone: `health/tax.event-0`, `health/tax.event-1`, "
                "`health/tax.event-2`, ...",
                "3 of 3 subscriptions of `health` are gone: `tax.event-0`, `tax.event-1`, `tax.event-2`",
                "4 of 4 subscriptions of `tax` are gone: `health.event-0`, `health.event-1`, "
                "`health.event-2`, ...",
            ),
        ),
        (
            without(*of("tax", 3)),
            ("3 of 4 subscriptions of `tax` are gone: `health.event-0`, `health.event-1`, `health.event-2`",),
        ),
        (
            without(*of("tax", 2), *of("health", 2), *of("police", 1)),
            (
                "5 of 9 subscriptions are gone: `health/tax.event-0`, `health/tax.event-1`, "
                "`police/health.event-0`, ...",
            ),
        ),
    ],
    ids=["no folder", "most of one agency", "most of all"],
)
def test_subscriptions_that_go_as_a_folder_goes_are_asked_about(
    here: CatalogParts, expected: tuple[str, ...]
) -> None:
    """More than two, and more than half of all or of one agency; the plan counts and names them."""
    assert refused(here) == {"subscriptions": expected}


def test_the_refusal_says_what_to_do() -> None:
    """Look at the folder first, then how to withdraw many at once."""
    lines = render_plan(compare_states(state(without(*READS)), state(), SCOPE))
    assert lines[0] == "Catalogue"
    assert (
        "      ! refused: is it the right catalogue, and all of it (`--catalog`, `git status`)? "
        "`--allow-destroy catalogue:subscriptions` withdraws them, and a past day as `expires` in each "
        "document does so without"
    ) in lines


def test_subscriptions_that_ended_are_withdrawn_however_many() -> None:
    """Their documents are there, and say so."""
    plan = compare_states(replace(state(), access=frozenset()), state(), SCOPE)
    assert (len(plan.changes), plan.refusals) == (len(READS), ())


def test_subscriptions_that_go_to_another_version_are_not_gone() -> None:
    """The same consumer reads the same event."""
    access = frozenset(replace(one, name=one.name.replace(".v1", ".v2")) for one in state().access or ())
    assert compare_states(replace(state(), access=access), state(), SCOPE).refusals == ()


def test_an_agency_that_is_gone_is_asked_about() -> None:
    """Whatever it had: its subscriptions are not told a second time."""
    here = CatalogParts(AGENCIES - {"tax"}, frozenset(each for each in READS if each[0] != "tax"), SERVICES)
    assert refused(here) == {"agencies": ("1 of 3 agencies are gone: `tax`",)}


@pytest.mark.parametrize(("left", "asked"), [(0, True), (2, True), (3, False), (4, False)])
def test_services_that_go_as_a_folder_goes_are_asked_about(left: int, asked: bool) -> None:
    """As subscriptions are."""
    here = replace(APPLIED, services=frozenset(sorted(SERVICES)[:left]))
    assert bool(refused(here)) is asked


STRANGER = frozenset({Access("User:backup", "group", "tax.", prefixed=True, operation="read")})


@pytest.mark.parametrize(
    ("spared", "expected"),
    [
        (frozenset({"User:backup"}), ("`User:backup` may no longer `read group tax.*`",)),
        (frozenset({"User:other"}), None),
        (frozenset(), None),
        (None, ("`User:backup` may no longer `read group tax.*`",)),
    ],
    ids=["was spared", "another was", "nobody was", "nobody knows"],
)
def test_an_operator_loses_no_access_because_a_line_is_missing(
    spared: frozenset[str] | None, expected: tuple[str, ...] | None
) -> None:
    """A stranger does, at once, where the cluster knows that nobody spared it."""
    found = replace(state(), access=(state().access or frozenset()) | STRANGER, spared=spared)
    plan = compare_states(state(), found, SCOPE)
    assert [(change.action, change.kind) for change in plan.changes[-1:]] == [("-", "access")]
    told = {change.name: change.what for change in plan.refusals}
    assert told == ({} if expected is None else {"spared_principals": expected})


def test_an_agency_cannot_be_spared() -> None:
    """Its access is the catalogue's, so that a removed subscription is withdrawn."""
    scope = replace(SCOPE, spared=frozenset({"User:police"}))
    plan = compare_states(state(without(*of("police", 1))), state(), scope)
    assert [change.action for change in plan.changes] == ["-"]


@pytest.mark.parametrize(
    ("contains", "here", "there", "asked"),
    [
        (True, 1, 2, False),
        (True, 2, 1, False),
        (False, 2, 1, True),
        (False, 0, 0, True),
        (None, 1, 2, True),
        (None, 2, 1, False),
    ],
)
def test_a_commit_without_the_one_that_was_applied_is_asked_about(
    contains: bool | None, here: int, there: int, asked: bool
) -> None:
    """Git knows; where it does not, the times of the commits decide."""
    desired = replace(state(without(*of("tax", 1))), committed=here, contains_applied=contains)
    plan = compare_states(desired, replace(state(), committed=there), SCOPE)
    assert [change.name for change in plan.refusals] == ["commit"] * asked


def test_a_registry_is_not_left_behind_by_who_has_no_key() -> None:
    """Running processes would go by what is no longer so."""
    found = replace(state(), unread=7)
    plan = compare_states(state(without(*of("tax", 1))), found, SCOPE)
    assert [(change.name, change.what) for change in plan.refusals] == [
        ("signatures", ("entries that no key in hand has signed: all 7",))
    ]
    assert compare_states(state(), found, SCOPE).changes == ()
