"""Rules about a cluster: it matches the catalogue."""

from __future__ import annotations

import re
from typing import Final

from contracts.cluster.plan import Kind, PlannedChange
from contracts.finding import Finding, Place, Rule

_FIX: Final = "run `govbus contracts apply`, or change the catalogue"

RULES_BY_KIND: Final[dict[Kind, Rule]] = {
    "topic": Rule("drift-topic", "topics are configured as their contracts say", _FIX),
    "access": Rule("drift-access", "access is decided in the catalogue only", _FIX),
    "growth": Rule(
        "drift-partitions",
        "publishers spread the events of a key by one number of partitions, that of the contract",
        "run `govbus contracts apply --grow`, or change the contract back",
    ),
    "quota": Rule("drift-quota", "no agency may use up the capacity of the cluster", _FIX),
    "entry": Rule(
        "drift-registry",
        "running processes rely on the registry, so it must match the catalogue and be signed",
        _FIX,
    ),
    "offsets": Rule(
        "drift-offsets",
        "a subscriber that was stopped has its place for as long as its topics have their events",
        "set it in the configuration of every broker named, to what is after `->` or more, and restart them "
        "one by one",
    ),
}
RULES: Final = tuple(RULES_BY_KIND.values())
_SIGNS: Final = {"+": "is missing", "~": "differs", "-": "should not be there"}


def drift(change: PlannedChange) -> Finding:
    """The finding for a change that `apply` would make."""
    details = [*change.what, change.why] if change.action != "+" else []
    reasons = "; ".join(detail for detail in details if detail)
    what = f"`{change.name}` {_SIGNS[change.action]}" + (f": {reasons}" if reasons else "")
    return RULES_BY_KIND[change.kind].at(Place(_file(change)), what)


def _file(change: PlannedChange) -> str:
    """The document that defines it, where a code host can show the finding."""
    name = change.topic.name if change.kind == "offsets" and change.topic else change.name
    if change.kind in ("topic", "offsets") and (match := re.fullmatch(r"(.+)\.(.+)\.v[0-9]+", name)):
        return f"agencies/{match[1]}/{match[2]}/contract.yaml"
    if change.kind == "growth":
        return f"agencies/{name.replace('.', '/', 1)}/contract.yaml"
    if change.kind == "entry":
        kind, _, rest = name.partition("/")
        if kind in ("contract", "version"):
            return f"agencies/{rest.partition('/')[0].replace('.', '/', 1)}/contract.yaml"
        if kind == "subscription":
            return f"agencies/{rest.partition('/')[0]}/subscriptions"
        return f"services/{rest}.yaml" if kind == "service" else "agencies"
    if name.startswith("User:"):
        return f"agencies/{name.removeprefix('User:').partition(' ')[0]}/agency.yaml"
    return "agencies"
