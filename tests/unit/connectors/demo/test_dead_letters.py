"""A dead letter is traced back to its case."""

from __future__ import annotations

from bus import StoredRecord
from connectors.demo.check import Rejection
from connectors.demo.dead_letters import rejection_of

PLACES = {("civil-registry", "births-00001.csv", "3"): "D1-000003", ("tax", "BUSINESS", "17"): "D1-000004"}


def letter(topic: str, value: bytes = b"", **facts: str) -> StoredRecord:
    """A dead letter with what the bus adds to it."""
    added = tuple((f"govbus-dead-letter-{name}", text.encode()) for name, text in facts.items())
    return StoredRecord(topic, 0, 5, 0, None, value, (("ce_id", None), *added))


def test_a_bad_line_belongs_to_the_case_that_was_printed_there() -> None:
    """File and line are found in the registry's own list of what it printed."""
    found = rejection_of(
        letter(
            "civil-registry.dead-letters",
            b"D1-000003;x;y",
            reason="malformed-record",
            stage="read",
            file="births-00001.csv",
            line="3",
        ),
        PLACES,
    )
    expected = Rejection(
        "dead-lettered", "civil-registry", "malformed-record", "read", "births-00001.csv:3", "D1-000003"
    )
    assert expected == found


def test_a_row_that_breaks_its_contract_was_refused() -> None:
    """A publisher's own event is refused, not dead-lettered, when its contract says no."""
    found = rejection_of(
        letter(
            "tax.dead-letters", reason="contract-violation", stage="publish", table="BUSINESS", position="17"
        ),
        PLACES,
    )
    assert (found.kind, found.reference) == ("refused", "D1-000004")


def test_an_event_given_up_further_on_names_its_case_itself() -> None:
    """What a subscriber set aside holds the event's data, the reference among them."""
    found = rejection_of(
        letter(
            "health.dead-letters", b'{"reference": "D1-000009"}', reason="target-rejected", stage="handle"
        ),
        PLACES,
    )
    assert (
        found.kind,
        found.reference,
        found.where,
    ) == ("dead-lettered", "D1-000009", "health.dead-letters:5")


def test_a_letter_nobody_knows_belongs_to_no_case() -> None:
    """Neither its place nor its bytes tell, so the account has a stray."""
    for value in (b"", b"no json", b"[1]", b'{"reference": 7}'):
        assert rejection_of(letter("tax.dead-letters", value, reason="not-json"), PLACES).reference is None
