"""What a catalogue no longer has of the one that was applied before. Pure.

A catalogue that lost something was perhaps not changed by anyone: it is an older checkout, half of a clone,
the wrong folder. Nothing is withdrawn for that without permission.

Law: what a document says is done; what is missing is asked about. One or two subscriptions or services that
are gone were removed by somebody, and go at once. More of them, and more than half of all or of one agency,
wait for permission, as do an agency, `cluster.yaml` and a spared principal that has access. A subscription
whose document is there and has ended is withdrawn at once, however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.cluster.state import Access, ClusterState, RegistryEntry

ONE_BY_ONE: Final = 2
"""So many documents of a kind are removed by somebody, whichever share they are."""
EXAMPLES: Final = 3
LEAVE: Final = "{leave}"
"""Stands in a refusal for the option that gives leave for the change; a refusal without it is final."""
_RIGHT_ONE: Final = "is it the right catalogue, and all of it (`--catalog`, `git status`)?"
_ENDS: Final = {"subscriptions": ", and a past day as `expires` in each document does so without"}


@dataclass(frozen=True, slots=True)
class LostPart:
    """Something that a catalogue lost.

    Attributes:
        name: The part of the catalogue.
        what: What is missing, or differs.
        refusal: What to do about it.
    """

    name: str
    what: tuple[str, ...]
    refusal: str


def losses(desired: ClusterState, observed: ClusterState, strangers: Iterable[Access]) -> Iterator[LostPart]:
    """Yield what a catalogue lost since it was applied.

    Args:
        desired: The state in the catalogue.
        observed: The state of the cluster.
        strangers: Access that would be withdrawn from principals that are no agencies.
    """
    yield from _other_key(desired, observed)
    yield from _older(desired, observed)
    here, applied = desired.parts, observed.parts
    yield from _agencies(here.agencies, applied.agencies)
    left = frozenset(each for each in applied.subscriptions if each[0] in here.agencies)
    yield from _many("subscriptions", here.subscriptions, left)
    services = (frozenset(("", name) for name in parts.services) for parts in (here, applied))
    yield from _many("services", *services)
    yield from _spared(observed.spared, strangers)


def _other_key(desired: ClusterState, observed: ClusterState) -> Iterator[LostPart]:
    """Without the registry's own key nobody can keep it true, or end a growth."""
    found = observed.entries or {}
    foreign = bool(found) and bool(desired.entries) and all(entry.fault for entry in found.values())
    if foreign or observed.unread:
        what = (f"entries that no key in hand has signed: all {len(found) or observed.unread:,}",)
        refusal = (
            "the registry is signed with a key that is not in hand: give it as GOVBUS_REGISTRY_KEY, or both "
            "public keys as GOVBUS_REGISTRY_PUBLIC_KEY while one replaces the other; "
            f"`{LEAVE}` goes on without it"
        )
        yield LostPart("signatures", what, refusal)


def _older(desired: ClusterState, observed: ClusterState) -> Iterator[LostPart]:
    """Access that another commit grants would be withdrawn, and its changes undone."""
    is_older = 0 < desired.committed < observed.committed
    if desired.contains_applied or not (is_older or desired.contains_applied is False):
        return
    there, here = (_time(state.committed) for state in (observed, desired))
    refusal = (
        "the cluster has a commit of the catalogue that this one does not contain: get it first (`git pull`, "
        f"or merge it), or `{LEAVE}` undoes what it brought"
    )
    yield LostPart("commit", (f"{observed.commit[:12] or 'a commit'} of {there} -> one of {here}",), refusal)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes") if seconds else "unknown time"


def _agencies(here: frozenset[str], applied: frozenset[str]) -> Iterator[LostPart]:
    if gone := sorted(applied - here):
        what = (f"{len(gone):,} of {len(applied):,} agencies are gone: {_some(gone)}",)
        refusal = f"{_RIGHT_ONE} `{LEAVE}` takes all that they may do"
        yield LostPart("agencies", what, refusal)


def _many(
    kind: str, here: frozenset[tuple[str, str]], applied: frozenset[tuple[str, str]]
) -> Iterator[LostPart]:
    """Documents of a kind that are gone, as a whole folder goes; each is told by its agency and its name."""
    gone = applied - here
    what = [*_share(kind, ["/".join(filter(None, each)) for each in sorted(gone)], len(applied))]
    for agency in sorted({agency for agency, _ in gone} - {""}):
        names = sorted(name for owner, name in gone if owner == agency)
        what += _share(f"{kind} of `{agency}`", names, sum(owner == agency for owner, _ in applied))
    if what:
        yield LostPart(kind, tuple(what), f"{_RIGHT_ONE} `{LEAVE}` withdraws them{_ENDS.get(kind, '')}")


def _share(name: str, gone: Sequence[str], applied: int) -> Iterator[str]:
    if len(gone) > ONE_BY_ONE and 2 * len(gone) > applied:
        yield f"{len(gone):,} of {applied:,} {name} are gone: {_some(gone)}"


def _some(names: Sequence[str]) -> str:
    examples = ", ".join(f"`{name}`" for name in names[:EXAMPLES])
    return examples if len(names) <= EXAMPLES else f"{examples}, ..."


def lost_policy(found: RegistryEntry, entry: RegistryEntry) -> str:
    """Why an entry may not replace the registry's own without permission; empty if it may."""
    if found.key != "catalog" or found.withdrawn:
        return ""
    before, after = ("cluster.yaml" in json.loads(each.content)["documents"] for each in (found, entry))
    if after or not before:
        return ""
    return (
        f"`cluster.yaml` would be gone, with what it decides: get it back, or `{LEAVE}` goes on with "
        "what the cluster has"
    )


def _spared(spared: frozenset[str] | None, strangers: Iterable[Access]) -> Iterator[LostPart]:
    """Operators' own access that the catalogue no longer leaves alone, or perhaps never heard of."""
    rights: dict[str, list[str]] = {}
    for access in strangers:
        if spared is None or access.principal in spared:
            rights.setdefault(access.principal, []).append(f"{access.operation} {access.pattern}")
    if not rights:
        return
    what = (f"`{principal}` may no longer {_some(names)}" for principal, names in rights.items())
    who = (
        "the catalogue that was applied before spared it"
        if spared is not None
        else "no catalogue was applied here before, so this may be an operator's own"
    )
    refusal = f"{who}: name it in `spared_principals` of `cluster.yaml`, or `{LEAVE}` withdraws this"
    yield LostPart("spared_principals", tuple(what), refusal)
