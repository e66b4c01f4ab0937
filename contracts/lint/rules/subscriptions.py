"""Rules about subscriptions: the event and fields exist, and the owner has approved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from contracts.documents.loaded import Loaded, LoadedSubscription
from contracts.finding import Finding, Rule
from contracts.paths import parse_path
from contracts.schema.fields import schemas_at

EVENT: Final = Rule(
    "subscription-event-exists",
    "a subscription to an event without a contract receives nothing",
    "correct the subject, or add its contract",
    "MINIMAL",
)
VERSION: Final = Rule(
    "subscription-version-exists",
    "each major version has its own topic, and this one does not exist",
    "name a major version that the contract lists",
    "MINIMAL",
)
FIELDS: Final = Rule(
    "subscription-fields-named",
    "the fields show which changes affect a reader, and that it reads no more than it needs",
    "list `fields`, such as `[$.reference, $.child.birth_date]`; `$` means everything",
    "BASIC",
)
FIELD: Final = Rule(
    "subscription-field-exists",
    "a field that the event does not have cannot be read",
    "correct the path; `[*]` matches every item of an array",
    "BASIC",
)
LEGAL_BASIS: Final = Rule(
    "subscription-legal-basis",
    "a reader of personal data needs its own legal basis, besides the publisher's",
    "name the act and section that allow the consumer to read it in `legal_basis`",
    "BASIC",
)
APPROVED: Final = Rule(
    "subscription-approved",
    "access is granted only with the approval of the agency that owns the data",
    "have the owning agency add its office in `approved_by` and the day in `approved_on`",
    "BASIC",
)
EXPIRES: Final = Rule(
    "subscription-expires",
    "access without an end date outlives its reason",
    "add `expires`, the last day on which the access is valid",
    "BASIC",
)
EXPIRED: Final = Rule(
    "subscription-expired",
    "an expired subscription grants nothing: the next `apply` removes the access",
    "renew the approval, or remove the document",
    "BASIC",
)
RULES: Final = (EVENT, VERSION, FIELDS, FIELD, LEGAL_BASIS, APPROVED, EXPIRES, EXPIRED)


def check_subscription(entry: LoadedSubscription, loaded: Loaded, today: date) -> Iterator[Finding]:
    """Findings about one subscription.

    Args:
        entry: The subscription.
        loaded: The catalogue, including the names of what could not be read.
        today: The day on which it must be valid.
    """
    subscription, document = entry.subscription, entry.document
    if not subscription.fields:
        yield FIELDS.at(document.place("fields"), "the subscription lists no `fields`")
    if subscription.subject not in loaded.subjects:
        what = f"`{subscription.subject}` has no contract in the catalogue"
        yield EVENT.at(document.place("subject"), what)
    else:
        yield from _contract(entry, loaded)
    yield from _approval(entry, today)


def _contract(entry: LoadedSubscription, loaded: Loaded) -> Iterator[Finding]:
    subscription, document = entry.subscription, entry.document
    owned = loaded.contracts.get(subscription.subject)
    if owned is None:
        return  # its own findings say why it could not be read
    rows = [row for row in owned.versions if row.version.major == subscription.major]
    if not rows:
        what = f"`{subscription.subject}` has no version {subscription.major}"
        yield VERSION.at(document.place("version"), what)
        return
    if not max(rows, key=lambda row: row.version.minor).is_usable:
        return  # `schema-compiles` reports it
    for index, path in enumerate(subscription.fields):
        if not any(schemas_at(row.resolver.root, parse_path(path)) for row in rows):
            what = f"`{path}` is not in the schemas of version {subscription.major}"
            yield FIELD.at(document.place("fields", index), what)
    if owned.contract.personal_fields and not subscription.legal_basis:
        what = f"`{subscription.subject}` has personal data, but the subscription has no legal basis"
        yield LEGAL_BASIS.at(document.place("legal_basis"), what)


def _approval(entry: LoadedSubscription, today: date) -> Iterator[Finding]:
    subscription, document = entry.subscription, entry.document
    if not subscription.approved_by:
        what = f"`{subscription.owner}` has not approved the subscription"
        yield APPROVED.at(document.place("approved_by"), what)
    elif subscription.approved_on is None:
        yield APPROVED.at(document.place("approved_on"), "the approval has no date")
    elif subscription.approved_on > today:
        yield APPROVED.at(document.place("approved_on"), "the approval is dated in the future")
    if subscription.expires is None:
        yield EXPIRES.at(document.place("expires"), "the subscription has no end date")
    elif subscription.expires < today:
        yield EXPIRED.at(document.place("expires"), "the subscription has expired")
