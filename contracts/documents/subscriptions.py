"""A subscription as a document: which agency reads which event, why, by which law, who said yes, how long.

`agencies/<consumer>/subscriptions/<subject>.yaml`. Where one agency reads an event for two purposes, or two
major versions of it, the second document takes a suffix: `<subject>.<word>.yaml`. The document is the grant:
`apply` turns it into access rights in the cluster, and takes them away when it is gone or has expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from contracts import names


@dataclass(frozen=True, slots=True)
class Subscription:
    """The right of one agency to read one major version of an event, for one purpose.

    Attributes:
        consumer: The agency that reads.
        subject: The event it reads.
        major: The event's major version.
        name: The subscription's name in the bus; its consumer group is `<consumer>.<name>`.
        purpose: What the data is used for.
        legal_basis: Act and section; empty when none is given.
        fields: Paths it reads; `$` is everything.
        approved_by: The office of the owning agency that said yes; empty when nobody has.
        approved_on: When.
        expires: The last day on which it holds; None when it says none.
    """

    consumer: str
    subject: str
    major: int
    name: str
    purpose: str
    legal_basis: str
    fields: tuple[str, ...]
    approved_by: str
    approved_on: date | None
    expires: date | None

    @property
    def topic(self) -> str:
        """The topic it reads."""
        return names.event_type(self.subject, self.major)

    @property
    def owner(self) -> str:
        """The agency whose event it is."""
        return self.subject.partition(".")[0]

    def holds_on(self, day: date) -> bool:
        """Whether it grants anything on that day: approved by then, and not expired."""
        approved = bool(self.approved_by) and (self.approved_on is None or self.approved_on <= day)
        return approved and (self.expires is None or day <= self.expires)


Subscriptions: TypeAlias = Mapping[tuple[str, str], Subscription]
"""By consumer and name."""


def is_file_of(stem: str, subject: str) -> bool:
    """Whether a document may be called so: the subject, or the subject and a word after a dot."""
    return stem == subject or stem.startswith(f"{subject}.")
