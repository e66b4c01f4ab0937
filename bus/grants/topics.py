"""The topics that a subscription reads: those whose events have, or are upcast to, its version. Pure.

Law of this file: every event comes once. An event that its publisher derived from a newer version's event
is left to subscriptions of the older version; the newer topic has the original.
"""

from collections.abc import Iterable
from datetime import date

from bus.stages.convert import TopicConversion
from bus.stages.decode import Expected
from contracts import Catalog, Contract, GrantedFields


def expectations(
    catalog: Catalog, subject: str, major: int, today: date, fields: Iterable[str] = ("$",)
) -> dict[str, Expected]:
    """Return what each topic of a subscription holds, its own topic first.

    Args:
        catalog: the contracts.
        subject: the event's name.
        major: the subscription's major version.
        today: the date; the topic of a retired version is read until its events have expired.
        fields: the paths that handlers see.

    Raises:
        ContractError: the catalogue has no such contract or version.
    """
    contract = catalog.contract(subject)
    majors = (major, *reversed(contract.elder_majors(major, today)))
    granted = cut_to(fields)
    return {contract.version(each).type: _expected(contract, each, major, granted) for each in majors}


def cut_to(fields: Iterable[str]) -> GrantedFields | None:
    """Return what cuts data down to some fields; None where they are everything."""
    granted = GrantedFields(fields)
    return None if granted.is_everything else granted


def _expected(contract: Contract, major: int, target_major: int, granted: GrantedFields | None) -> Expected:
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
        granted=granted,
    )
