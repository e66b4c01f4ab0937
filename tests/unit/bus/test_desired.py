"""What a catalogue wants of a cluster: deny by default, and no more than each agency needs."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus import Settings, UsageError
from bus.cluster.desired import MONITOR, desired_state, parts_in_force, scope_of
from bus.cluster.rollout import Rollout
from contracts import (
    Access,
    Catalog,
    CatalogError,
    CatalogParts,
    ClusterState,
    Copies,
    TopicState,
    registry_entries,
)
from tests.small_catalog import SmallCountry

TODAY = date(2026, 11, 24)


def _read(user: str, topic: str) -> Access:
    return Access(f"User:{user}", "topic", topic, prefixed=False, operation="read")


def test_an_agency_is_granted_its_own_and_nothing_else(tmp_path: Path) -> None:
    """Without a subscription it reads no event, its own included."""
    country = SmallCountry(tmp_path)
    country.withdraw()
    access = desired_state(country.catalog, TODAY).access or frozenset()
    north = {(one.operation, one.pattern) for one in access if one.principal == f"User:{country.north}"}
    assert north == {
        ("write", f"topic {country.topic}"),
        ("read", f"topic {country.north}.dead-letters"),
        ("write", f"topic {country.north}.dead-letters"),
        ("read", f"topic {country.north}.parked"),
        ("write", f"topic {country.north}.parked"),
        ("read", f"topic {country.north}.receipts"),
        ("write", f"topic {country.north}.receipts"),
        ("read", f"topic {country.north}.checkpoints"),
        ("write", f"topic {country.north}.checkpoints"),
        ("read", "topic govbus.registry"),
        ("read", f"topic {country.north}.audit"),
        ("write", f"topic {country.north}.audit"),
        ("read", f"group {country.north}.*"),
        ("write", f"transactional-id {country.north}.*"),
    }


def test_the_monitor_reads_no_event(tmp_path: Path) -> None:
    """Receipts hold no data; of the topics of events it is told offsets alone."""
    country = SmallCountry(tmp_path)
    agencies = (country.north, country.south)
    described = {country.topic, f"{country.closed}.v1", *(f"{agency}.dead-letters" for agency in agencies)}
    access = desired_state(country.catalog, TODAY).access or frozenset()
    assert {one.pattern for one in access if one.principal == f"User:{MONITOR}"} == {
        f"topic {country.north}.receipts", f"topic {country.south}.receipts",
        "topic govbus.registry", "topic govbus.clock", "group govbus.monitor*",
        *(f"topic {topic}" for topic in described),
    }  # fmt: skip
    told = {one.operation for one in access if one.principal == f"User:{MONITOR}" and one.name in described}
    assert told == {"describe", "describe-configs"}


def until_december(folder: Path) -> tuple[SmallCountry, Catalog]:
    """The small catalogue in which `south` may read the opened cases from 1 March to 31 December 2026."""
    country = SmallCountry(folder)
    country.withdraw()
    country.grant(
        country.south, country.opened, "close-cases", approved_on="2026-03-01", expires="2026-12-31"
    )
    return country, Catalog.open(folder)


def test_a_grant_begins_with_its_approval_and_ends_with_its_last_day(tmp_path: Path) -> None:
    """Whoever applies the day after takes the access away."""
    country, catalog = until_december(tmp_path)
    grant = _read(country.south, country.topic)
    days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 12, 31), date(2027, 1, 1)]
    held = [grant in (desired_state(catalog, day).access or ()) for day in days]
    assert held == [False, True, True, False]


def test_the_topics_that_valid_subscriptions_read_are_named(tmp_path: Path) -> None:
    """Their readers' offsets must be kept; those of a grant that has ended need not be."""
    country, catalog = until_december(tmp_path)
    days = [date(2026, 12, 31), date(2027, 1, 1)]
    assert [desired_state(catalog, day).subscribed for day in days] == [{country.topic}, frozenset()]


ONE = Copies(1, 1)


def cluster(brokers: int, *topics: TopicState, default: Copies = ONE) -> ClusterState:
    """A cluster as it is found."""
    return ClusterState({one.name: one for one in topics}, brokers=brokers, default_copies=default)


def copies(catalog: Catalog, found: ClusterState) -> set[tuple[int, str]]:
    """Copies, and how many of them must be complete, of all topics."""
    topics = desired_state(catalog, TODAY, None, found).topics.values()
    return {(topic.replicas, topic.config["min.insync.replicas"]) for topic in topics}


def said(folder: Path, **fields: Any) -> Catalog:
    """The small catalogue with a `cluster.yaml`."""
    country = SmallCountry(folder)
    (folder / "cluster.yaml").write_text(yaml.safe_dump(fields))
    del country
    return Catalog.open(folder)


def test_every_topic_says_how_safe_it_is(tmp_path: Path) -> None:
    """Registry and audit included; the audit is kept for ever."""
    catalog = said(tmp_path, replication_factor=3, min_insync_replicas=2)
    topics = desired_state(catalog, TODAY, None, cluster(3)).topics
    assert {(topic.replicas, topic.config["min.insync.replicas"]) for topic in topics.values()} == {(3, "2")}
    assert topics["govbus.registry"].config["cleanup.policy"] == "compact"
    assert topics["govbus.audit"].config["retention.ms"] == "-1"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (cluster(1), (1, "1")),
        (cluster(2), (2, "1")),
        (cluster(3), (3, "2")),
        (cluster(9), (3, "2")),
        (cluster(5, default=Copies(5, 3)), (5, "4")),
        (cluster(1, default=Copies(3, 2)), (3, "2")),
        (cluster(5, TopicState("govbus.audit", 1, {"min.insync.replicas": "1"}, 5)), (5, "4")),
    ],
)
def test_where_the_catalogue_says_nothing_the_cluster_decides(
    tmp_path: Path, found: ClusterState, expected: tuple[int, str]
) -> None:
    """By its brokers, their defaults, and what its topics have: never by who asks."""
    assert copies(SmallCountry(tmp_path).catalog, found) == {expected}


def test_where_the_catalogue_says_nothing_no_topic_gets_weaker(tmp_path: Path) -> None:
    """One that somebody made safer stays so."""
    country = SmallCountry(tmp_path)
    safer = TopicState(country.topic, 3, {"min.insync.replicas": "3"}, 4)
    topics = desired_state(country.catalog, TODAY, None, cluster(4, safer)).topics
    assert (topics[country.topic].replicas, topics[country.topic].config["min.insync.replicas"]) == (4, "3")


def test_what_the_catalogue_says_holds_on_every_cluster_but_a_developers(tmp_path: Path) -> None:
    """A single broker that was never meant to be more gets one copy by itself; one of three does not."""
    catalog = said(tmp_path, replication_factor=3)
    assert copies(catalog, cluster(1)) == {(1, "1")}
    assert copies(catalog, cluster(1, default=Copies(3, 1))) == {(3, "2")}
    other = TopicState("others", 1, {}, 3)
    assert copies(catalog, cluster(1, other)) == {(3, "2")}


def test_quotas_and_spared_principals_are_the_catalogues(tmp_path: Path) -> None:
    """Another shell changes neither."""
    catalog = said(tmp_path, publish_bytes_per_second=1_000, spared_principals=["User:backup"])
    quotas = desired_state(catalog, TODAY).quotas.values()
    assert {quota["producer_byte_rate"] for quota in quotas} == {1_000.0}
    assert scope_of(catalog, []).spared == {"User:backup"}


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((), 10_485_760.0),
        ((5.0, 5.0), 5.0),
        ((5.0, 9.0), 10_485_760.0),
        ((5.0,), 10_485_760.0),
    ],
    ids=["a new cluster", "all have it", "each has another", "one has it"],
)
def test_where_the_catalogue_says_no_quota_the_cluster_does(
    tmp_path: Path, rates: tuple[float, ...], expected: float
) -> None:
    """What most agencies have stays, as where `cluster.yaml` was lost; one that differs by hand is drift."""
    country = SmallCountry(tmp_path)
    agencies = (country.north, country.south)
    found = ClusterState(
        quotas={name: {"producer_byte_rate": rate} for name, rate in zip(agencies, rates, strict=False)}
    )
    quotas = desired_state(country.catalog, TODAY, None, found).quotas
    assert {quotas[name]["producer_byte_rate"] for name in agencies} == {expected}


def test_the_cluster_tells_which_catalogue_it_goes_by(tmp_path: Path) -> None:
    """By its registry, or by what each agency may do; a stranger's access is no subscription."""
    country, catalog = until_december(tmp_path)
    state = desired_state(catalog, TODAY)
    expected = CatalogParts(
        frozenset({country.north, country.south}),
        frozenset({(country.south, country.opened)}),
        frozenset({"one-case"}),
    )
    assert state.parts == expected
    assert parts_in_force(ClusterState(), registry_entries(tmp_path)) == expected
    stranger = Access("User:stranger", "topic", country.topic, prefixed=False, operation="read")
    found = ClusterState(access=(state.access or frozenset()) | {stranger})
    without_registry = CatalogParts(expected.agencies, expected.subscriptions)
    assert parts_in_force(found, None) == parts_in_force(found, {}) == without_registry
    assert parts_in_force(ClusterState(access=None), None) == CatalogParts()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"replication_factor": 2, "min_insync_replicas": 3}, "expected at most the 2 copies"),
        ({"min_insync_replicas": 2}, "expected `replication_factor` too"),
        ({"replicas": 3}, "`replicas` is not a known field"),
        ({"replication_factor": 0}, "greater than or equal to 1"),
        ({"spared_principals": ["backup"]}, "spared_principals"),
    ],
)
def test_a_slip_in_the_document_of_the_cluster_is_told(
    tmp_path: Path, fields: dict[str, Any], expected: str
) -> None:
    """And no catalogue with one is applied."""
    with pytest.raises(CatalogError, match=re.escape(expected)):
        said(tmp_path, **fields)


def test_the_scope_is_the_repos_agencies_past_and_present(tmp_path: Path) -> None:
    """One that left the repo still stands in the registry; topics of strangers are not touched."""
    country = SmallCountry(tmp_path)
    scope = scope_of(country.catalog, ["agency/customs", "version/customs.duty-paid/1.0"])
    ours = [
        f"{country.north}.case-opened.v1",
        "customs.duty-paid.v1",
        "customs.dead-letters",
        "customs.receipts",
        "customs.checkpoints",
    ]
    theirs = [
        "warehouse.stock.v1",
        f"{country.north}.case-opened",
        "govbus.receipts",
        f"{country.north}x.a.v1",
    ]
    assert [scope.owns_topic(topic) for topic in (*ours, *theirs)] == [True] * 5 + [False] * 4


def test_a_catalogue_without_agencies_is_not_applied(tmp_path: Path) -> None:
    """As of a checkout that failed: it would withdraw the rights of everybody."""
    (tmp_path / "agencies").mkdir()
    with pytest.raises(UsageError, match="without"):
        Rollout(tmp_path, settings=Settings())
