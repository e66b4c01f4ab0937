"""Who may read what is a document; a catalogue without such documents is as sound as before."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from contracts import Catalog, CatalogError
from contracts.lint.lint import lint
from tests.unit.contracts.catalogs import write

FOLDER = "agencies/tax/subscriptions"
DOCUMENT = {
    "subject": "tax.refund-paid", "version": 1, "purpose": "check-refunds",
    "legal_basis": "Audit Act, section 1",
    "fields": ["$.reference", "$.payee.name"], "approved_by": "Payments", "approved_on": "2026-03-01",
    "expires": "2028-12-31",
}  # fmt: skip


def test_a_catalogue_without_subscriptions_opens(root: Path) -> None:
    """They are optional: nobody reads anything then."""
    assert Catalog.open(root).subscriptions == {}


def test_a_subscription_is_found_by_consumer_and_name(root: Path) -> None:
    """The name is the purpose where none is given."""
    write(root, f"{FOLDER}/tax.refund-paid.yaml", DOCUMENT)
    found = Catalog.open(root).subscriptions["tax", "check-refunds"]
    assert ("tax.refund-paid.v1", "tax", date(2028, 12, 31)) == (found.topic, found.owner, found.expires)
    assert lint(root, date(2026, 11, 23)) == ()


@pytest.mark.parametrize(
    ("day", "holds"),
    [("2026-02-28", False), ("2026-03-01", True), ("2028-12-31", True), ("2029-01-01", False)],
)
def test_a_subscription_holds_from_approval_to_expiry(root: Path, day: str, *, holds: bool) -> None:
    """Both days belong to it."""
    write(root, f"{FOLDER}/tax.refund-paid.yaml", DOCUMENT)
    found = Catalog.open(root).subscriptions["tax", "check-refunds"]
    assert holds == found.holds_on(date.fromisoformat(day))


def test_a_second_document_takes_a_suffix(root: Path) -> None:
    """One agency may read an event for two purposes."""
    write(root, f"{FOLDER}/tax.refund-paid.yaml", DOCUMENT)
    write(root, f"{FOLDER}/tax.refund-paid.statistics.yaml", {**DOCUMENT, "purpose": "statistics"})
    assert {("tax", "check-refunds"), ("tax", "statistics")} == set(Catalog.open(root).subscriptions)


@pytest.mark.parametrize(
    ("file", "change", "code"),
    [
        ("other.yaml", {}, "name-agrees"),
        ("tax.refund-paidx.yaml", {}, "name-agrees"),
        ("tax.refund-paid.yaml", {"version": "1"}, "document-structure"),
        ("tax.refund-paid.yaml", {"expires": "31.12.2028"}, "document-structure"),
        ("tax.refund-paid.yaml", {"expires": "2028-02-30"}, "document-structure"),
        ("tax.refund-paid.yaml", {"surprise": 1}, "document-structure"),
        ("tax.refund-paid.yaml", {"purpose": "Check refunds"}, "document-structure"),
    ],
)
def test_a_document_of_another_shape_is_refused(
    root: Path, file: str, change: dict[str, object], code: str
) -> None:
    """With its place: a grant that is misread may grant too much."""
    write(root, f"{FOLDER}/{file}", {**DOCUMENT, **change})
    with pytest.raises(CatalogError) as caught:
        Catalog.open(root)
    assert [(code, f"{FOLDER}/{file}")] == [
        (finding.code, finding.place.file) for finding in caught.value.findings
    ]
