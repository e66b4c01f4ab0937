"""Grants that a catalogue of documents does not have."""

from dataclasses import replace
from datetime import date

from contracts import Catalog, SubscriptionGrant


def with_grant(
    catalog: Catalog, consumer: str, subject: str, purpose: str, *, fields: tuple[str, ...] = ("$",)
) -> Catalog:
    """Return a catalogue in which an agency may read version 1 of an event, too."""
    grant = SubscriptionGrant(
        consumer=consumer, subject=subject, major=1, name=purpose, purpose=purpose, legal_basis="",
        fields=fields, approved_by="An office", approved_on=date(2026, 1, 1), expires=None,
    )  # fmt: skip
    return replace(catalog, subscriptions={**catalog.subscriptions, (consumer, purpose): grant})
