"""How the partitions of an event grow: the state of a growth, as a signed entry of the registry topic. Pure.

A publisher hashes a key over the partitions that are in force, never over those that a broker shows. A growth
is in one of three states, each of which replaces the one before under the key `growth/<subject>`:

- paused: publishers wait, for a lease that `apply` renews; it ends by itself where nobody renews it
- switched: the new count is in force
- settled: the growth was given up, and the count is as before

Law: a switch counts only if the broker took it while the lease ran, by the broker's own times of both
records. Until then every publisher still waits, so all of them judge the switch alike, and a process that was
suspended in the middle of a growth cannot switch later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from contracts.cluster.registry import canonical
from contracts.cluster.state import RegistryEntry

GROWTH: Final = "growth/"
LEASE_MS: Final = 10_000
"""How long publishers wait for news of a growth before they go on as before."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The partitions of one event, and whether its publishers wait.

    Attributes:
        subject: The event.
        partitions: How many are in force.
        target: How many there will be; None unless publishers wait.
        turn: Tells one renewal of the lease from the next.
    """

    subject: str
    partitions: int
    target: int | None = None
    turn: int = 0

    @property
    def is_paused(self) -> bool:
        """Whether publishers wait."""
        return self.target is not None


def _entry(subject: str, **content: int) -> RegistryEntry:
    key = GROWTH + subject
    return RegistryEntry(key, canonical({"key": key, **content}), withdrawn=True)


def paused_growth(subject: str, partitions: int, target: int, turn: int) -> RegistryEntry:
    """The entry that pauses the publishers of an event, or renews the lease."""
    return _entry(subject, partitions=partitions, target=target, turn=turn, lease_ms=LEASE_MS)


def switched_growth(subject: str, before: int, partitions: int, renewed_ms: int) -> RegistryEntry:
    """The entry that puts a new count in force.

    Args:
        subject: The event.
        before: The count so far, which stays in force if this comes too late.
        partitions: The new count.
        renewed_ms: When the broker took the latest renewal of the lease.
    """
    return _entry(subject, before=before, partitions=partitions, renewed_ms=renewed_ms, lease_ms=LEASE_MS)


def settled_growth(subject: str, partitions: int) -> RegistryEntry:
    """The entry that ends a growth which was given up."""
    return _entry(subject, partitions=partitions)


def growth_of(entry: RegistryEntry) -> Growth | None:
    """The growth that an entry describes; None if it is another entry, or not to be trusted."""
    if not entry.key.startswith(GROWTH) or entry.fault:
        return None
    content: dict[str, Any] = json.loads(entry.content)
    subject, partitions = entry.key.removeprefix(GROWTH), content.get("partitions")
    if not isinstance(partitions, int) or partitions < 1:
        return None
    if (target := content.get("target")) is not None:
        return Growth(subject, partitions, target, content.get("turn", 0))
    if (renewed_ms := content.get("renewed_ms")) is not None:
        in_time = entry.timestamp <= renewed_ms + content["lease_ms"]
        return Growth(subject, partitions if in_time else content["before"])
    return Growth(subject, partitions)


def growths_of(entries: Iterable[RegistryEntry]) -> dict[str, Growth]:
    """The growths of a registry, by subject."""
    found = (growth_of(entry) for entry in entries)
    return {growth.subject: growth for growth in found if growth is not None}


def counts_of(entries: Iterable[RegistryEntry]) -> dict[str, int]:
    """The partitions in force of each event of a registry."""
    entries = tuple(entries)
    declared = {
        entry.key.removeprefix("contract/"): json.loads(entry.content)["partitions"]
        for entry in entries
        if entry.key.startswith("contract/") and not entry.fault and not entry.withdrawn
    }
    return declared | {subject: growth.partitions for subject, growth in growths_of(entries).items()}
