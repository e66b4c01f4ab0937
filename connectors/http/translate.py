"""What the answer of a target means for the event that was sent. Pure.

| answer                            | meaning                                                     |
|-----------------------------------|-------------------------------------------------------------|
| one under `already_applied`       | applied before                                              |
| one under `rejected`              | it blames the event, which is set aside                     |
| one under `try_again`             | offered again later; 429, 502, 503 and 504 without limit    |
| 2xx                               | applied; where the file has `answer`, as the body says      |
| any other                         | the target takes no event until a person acts: `blocked`    |

A wait in `Retry-After` is kept, up to an hour.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.errors import BlockedError, RecordRejectedError, TryAgainError
from connectors.sink import Applied

_AWAY = frozenset({429, 502, 503, 504})
REJECTED = (400, 409, 413, 415, 422)
"""Statuses that blame the event, by RFC 9110."""

TRY_AGAIN = (408, 425, 429, *range(500, 600))
_LONGEST_WAIT_SECONDS = 3_600.0
_REMEDIES = {
    401: "renew the credentials under `headers`",
    403: "let the target's owner grant access to these credentials",
    404: "correct `url`, where nothing is",
    405: "correct `method` or `url`, which do not go together",
    407: "let the network's owner open the way to the target",
    410: "correct `url`, from which the target has gone",
}


def outcome_of(
    status: int,
    retry_after: str | None,
    now: datetime,
    *,
    already_applied: Collection[int] = (),
    rejected: Collection[int] = REJECTED,
    try_again: Collection[int] = TRY_AGAIN,
) -> Applied:
    """What the status of an answer means for the event.

    Args:
        status: The status of the answer.
        retry_after: Its `Retry-After` header.
        now: The current time, aware.
        already_applied: Statuses that say the target had the event before.
        rejected: Statuses that say it will never take the event.
        try_again: Statuses that say it may take the event later.

    Raises:
        TryAgainError: It may take the event later.
        RecordRejectedError: It never will.
        BlockedError: It takes no event.
    """
    if status in already_applied:
        return Applied(already=True)
    if status in rejected:
        raise RecordRejectedError(f"Expected an answer 2xx, got {status}")
    if status in try_again:
        raise TryAgainError(
            f"Expected an answer 2xx, got {status}",
            after_seconds=wait_seconds(retry_after, now),
            away=status in _AWAY,
        )
    if 200 <= status < 300:
        return Applied()
    if 300 <= status < 400:
        remedy = "write under `url` where the target is now: redirects are not followed"
    else:
        remedy = _REMEDIES.get(status, "name it under `rejected` if it blames the event")
    raise BlockedError(f"Expected an answer 2xx, got {status}, which blames no event - {remedy}")


def wait_seconds(retry_after: str | None, now: datetime) -> float | None:
    """The wait in a `Retry-After` header, at most an hour; None without a usable one.

    Args:
        retry_after: Seconds, or a date as HTTP writes it.
        now: The current time, aware.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max(0.0, (moment - now).total_seconds()), _LONGEST_WAIT_SECONDS)
