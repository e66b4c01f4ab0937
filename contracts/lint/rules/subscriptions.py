"""Rules about subscriptions: that what is read exists, and that somebody may say yes to it and did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from contracts.documents.loaded import Loaded, LoadedSubscription
from contracts.errors import SchemaUnusableError
from contracts.finding import Finding, Rule
from contracts.paths import parse_path
from contracts.schema.fields import schemas_at

EVENT: Final = Rule(
    "subscription-event-exists",
    "a subscription to an event without contract reads nothing",
    "correct the subject, or register its contract",
    "MINIMAL",
)
VERSION: Final = Rule(
    "subscription-version-exists",
    "each major version has a topic of its own, and this one has none",
    "name a major version that the contract lists",
    "MINIMAL",
)
FIELDS: Final = Rule(
    "subscription-fields-named",
    "who reads which field decides whom a change hits, and shows that no more is read than is needed",
    "list `fields`, such as `[$.reference, $.child.birth_date]`; `$` stands for everything",
    "BASIC",
)
FIELD: Final = Rule(
    "subscription-field-exists",
    "a field that the event does not have is not read",
    "correct the path; `[*]` stands for every item of an array",
    "BASIC",
)
LEGAL_BASIS: Final = Rule(
    "subscription-legal-basis",
    "personal data may be read only where a law says so, and the reader's law is not the publisher's",
    "name the act and section that let the consumer read it in `legal_basis`",
    "BASIC",
)
APPROVED: Final = Rule(
    "subscription-approved",
    "the agency that answers for the data says who may read it; without its yes nothing is granted",
    "let the owning agency add its office in `approved_by` and the day in `approved_on`",
    "BASIC",
)
EXPIRES: Final = Rule(
    "subscription-expires",
    "a grant without an end outlives the reason for it",
    "add `expires`, the last day on which it holds",
    "BASIC",
)
EXPIRED: Final = Rule(
    "subscription-expired",
    "an expired grant is none: the next `apply` takes the access away",
    "renew the approval, or remove the document",
    "BASIC",
)
RULES: Final = (EVENT, VERSION, FIELDS, FIELD, LEGAL_BASIS, APPROVED, EXPIRES, EXPIRED)


def check_subscription(entry: LoadedSubscription, loaded: Loaded, today: date) -> Iterator[Finding]:
    """Every finding about one subscription.

    Args:
        entry: The subscription.
        loaded: The catalogue it stands in, also what could not be read of it.
        today: The day on which it must hold.
    """
    subscription, document = entry.subscription, entry.document
    if not subscription.fields:
        yield FIELDS.at(document.place("fields"), "the subscription names no `fields`")
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
        return  # its own findings tell why it could not be read
    rows = [row for row in owned.versions if row.version.major == subscription.major]
    if not rows:
        what = f"`{subscription.subject}` has no version {subscription.major}"
        yield VERSION.at(document.place("version"), what)
        return
    try:
        owned.contract.version(subscription.major).compile()
    except SchemaUnusableError:
        return  # `schema-compiles` tells it
    for index, path in enumerate(subscription.fields):
        if not any(schemas_at(row.resolver.root, parse_path(path)) for row in rows):
            what = f"`{path}` is not in the schemas of version {subscription.major}"
            yield FIELD.at(document.place("fields", index), what)
    if owned.contract.personal_fields and not subscription.legal_basis:
        what = f"`{subscription.subject}` is personal data, read without basis"
        yield LEGAL_BASIS.at(document.place("legal_basis"), what)


def _approval(entry: LoadedSubscription, today: date) -> Iterator[Finding]:
    subscription, document = entry.subscription, entry.document
    if not subscription.approved_by:
        what = f"`{subscription.owner}` has not approved the subscription"
        yield APPROVED.at(document.place("approved_by"), what)
    elif subscription.approved_on is None:
        yield APPROVED.at(document.place("approved_on"), "the approval has no day")
    elif subscription.approved_on > today:
        yield APPROVED.at(document.place("approved_on"), "the approval is of a day to come")
    if subscription.expires is None:
        yield EXPIRES.at(document.place("expires"), "the subscription never ends")
    elif subscription.expires < today:
        yield EXPIRED.at(document.place("expires"), "the subscription has expired")
