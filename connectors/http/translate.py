"""What the HTTP status of an answer means for the event that was sent. Pure.

| status                       | meaning                                                |
|------------------------------|--------------------------------------------------------|
| 2xx                          | applied                                                |
| one under `already_applied`  | applied before                                         |
| 429, 502, 503, 504           | the target is away: the event waits without limit      |
| another under `try_again`    | offered again later, until the retries are used up     |
| any other                    | rejected: redirects are not followed, 4xx is final     |

A wait in `Retry-After` is kept, up to an hour.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.errors import RecordRejectedError, TryAgainError
from connectors.sink import Applied

_AWAY = frozenset({429, 502, 503, 504})
TRY_AGAIN = (408, 425, 429, *range(500, 600))
_LONGEST_WAIT_SECONDS = 3_600.0


def outcome_of(
    status: int,
    retry_after: str | None,
    now: datetime,
    *,
    already_applied: Collection[int] = (),
    try_again: Collection[int] = TRY_AGAIN,
) -> Applied:
    """What an answer means for the event.

    Args:
        status: The status of the answer.
        retry_after: Its `Retry-After` header.
        now: The current time, aware.
        already_applied: Statuses that say the target had the event before.
        try_again: Statuses that say it may take the event later.

    Raises:
        TryAgainError: It may take the event later.
        RecordRejectedError: It never will.
    """
    if status in already_applied:
        return Applied(already=True)
    if 200 <= status < 300:
        return Applied()
    if status in try_again:
        raise TryAgainError(
            f"Expected an answer 2xx, got {status}",
            after_seconds=wait_seconds(retry_after, now),
            away=status in _AWAY,
        )
    raise RecordRejectedError(f"Expected an answer 2xx, got {status}")


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
