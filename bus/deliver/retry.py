"""When a failed event is tried again. Pure: attempt and chance in, seconds or nothing out."""

from dataclasses import dataclass
from typing import Literal

MINUTE, HOUR = 60.0, 3600.0
DEFAULT_SCHEDULE = (
    10.0, 30.0, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE,
    HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 12 * HOUR,
)  # fmt: skip
"""11 retries within 34 h 46 min 40 s: a night, a weekend's call-out, a repair."""
OUTAGE_SCHEDULE = (0.1, 0.5, 2.0, 5.0, 10.0, 20.0, 30.0)
"""How long a partition rests while the system behind its handler is away; the last wait repeats."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A subscription's schedule.

    Args:
        schedule_seconds: the wait before each further attempt at an event; its length is the number of
            retries. Meanwhile the event's key is parked and all others go on.
        jitter: share of the wait that chance may add or take, 0 to 1, so that many subscribers do not
            come back at once.
        unavailable_forever: whether a target that is away is waited for without end, the whole partition
            resting by `OUTAGE_SCHEDULE`, instead of blaming the event: an outage is not its fault.
        when_exhausted: what becomes of the key when the last attempt failed and the event is a dead letter:
            `hold` it until an operator decides, or `release` it, so that its later events are handled.
    """

    schedule_seconds: tuple[float, ...] = DEFAULT_SCHEDULE
    jitter: float = 0.1
    unavailable_forever: bool = True
    when_exhausted: Literal["hold", "release"] = "hold"

    def wait_seconds(self, attempt: int, chance: float, *, requested: float | None = None) -> float | None:
        """Return the seconds to wait after failed attempt number `attempt` (1, 2, ...), or None to give up.

        Args:
            attempt: how often the event was tried so far.
            chance: a random number in [0, 1).
            requested: the wait that the error requested; it replaces the schedule's, but adds no attempt.
        """
        if attempt > len(self.schedule_seconds):
            return None
        return self._spread(self.schedule_seconds[attempt - 1], chance, requested)

    def rest_seconds(self, attempt: int, chance: float, *, requested: float | None = None) -> float:
        """Return the seconds a partition rests after attempt number `attempt` found its target away."""
        return self._spread(OUTAGE_SCHEDULE[min(attempt, len(OUTAGE_SCHEDULE)) - 1], chance, requested)

    def _spread(self, wait: float, chance: float, requested: float | None) -> float:
        if requested is not None:
            return max(0.0, requested)
        return wait * (1 + self.jitter * (2 * chance - 1))
