"""Which readers a change affects: each subscription is judged alone, by the fields it reads.

Law: a change can break a reader only through what that reader reads. A subscription that names no fields
reads everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from contracts.catalog import Catalog
from contracts.compatibility.modes import Break, Direction, decide_documents, is_same
from contracts.compatibility.verdict import NO_WITNESS, Verdict
from contracts.contract import Contract, ContractVersion, SubscriptionGrant
from contracts.errors import SchemaUnusableError
from contracts.schema.projection import project

Effect = Literal["breaks", "unknown", "sees", "invisible"]

EFFECTS: Final[Mapping[Effect, str]] = {
    "breaks": "breaks",
    "unknown": "cannot be proved safe",
    "sees": "sees it, and can read it",
    "invisible": "does not see it",
}
"""What a change means to a reader, in words; the worst first."""

_BROKEN: Final[Mapping[str, Effect]] = {"incompatible": "breaks", "undecided": "unknown"}


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of one version into another means to one subscription.

    Attributes:
        subscription: The reader, and what it reads.
        old: The version before.
        new: The version now.
        effect: What the change means to that reader.
        direction: For a break, whether the reader fails on old events once it has moved (`BACKWARD`), or on
            new ones before it has (`FORWARD`).
        verdict: What shows it.
    """

    subscription: SubscriptionGrant
    old: ContractVersion
    new: ContractVersion
    effect: Effect
    direction: Direction | None
    verdict: Verdict

    @property
    def reader(self) -> str:
        """The reader, in words."""
        return reader_of(self.subscription)

    def as_json(self) -> dict[str, Any]:
        """The impact as one JSON object."""
        fields = {
            "subject": self.new.contract.subject,
            "old": self.old.number,
            "new": self.new.number,
            "agency": self.subscription.consumer,
            "subscription": self.subscription.name,
            "fields": list(self.subscription.fields),
            "effect": self.effect,
        }
        if self.direction:
            fields |= {"direction": self.direction, "reason": self.verdict.reason}
        if self.verdict.witness is not NO_WITNESS:
            fields["witness"] = self.verdict.witness
        return fields


def reader_of(subscription: SubscriptionGrant) -> str:
    """A subscription in words: the agency, and the name it gave."""
    return f"{subscription.consumer} ({subscription.name})"


def readers_hit(found: Break, subscriptions: Iterable[SubscriptionGrant]) -> tuple[str, ...]:
    """The readers that a break affects, or may affect."""
    subject = found.new.contract.subject
    hit = (
        reader_of(each)
        for each in subscriptions
        if (each.subject, each.major) == (subject, found.new.major)
        and _verdict(found.direction, found.old, found.new, each).answer != "compatible"
    )
    return tuple(dict.fromkeys(hit))


def impacts(old: Catalog, new: Catalog) -> Iterator[Impact]:
    """What each changed contract means to each of its subscriptions."""
    for subject, contract in new.contracts.items():
        before = old.contracts.get(subject)
        if before is None:
            continue
        subscribed = [
            _as_read(old.subscriptions.get(key), each)
            for key, each in new.subscriptions.items()
            if each.subject == subject
        ]
        for one, other in changed(before, contract):
            for each in subscribed:
                yield from impact(one, other, each) if each.major == one.major else ()


def _as_read(before: SubscriptionGrant | None, now: SubscriptionGrant) -> SubscriptionGrant:
    """A subscription with the fields that its program reads: those before and those now."""
    if before is None or before.topic != now.topic or not (before.fields and now.fields):
        return now
    return replace(now, fields=tuple(dict.fromkeys((*now.fields, *before.fields))))


def changed(before: Contract, now: Contract) -> Iterator[tuple[ContractVersion, ContractVersion]]:
    """The latest version of each major version, before and now, where the two differ."""
    latest = {version.major: version for version in before.versions}
    for major, new in {version.major: version for version in now.versions}.items():
        old = latest.get(major)
        if old is not None and not is_same(old, new):
            yield old, new


def impact(old: ContractVersion, new: ContractVersion, subscription: SubscriptionGrant) -> list[Impact]:
    """What a change of one version into another means to one subscription: each break, or else one effect."""
    found: list[Impact] = []
    for direction in ("FORWARD", "BACKWARD"):
        verdict = _verdict(direction, old, new, subscription)
        effect = _BROKEN.get(verdict.answer)
        if effect:
            found.append(Impact(subscription, old, new, effect, direction, verdict))
    seen: Effect = "sees" if _reads(old, subscription) != _reads(new, subscription) else "invisible"
    return found or [Impact(subscription, old, new, seen, None, verdict)]


def _verdict(
    direction: Direction, old: ContractVersion, new: ContractVersion, subscription: SubscriptionGrant
) -> Verdict:
    writer, reader = (old, new) if direction == "BACKWARD" else (new, old)
    try:
        read = project(reader.reader_documents, subscription.fields or ("$",))
        return decide_documents(writer.writer_documents, read, writer, reader)
    except SchemaUnusableError as error:
        return Verdict("undecided", str(error))


def _reads(version: ContractVersion, subscription: SubscriptionGrant) -> str:
    schema, references = project(version.reader_documents, subscription.fields or ("$",))
    own = {name: value for name, value in schema.items() if name not in ("$id", "$defs", "definitions")}
    whole = "$ref" in json.dumps(own)
    return json.dumps([schema if whole else own, references], sort_keys=True)
