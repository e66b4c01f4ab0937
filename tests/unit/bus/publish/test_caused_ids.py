"""The id of an event that a handler publishes: made of what a repeat of the handler does not change."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from bus import Draft
from bus.publish.caused_ids import caused_id, likeness

DIGEST = sha256(b"{}").hexdigest()
RIGHT: dict[str, Any] = {
    "cause_source": "urn:govbus:north:main", "cause_id": "case-1", "subscription": "close-cases",
    "kind": "south.case-closed.v1", "source": "urn:govbus:south:main", "digest": DIGEST, "key": None,
    "transaction": None, "service": None, "ce_subject": None, "ordinal": 0,
}  # fmt: skip


def made(**changes: Any) -> str:
    """Return the id of an event with changes."""
    said = {**RIGHT, **changes}
    options = {name: said.get(name) for name in ("key", "transaction", "service", "ce_subject", "time")}
    like = likeness(said["kind"], said["source"], said["digest"], Draft({}, **options))
    return caused_id(said["cause_source"], said["cause_id"], said["subscription"], like, said["ordinal"])


def test_the_formula_is_the_one_that_is_written_down() -> None:
    """Anybody can compute it: the first 16 bytes of a hash over parts with NUL between them, as a UUIDv8."""
    parts = [RIGHT[name] for name in ("cause_source", "cause_id", "subscription", "kind", "source", "digest")]
    whole = "\0".join([*parts, "k", "", "", "", "3"])
    expected = bytearray(sha256(whole.encode()).digest()[:16])
    expected[6], expected[8] = expected[6] & 0x0F | 0x80, expected[8] & 0x3F | 0x80
    found = UUID(made(key="k", ordinal=3))
    assert found == UUID(bytes=bytes(expected))
    assert (found.version, found.variant) == (8, RFC_4122)
    assert str(found) == made(key="k", ordinal=3)


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_each_part_makes_it_another_event(name: str) -> None:
    """Two events that differ in one of them are two."""
    assert made(**{name: 1 if name == "ordinal" else "other"}) != made()


def test_the_time_is_no_part() -> None:
    """Handlers give the time of day, which a repeat gives anew."""
    assert made(time=datetime.now(UTC)) == made()


def test_no_part_runs_into_the_next() -> None:
    """The same text, divided otherwise, is another event."""
    assert made(key="ab") != made(key="a", transaction="b")
    assert made(cause_id="ab", subscription="c") != made(cause_id="a", subscription="bc")


@pytest.mark.parametrize("odd", ["\udcff", "Ἀθηνᾶ", 7])
def test_what_will_be_refused_has_an_id_too(odd: Any) -> None:
    """The refusal names the attribute; making the id raises nothing."""
    assert made(key=odd) != made()
