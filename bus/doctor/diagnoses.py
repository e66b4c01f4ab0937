"""What is well, what is not, and the command that mends it. Pure.

Law of this file: every fault names a command; no line holds a secret or a value of an event.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bus.known_variables import unknown_variables
from bus.topics import MONITOR_GROUP, group_of
from contracts import Catalog, Plan, PlannedChange

State = Literal["ok", "fault", "note", "skipped"]

CLOCK_SECONDS = 2.0
"""How far a machine's clock may be off: NTP keeps it within a small part of that."""
CERTIFICATE_DAYS = 14
SHOWN = 3

AREAS = {
    "topic": "topics", "growth": "topics", "access": "access", "quota": "quotas", "entry": "registry",
    "offsets": "brokers", "catalogue": "catalogue",
}  # fmt: skip
"""The area of each kind of difference between cluster and catalogue."""
MENDED_BY = {
    "topic": "govbus contracts apply", "growth": "govbus contracts apply --grow",
    "access": "govbus contracts apply", "quota": "govbus contracts apply", "entry": "govbus contracts apply",
    "offsets": "govbus contracts verify", "catalogue": "govbus contracts plan",
}  # fmt: skip
SAID = {"+": "missing", "~": "not as the catalogue says", "-": "not of the catalogue"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found of one area.

    Attributes:
        area: such as `topics`.
        state: `skipped` where it could not be found out.
        what: what was found.
        remedy: the command that mends a fault; empty otherwise.
    """

    area: str
    state: State
    what: str
    remedy: str = ""


def of_variables(names: Collection[str]) -> Iterator[Diagnosis]:
    """Judge the names of variables: one that nobody reads is a slip."""
    for name, near in unknown_variables(names).items():
        yield Diagnosis("settings", "fault", f"{name} is no setting of govbus{near}", f"unset {name}")


def of_secrets_file(path: str, mode: int, *, has_secret: bool) -> Iterator[Diagnosis]:
    """Judge who else may read a file of variables that holds a password."""
    if has_secret and mode & 0o077:
        what = f"{path} holds a password, and others of this machine may read it ({mode:o})"
        yield Diagnosis("settings", "fault", what, f"chmod 600 {shlex.quote(path)}")


def of_certificate(path: str, ends: datetime, now: datetime) -> Diagnosis:
    """Judge until when a client's certificate is valid."""
    left = ends - now
    if left > timedelta(days=CERTIFICATE_DAYS):
        return Diagnosis("certificate", "ok", f"valid for {left.days} days")
    word = "ended" if left <= timedelta() else "ends"
    remedy = "export GOVBUS_SSL_CERTFILE=NEW.pem GOVBUS_SSL_KEYFILE=NEW.key.pem"
    return Diagnosis("certificate", "fault", f"{path} {word} on {ends:%Y-%m-%d}: ask for a new one", remedy)


def of_plan(plan: Plan, *, is_guarded: bool) -> Iterator[Diagnosis]:
    """Judge the differences between a cluster and its catalogue, those of one kind together.

    Args:
        plan: the differences, where growth has leave: its command has `--grow`.
        is_guarded: whether the cluster has an authorizer; without one nobody has a quota either.
    """
    found: dict[tuple[str, str, str], list[PlannedChange]] = {}
    for change in (*plan.changes, *plan.left):
        if is_guarded or change.kind not in ("access", "quota"):
            found.setdefault((change.kind, change.action, _remedy(change)), []).append(change)
    for (kind, action, remedy), changes in found.items():
        names = [f"`{change.name}`{_details(change)}" for change in changes]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        what = f"{SAID[action]}: {', '.join(names[:SHOWN])}{more}"
        yield Diagnosis(AREAS[kind], "fault", what, remedy)
    faulty = {AREAS[kind] for kind, _, _ in found}
    kinds = ("topics", "access", "quotas") if is_guarded else ("topics",)
    yield from (Diagnosis(area, "ok", "as the catalogue says") for area in kinds if area not in faulty)
    if not is_guarded:
        what = "the cluster has no authorizer: everybody may do everything"
        yield Diagnosis("access", "note", what)


def _details(change: PlannedChange) -> str:
    return f" ({', '.join(change.what)})" if change.what and change.action == "~" else ""


def _remedy(change: PlannedChange) -> str:
    if change.refusal:  # the plan says why, and ends with the line that gives leave
        return "govbus contracts plan"
    return "govbus topics apply" if (change.kind, change.action) == ("topic", "+") else MENDED_BY[change.kind]


def of_clock(ahead_seconds: float) -> Diagnosis:
    """Judge this machine's clock, by how far it is ahead of the brokers'."""
    if abs(ahead_seconds) <= CLOCK_SECONDS:
        return Diagnosis("clock", "ok", f"{ahead_seconds:+.3f} s to the brokers'")
    what = f"this machine's clock is off by {ahead_seconds:+,.1f} s to the brokers'"
    return Diagnosis("clock", "fault", what, "timedatectl set-ntp true")


def of_receipts(
    published: Mapping[str, int], written: Mapping[str, int], minutes: int
) -> Iterator[Diagnosis]:
    """Judge whether agencies that publish write receipts.

    Args:
        published: records of late in the topics of each event.
        written: records of late in the receipts of each agency.
        minutes: how long that is.
    """
    active = sorted(subject for subject, count in published.items() if count)
    silent = [subject for subject in active if not written[subject.partition(".")[0]]]
    for subject in silent:
        agency = subject.partition(".")[0]
        what = f"`{agency}` has published `{subject}` within {minutes} min, and written no receipt"
        yield Diagnosis("receipts", "fault", what, f"govbus reconcile {subject} --agency {agency}")
    if not silent:
        some = "flow" if any(written.values()) else f"nothing was published within {minutes} min"
        yield Diagnosis("receipts", "ok", some)


def of_groups(behind: Mapping[str, int], catalog: Catalog) -> Iterator[Diagnosis]:
    """Judge whether who has read before reads on.

    Args:
        behind: how many records of more than a minute ago each group has not read.
        catalog: the contracts, whose subscriptions count.
    """
    names = {group_of(consumer, name): consumer for consumer, name in catalog.subscriptions}
    late = {group: count for group, count in sorted(behind.items()) if count}
    for group, count in late.items():
        what = f"group `{group}` has not read {count} record{'s' * (count != 1)} of more than a minute ago"
        if group.startswith(MONITOR_GROUP):
            yield Diagnosis("monitor", "fault", what, "govbus monitor")
        elif group in names:
            remedy = f"govbus run MODULE:BUS  # as {names[group]}"
            yield Diagnosis("subscriptions", "fault", what, remedy)
    if not late:
        yield Diagnosis("subscriptions", "ok", f"{len(behind)} group{'s' * (len(behind) != 1)}, none behind")
