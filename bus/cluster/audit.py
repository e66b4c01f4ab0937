"""What every `apply` records in `govbus.audit`: who did what, and from which commit."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from bus.errors import AccessDeniedError, TopicMissingError
from bus.table import deliver
from bus.topics import AUDIT_TOPIC
from bus.transport import Transport
from contracts import AppliedCatalog, PlannedChange


async def record_apply(
    transport: Transport,
    by: str,
    phase: str,
    changes: Sequence[PlannedChange],
    what: AppliedCatalog,
    *,
    identity: str,
) -> float:
    """Write one line of the audit; return the broker's time of it, in seconds since the epoch.

    Args:
        transport: the cluster.
        by: who applies.
        phase: `begun`, `done` or `failed`.
        changes: those to make, or those that were made.
        what: the catalogue that is applied.
        identity: of this `apply`, the same in all its lines.
    """
    said = {
        "apply": identity,
        "phase": phase,
        "by": by,
        "commit": what.commit,
        "committed": what.committed,
        "spared": sorted(what.spared or ()),
        "at": datetime.now(UTC).isoformat(),
        "changes": [change.as_json() for change in changes],
    }
    place = await deliver(transport, AUDIT_TOPIC, identity.encode(), orjson.dumps(said))
    return place.timestamp / 1000


async def last_applied(transport: Transport) -> AppliedCatalog:
    """Return what the newest line of the audit says; nothing if there is none, or it may not be read."""
    try:
        bounds = await transport.bounds(AUDIT_TOPIC)
        newest = {place: (max(first, end - 1), end) for place, (first, end) in bounds.items()}
        lines = [record async for record in transport.read(newest)]
    except (TopicMissingError, AccessDeniedError):
        return AppliedCatalog()
    try:
        said = orjson.loads(max(lines, key=lambda record: record.timestamp).value or b"")
        return AppliedCatalog(said["commit"], said["committed"], frozenset(said["spared"]))
    except (ValueError, KeyError, TypeError):  # no line, or one that `apply` did not write
        return AppliedCatalog()
