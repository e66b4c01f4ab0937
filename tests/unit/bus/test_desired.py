"""What a catalogue wants of a cluster: deny by default, and no more than each agency needs."""

from datetime import date
from pathlib import Path

import yaml

from bus.cluster.desired import MONITOR, desired_state, scope_of
from bus.settings import Settings
from contracts import Access, Catalog
from tests.small_catalog import SmallCountry

TODAY = date(2026, 11, 24)


def _read(user: str, topic: str) -> Access:
    return Access(f"User:{user}", "topic", topic, prefixed=False, operation="read")


def test_an_agency_is_granted_its_own_and_nothing_else(tmp_path: Path) -> None:
    """Without a subscription it reads no event, its own included."""
    country = SmallCountry(tmp_path)
    access = desired_state(country.catalog, Settings(), TODAY, None).access or frozenset()
    north = {(one.operation, one.pattern) for one in access if one.principal == f"User:{country.north}"}
    assert north == {
        ("write", f"topic {country.topic}"),
        ("read", f"topic {country.north}.dead-letters"),
        ("write", f"topic {country.north}.dead-letters"),
        ("read", f"topic {country.north}.parked"),
        ("write", f"topic {country.north}.parked"),
        ("write", "topic govbus.receipts"),
        ("read", "topic govbus.checkpoints"),
        ("write", "topic govbus.checkpoints"),
        ("read", "topic govbus.registry"),
        ("read", f"topic {country.north}.audit"),
        ("write", f"topic {country.north}.audit"),
        ("read", f"group {country.north}.*"),
        ("write", f"transactional-id {country.north}.*"),
    }


def test_the_monitor_reads_no_event(tmp_path: Path) -> None:
    """Receipts hold no data."""
    access = desired_state(SmallCountry(tmp_path).catalog, Settings(), TODAY, None).access or frozenset()
    assert {one.pattern for one in access if one.principal == f"User:{MONITOR}"} == {
        "topic govbus.receipts", "topic govbus.registry", "group govbus.monitor*",
    }  # fmt: skip


def test_a_grant_begins_with_its_approval_and_ends_with_its_last_day(tmp_path: Path) -> None:
    """Whoever applies the day after takes the access away."""
    country = SmallCountry(tmp_path)
    document = {
        "subject": country.opened, "version": 1, "purpose": "close-cases", "fields": ["$"],
        "approved_by": "An office", "approved_on": "2026-03-01", "expires": "2026-12-31",
    }  # fmt: skip
    folder = tmp_path / "agencies" / country.south / "subscriptions"
    folder.mkdir()
    (folder / f"{country.opened}.yaml").write_text(yaml.safe_dump(document))
    catalog, grant = Catalog.open(tmp_path), _read(country.south, country.topic)
    days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 12, 31), date(2027, 1, 1)]
    held = [grant in (desired_state(catalog, Settings(), day, None).access or ()) for day in days]
    assert held == [False, True, True, False]


def test_every_topic_says_how_safe_it_is(tmp_path: Path) -> None:
    """Registry and audit included; the audit is kept for ever."""
    topics = desired_state(
        SmallCountry(tmp_path).catalog, Settings(min_insync_replicas=2), TODAY, None
    ).topics
    assert {topic.config["min.insync.replicas"] for topic in topics.values()} == {"2"}
    assert topics["govbus.registry"].config["cleanup.policy"] == "compact"
    assert topics["govbus.audit"].config["retention.ms"] == "-1"


def test_the_scope_is_the_repos_agencies_past_and_present(tmp_path: Path) -> None:
    """One that left the repo still stands in the registry; topics of strangers are not touched."""
    country = SmallCountry(tmp_path)
    scope = scope_of(country.catalog, ["agency/customs", "version/customs.duty-paid/1.0"], Settings())
    ours = [
        f"{country.north}.case-opened.v1",
        "customs.duty-paid.v1",
        "customs.dead-letters",
        "govbus.receipts",
    ]
    theirs = ["warehouse.stock.v1", f"{country.north}.case-opened", "govbus.other", f"{country.north}x.a.v1"]
    assert [scope.owns_topic(topic) for topic in (*ours, *theirs)] == [True] * 4 + [False] * 4
