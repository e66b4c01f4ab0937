"""The topics that a subscription reads: those whose events have, or are upcast to, its version.

Law of this file: every event comes once. An event that its publisher derived from a newer version's event
is left to subscriptions of the older version; the newer topic has the original.
"""

from dataclasses import replace
from datetime import date

from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.stages.convert import TopicConversion
from bus.stages.decode import Expected
from contracts import Catalog, Contract, ContractError


def expectations(catalog: Catalog, subject: str, major: int, today: date) -> dict[str, Expected]:
    """Return what each topic of a subscription holds, its own topic first.

    Args:
        catalog: the contracts.
        subject: the event's name.
        major: the subscription's major version.
        today: the date; the topic of a retired version is read until its events have expired.

    Raises:
        ContractError: the catalogue has no such contract or version.
    """
    contract = catalog.contract(subject)
    majors = (major, *reversed(contract.elder_majors(major, today)))
    return {contract.version(each).type: _expected(contract, each, major) for each in majors}


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


def renewed(subscription: Subscription, catalog: Catalog, today: date) -> Subscription:
    """Return a subscription with the versions of a newer catalogue beside those it knows."""
    subject, _, major = subscription.topic.rpartition(".v")
    try:
        news = expectations(catalog, subject, int(major), today)
    except ContractError:
        return subscription
    return replace(subscription, expected={**subscription.expected, **news})


def _expected(contract: Contract, major: int, target_major: int) -> Expected:
    target, current = contract.version(target_major), contract.version(major)
    versions = [version for version in contract.versions if version.major == major]
    routes = {version.minor: route for version in versions if (route := contract.upcasts(version, target))}
    older = major != target_major
    converts = older or any(route.steps for route in routes.values())
    return Expected(
        type=current.type.encode(),
        versions={version.dataschema.encode(): version for version in versions},
        current=current,
        max_bytes=contract.max_bytes,
        conversion=TopicConversion(target, routes, older) if converts else None,
    )
