"""Which documents of the catalogue let an agency read an event, and what is said where none does. Pure.

Law of this file: the program's rule is the cluster's (`bus/cluster/desired.py`). An agency reads a major
version of an event, its own ones too, while a document grants it that. Beyond that, what a program says it
reads for must be a granted purpose, and its handlers see the fields of that grant alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from bus.errors import NotGrantedError
from bus.grants.topics import expectations
from contracts import Catalog, SubscriptionGrant, is_name

EVERYTHING = ("$",)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an agency would read.

    Attributes:
        agency: the agency.
        topic: where events of the version that it reads are published.
        purpose: what it says that it reads them for.
    """

    agency: str
    topic: str
    purpose: str

    @property
    def subject(self) -> str:
        """The event."""
        return self.topic.rpartition(".v")[0]

    def __str__(self) -> str:
        version = self.topic.rpartition(".v")[2]
        return f"where `{self.agency}` reads `{self.subject}` version {version} for `{self.purpose}`"


def fields_for(catalog: Catalog, reading: Reading, today: date) -> tuple[str, ...]:
    """Return the paths that an agency is granted of an event for a purpose; those of all grants for it.

    Args:
        catalog: the contracts and grants.
        reading: what it would read.
        today: the day on which the grant must be in force.

    Raises:
        NotGrantedError: the catalogue has no such grant.
    """
    asked = [
        grant
        for grant in catalog.subscriptions.values()
        if (grant.consumer, grant.subject) == (reading.agency, reading.subject)
    ]
    wanted = (reading.topic, reading.purpose)
    granted = [one for one in asked if (one.topic, one.purpose) == wanted and one.holds_on(today)]
    if not granted:
        raise NotGrantedError(_what_is_missing(catalog, reading, asked, today))
    return tuple(dict.fromkeys(path for grant in granted for path in grant.fields or EVERYTHING))


def _what_is_missing(
    catalog: Catalog, reading: Reading, asked: Sequence[SubscriptionGrant], today: date
) -> str:
    """Return what the catalogue has instead of a grant, and what to do."""
    ask = remedy(catalog, reading.subject, reading.agency, reading.purpose)
    of_version = [grant for grant in asked if grant.topic == reading.topic]
    if in_force := [grant for grant in of_version if grant.holds_on(today)]:
        purposes = _either(f"`{grant.purpose}`" for grant in in_force)
        what = f"Expected a purpose that is granted, {purposes}, got another - {reading}"
        return f"{what}. Name that one, or ask for this one. {ask}"
    if of_version:
        states = _either(_state(grant, today) for grant in of_version)
        what = f"Expected a grant in force, got one that {states} - {reading}"
        return (
            f"{what}. {_owner(catalog, reading.subject)} approves it, in "
            f"agencies/{reading.agency}/subscriptions; then `govbus contracts apply`"
        )
    if asked:
        majors = _either(str(grant.major) for grant in asked)
        what = f"Expected a grant for this version, got one for version {majors} - {reading}"
        return f"{what}. Subscribe to that one, or ask for this one. {ask}"
    return f"Expected a grant of the catalogue, got none - {reading}. {ask}"


def _state(grant: SubscriptionGrant, today: date) -> str:
    if not grant.approved_by:
        return "nobody has approved"
    if grant.approved_on is not None and grant.approved_on > today:
        return f"is approved from {grant.approved_on} on"
    return f"ended on {grant.expires}"


def _either(said: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(said))


def remedy(catalog: Catalog, subject: str, agency: str, purpose: str = "") -> str:
    """Return what an agency does to be granted an event.

    Args:
        catalog: the contracts.
        subject: the event.
        agency: the agency that reads; empty where that is not known.
        purpose: what for; empty where that is not known.
    """
    word = purpose if is_name(purpose) else "PURPOSE"
    return (
        f"Ask {_owner(catalog, subject)} for one: `govbus new subscription {word} --event {subject} --agency "
        f"{agency or 'NAME'}`; once it is approved, `govbus contracts apply`"
    )


def _owner(catalog: Catalog, subject: str) -> str:
    contract = catalog.contracts.get(subject)
    return f"`{subject.partition('.')[0]}`" if contract is None else f"{contract.owner} ({contract.contact})"


def readable_fields(catalog: Catalog, topic: str, agency: str, today: date) -> frozenset[str]:
    """Return the paths that an agency may look at in a topic, for whichever purpose.

    Everything of its own events; else what is granted, of older versions that are upcast too.
    """
    if topic.partition(".")[0] == agency:
        return frozenset(EVERYTHING)
    return frozenset(
        path
        for grant in catalog.subscriptions.values()
        if grant.consumer == agency and grant.holds_on(today) and _reads(catalog, grant, topic, today)
        for path in grant.fields or EVERYTHING
    )


def _reads(catalog: Catalog, grant: SubscriptionGrant, topic: str, today: date) -> bool:
    if grant.subject != topic.rpartition(".v")[0] or grant.subject not in catalog.contracts:
        return False
    return topic in expectations(catalog, grant.subject, grant.major, today)
