"""The id of an event that a handler publishes. Pure.

Law of this file: a handler that is repeated publishes the same events, whatever repeats it: another attempt,
a kill, a redriven dead letter, a replay. So the id is made of what a repeat does not change:

    id = UUIDv8 (RFC 9562) of the first 16 bytes of SHA-256 of `parts`, as UTF-8, with NUL between them
    parts = source of the cause, id of the cause, name of the subscription,
            type of the event, its source, SHA-256 of its data in hex,
            and, as far as the handler gives them, its key, transaction, service and CloudEvents subject,
            ordinal

The ordinal counts from 0 the events of one handling that are alike in all of that: two publishes of equal
data are two events. It does not depend on what else the handler publishes, in which order, by how many tasks,
or in one call or several. So a handler whose code has changed publishes again, under the same id, what it
publishes as before; other data is another event. `time` is no part, since many give the time of day.
"""

from hashlib import sha256

from uuid_utils import UUID

from bus.draft import Draft


def likeness(kind: str, source: str, digest: str, draft: Draft) -> str:
    """Return what makes events of one handling alike.

    Args:
        kind: the CloudEvents `type`.
        source: the CloudEvents `source`.
        digest: SHA-256 of the data, in hex.
        draft: what the handler gave.
    """
    # An attribute may neither be empty nor hold a NUL, so that no two lists of parts read the same.
    given = f"{draft.key or ''}\0{draft.transaction or ''}\0{draft.service or ''}\0{draft.ce_subject or ''}"
    return f"{kind}\0{source}\0{digest}\0{given}"


def caused_id(cause_source: str, cause_id: str, subscription: str, like: str, ordinal: int) -> str:
    """Return the id of an event that a handler publishes.

    Args:
        cause_source: the `source` of the event that it handles.
        cause_id: the `id` of the event that it handles.
        subscription: the name of the subscription; in a replay, of the one whose events are read again.
        like: the `likeness` of the event.
        ordinal: how many such events the handler had published before.
    """
    parts = f"{cause_source}\0{cause_id}\0{subscription}\0{like}\0{ordinal}"
    digest = sha256(parts.encode(errors="surrogatepass")).digest()
    return str(UUID(bytes=digest[:16], version=8))
