"""Which events `govbus tail` shows, where it begins, and what a line of it says."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import orjson
import pytest

from bus import AccessDeniedError, UsageError
from bus.record import StoredRecord
from bus.tail.cli import BeginType
from bus.tail.conditions import Condition
from bus.tail.looking import RecordView, lines
from bus.tail.tail import Viewer, masks_for, topics_for
from contracts import Catalog
from tests.small_catalog import SmallCountry, case

TODAY = date(2026, 3, 3)
EVENT = {
    "ce_specversion": b"1.0", "ce_id": b"e-1", "ce_source": b"urn:govbus:north:main",
    "ce_correlationid": b"t-1", "content-type": b"application/json",
}  # fmt: skip


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """Cases whose padding is personal."""
    found = SmallCountry(tmp_path)
    found.mark_personal("$.padding")
    return found


def look(country: SmallCountry, *where: str, data: bool = False) -> RecordView:
    """Return the look of an administrator, or of the north at personal data."""
    viewer = Viewer(country.north, data=True, by="mae", why="a test") if data else Viewer()
    expected = topics_for(country.catalog, [country.opened], viewer, TODAY)
    masks = masks_for(country.catalog, expected, viewer, TODAY)
    conditions = [Condition.parse(text) for text in where]
    for condition in conditions:
        condition.require_shown(list(masks), masks)
    return RecordView(expected, masks, conditions, data)


def record(country: SmallCountry, data: Any, **headers: bytes | None) -> StoredRecord:
    """Return a record of an opened case; a header that is None is left out."""
    named = {**EVENT, "ce_type": country.topic.encode(), **headers}
    value = data if isinstance(data, bytes | None) else orjson.dumps(data)
    found = tuple((name, text) for name, text in named.items() if text is not None)
    return StoredRecord(country.topic, 2, 17, 1_772_529_159_741, b"case-0001", value, found)


def test_an_event_is_shown_with_its_envelope_and_without_what_is_personal(country: SmallCountry) -> None:
    """Key, time, transaction, version, place; and which fields are hidden."""
    facts = look(country).at(record(country, case(padding="Ada Lovelace")))
    assert facts is not None
    assert facts["data"] == {"reference": "case-0001", "number": 1, "padding": "***"}
    assert facts["hidden"] == ("$.padding",)
    assert lines(facts) == [
        f"2026-03-03 09:12:39.741  {country.topic}/2/17  version 1.1",
        "  key case-0001  id e-1",
        "  transaction t-1",
        '  {"reference": "case-0001", "number": 1, "padding": "***"}',
    ]


@pytest.mark.parametrize(
    ("data", "headers", "said"),
    [
        (None, {}, "not an event: tombstone"),
        (b"Ada", {}, "not an event: not-json"),
        (b"Ada", {"ce_id": None}, "not an event: malformed-envelope"),
        (case(), {"ce_type": b"a.b.v1"}, "not an event: unknown-type"),
        (case(), {"ce_id": b"\xff"}, "not an event: malformed-envelope"),
        (case(), {"ce_dataschema": b"urn:x:9.9"}, "not an event: unknown-version"),
        (case("Ada"), {}, "breaks its contract: contract-violation"),  # type: ignore[arg-type]
        (b'"' + b"A" * 5000 + b'"', {}, "not an event: too-large"),
    ],
)
def test_what_is_no_event_is_shown_as_that(
    country: SmallCountry, data: Any, headers: dict[str, bytes | None], said: str
) -> None:
    """With its reason and sizes, and no byte of it, unless data was asked for."""
    facts = look(country).at(record(country, data, **headers))
    assert facts is not None
    assert f"{facts['fault']}: {facts['reason']}" == said
    assert "Ada" not in str(facts)
    assert "AAA" not in str(facts)
    assert len(lines(facts)) == 3
    asked = look(country, data=True).at(record(country, data, **headers))
    assert asked is not None
    assert asked["key"] == "case-0001"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("$.reference=case-0001", True), ("$.reference=case-0002", False), ("$.number=1", True),
        ("$.number=01", False), ("$.number=true", False), ("$.half=null", True), ("$['number']=1", True),
        ("transaction=t-1", True), ("transaction=t-2", False), ("id=e-1", True), ("key=case-0001", True),
        ("version=1.1", True), ("service=x", False),
    ],
)  # fmt: skip
def test_a_condition_compares_what_is_shown(country: SmallCountry, where: str, found: bool) -> None:
    """A text as it is, everything else as JSON writes it."""
    assert (look(country, where).at(record(country, case(half=None))) is not None) == found
    assert look(country, where).at(record(country, b"Ada")) is None


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("$.padding=Ada Lovelace", "Expected a field that is shown"),
        ("$.padings=1", "Expected a field that the contract declares"),
        ("transacton=1", "did you mean `transaction`"),
        ("$.number", "Expected `$.path=VALUE`"),
        ("number=1", "Expected `$.path=VALUE`"),
    ],
)
def test_a_condition_that_cannot_be_is_told(country: SmallCountry, where: str, said: str) -> None:
    """A hidden value cannot be guessed; no message quotes the value."""
    with pytest.raises(UsageError) as told:
        look(country, where)
    assert said in str(told.value)
    assert "Ada" not in str(told.value)


def test_personal_data_needs_an_agency_and_a_reason(country: SmallCountry) -> None:
    """Both stand in the audit."""
    for viewer in (
        Viewer(data=True, by="mae", why="x"), Viewer(country.north, data=True, by="mae"), Viewer("nobody"),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            viewer.require_sound(country.catalog)
    Viewer(country.north, data=True, by="mae", why="x").require_sound(country.catalog)


def test_an_agency_without_a_grant_is_told_how_to_get_one(country: SmallCountry) -> None:
    """Before the cluster is asked: an open one would let it read."""
    country.withdraw()
    with pytest.raises(AccessDeniedError) as told:
        topics_for(country.catalog, [country.opened], Viewer(country.south), TODAY)
    assert f"govbus new subscription PURPOSE --event {country.opened} --agency {country.south}" in str(
        told.value
    )
    assert list(topics_for(country.catalog, [country.topic], Viewer(country.north), TODAY)) == [country.topic]


def test_a_grant_for_an_older_version_is_for_that_topic(tmp_path: Path) -> None:
    """And shows the fields that it names."""
    catalog = Catalog.open("reference")
    viewer = Viewer("health", data=True, by="mae", why="x")
    expected = topics_for(catalog, ["civil-registry.birth-registered"], viewer, date(2026, 12, 1))
    (mask,) = masks_for(catalog, expected, viewer, date(2026, 12, 1)).values()
    data = {"reference": "BRT-1", "child": {"name": "Ada"}, "parents": [{"name": "Eve"}]}
    assert mask.apply(data).data == {**data, "parents": [{"name": "***"}]}


def test_where_to_begin_is_said_in_several_ways() -> None:
    """A time without a zone is UTC."""
    read = BeginType().convert
    assert read("start", None, None) == "start"
    assert read("2026-03-03T09:12+02:00", None, None) == datetime(2026, 3, 3, 7, 12, tzinfo=UTC)
    assert read("2026-03-03", None, None) == datetime(2026, 3, 3, tzinfo=UTC)
    ago = read("-90m", None, None)
    assert isinstance(ago, datetime)
    assert 5400 <= (datetime.now(UTC) - ago).total_seconds() < 5460
    for wrong in ("yesterday", "-10", "10m", "-9999999d", "-999999d", ""):
        with pytest.raises(click.UsageError):
            read(wrong, None, None)
