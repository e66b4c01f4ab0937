"""The version of a subscription: the one it names, and the news of it in a newer catalogue."""

from dataclasses import replace
from datetime import date

from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.grants.topics import cut_to, expectations
from contracts import Catalog, Contract, ContractError


def require_major(contract: Contract, version: object) -> None:
    """Check that a version is a major one, as a whole number: the name of its topic is made of it.

    Raises:
        UsageError: it is something else.
    """
    if type(version) is not int:
        known = ", ".join(str(major) for major in sorted({each.major for each in contract.versions}))
        raise UsageError(
            f"Expected the major version as a whole number, got `{type(version).__name__}` - at `version`. "
            f"`{contract.subject}` has {known}"
        )


def renewed(
    subscription: Subscription, catalog: Catalog, today: date, fields: tuple[str, ...]
) -> Subscription:
    """Return a subscription with the versions of a newer catalogue beside those it knows.

    Args:
        subscription: the subscription.
        catalog: the newer catalogue.
        today: the date.
        fields: the paths that its handler sees from now on.
    """
    subject, _, major = subscription.topic.rpartition(".v")
    try:
        news = expectations(catalog, subject, int(major), today, fields)
    except ContractError:
        news = {}
    granted = cut_to(fields)
    known = {topic: replace(holds, granted=granted) for topic, holds in subscription.expected.items()}
    return replace(subscription, fields=fields, expected={**known, **news})
