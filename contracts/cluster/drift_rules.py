"""Rules that a cluster keeps: it is what the repo says, no less and no more."""

from __future__ import annotations

import re
from typing import Final

from contracts.cluster.plan import Kind, PlannedChange
from contracts.finding import Finding, Place, Rule

_FIX: Final = "run `govbus contracts apply`, or write into the repo what shall be"

RULES_BY_KIND: Final[dict[Kind, Rule]] = {
    "topic": Rule("drift-topic", "events are kept where, as long and as safely as their contract says", _FIX),
    "access": Rule(
        "drift-access", "who may read or write what is decided in the repo and nowhere else", _FIX
    ),
    "quota": Rule("drift-quota", "no agency may take the cluster from the others", _FIX),
    "entry": Rule(
        "drift-registry",
        "running processes believe the registry: it says what the repo says, and is signed",
        _FIX,
    ),
}
RULES: Final = tuple(RULES_BY_KIND.values())
_SIGNS: Final = {"+": "is missing", "~": "differs", "-": "should not be there"}


def drift(change: PlannedChange) -> Finding:
    """What a change that `apply` would make says about the cluster."""
    details = [*change.what, change.why] if change.action != "+" else []
    told = "; ".join(detail for detail in details if detail)
    what = f"`{change.name}` {_SIGNS[change.action]}" + (f": {told}" if told else "")
    return RULES_BY_KIND[change.kind].at(Place(_file(change)), what)


def _file(change: PlannedChange) -> str:
    """The document that decides about it, so that a code host can show it there."""
    name = change.name
    if change.kind == "topic" and (match := re.fullmatch(r"(.+)\.(.+)\.v[0-9]+", name)):
        return f"agencies/{match[1]}/{match[2]}/contract.yaml"
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
