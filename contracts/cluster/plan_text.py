"""A plan as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from contracts.cluster.plan import Kind, Plan, PlannedChange

_TITLES: Final[dict[Kind, str]] = {
    "catalogue": "Catalogue", "access": "Access", "topic": "Topics", "quota": "Quotas",
    "growth": "Partitions", "entry": "Registry",
}  # fmt: skip

_NAMED_AT_ONCE: Final = 10

_SAME_FOR_ALL: Final = (
    "cleanup.policy: delete", "max.message.bytes", "message.timestamp.type", "retention.bytes",
)  # fmt: skip


def render_plan(plan: Plan) -> list[str]:
    """The lines of all changes with differences and reasons, grouped by kind, and a summary."""
    lines: list[str] = []
    for kind, title in _TITLES.items():
        changes = [change for change in plan.changes if change.kind == kind]
        if changes:
            lines += [title, *(_access(changes) if kind == "access" else _each(changes)), ""]
    if plan.left:
        lines += ["Left as it is", *_each(list(plan.left)), ""]
    return [*lines, *(f"Note: {note}" for note in plan.notes), summary(plan), *_command(plan)]


def _command(plan: Plan) -> Iterator[str]:
    """What to type where leave is all that is missing; for many changes each says it for itself."""
    refused = plan.refusals
    if 1 < len(refused) <= _NAMED_AT_ONCE and all(change.leave for change in refused):
        options = " ".join(f"--allow-destroy {change.leave}" for change in refused)
        if any(change.kind == "growth" for change in refused):
            options = f"--grow {options}"
        yield f"All that is refused has leave by: govbus contracts apply {options}"


def line_of(change: PlannedChange) -> str:
    """One change as a line, printed once it is made."""
    if (access := change.access) is not None:
        verb = "may" if change.action == "+" else "may no longer"
        return f"{change.action} {access.principal} {verb} {access.operation} {access.pattern}"
    details = f"  ({', '.join(change.what)})" if change.what and change.action == "~" else ""
    return f"{change.action} {change.kind} {change.name}{details}"


def summary(plan: Plan) -> str:
    """The number of changes of each kind, in one line."""
    refused = len(plan.refusals)
    if not plan.changes:
        return f"No changes: the cluster matches the catalogue ({plan.unchanged} items compared)."
    counts = {sign: sum(change.action == sign for change in plan.changes) for sign in "+~-"}
    line = f"Plan: {counts['+']} to add, {counts['~']} to change, {counts['-']} to remove"
    line += f"; {plan.unchanged} unchanged"
    return f"{line}; {refused} refused." if refused else f"{line}."


def _each(changes: list[PlannedChange]) -> Iterator[str]:
    for change in changes:
        if change.action == "+":
            details = [what for what in change.what if not what.startswith(_SAME_FOR_ALL)]
            yield f"  + {change.name}" + (f"  ({', '.join(details)})" if details else "")
        else:
            yield f"  {change.action} {change.name}"
            yield from (f"      {what}" for what in change.what)
        yield from _reasons(change)


def _access(changes: list[PlannedChange]) -> Iterator[str]:
    """One line for each principal and resource."""
    ordered = sorted(
        changes, key=lambda change: (change.access.principal if change.access else "", change.action)
    )
    for (action, principal), group in groupby(ordered, key=_holder):
        yield f"  {action} {principal}"
        verb = "may" if action == "+" else "may no longer"
        for pattern, same in groupby(
            group, key=lambda change: change.access.pattern if change.access else ""
        ):
            names = sorted(change.access.operation for change in same if change.access)
            yield f"      {verb} {', '.join(names)} {pattern}"


def _holder(change: PlannedChange) -> tuple[str, str]:
    return change.action, change.access.principal if change.access else ""


def _reasons(change: PlannedChange) -> Iterator[str]:
    if change.why:
        yield f"      - {change.why}"
    if change.refusal:
        yield f"      ! refused: {change.refusal}"
