"""How long to wait before the next attempt: doubling, capped, with jitter. Pure: randomness comes in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule of growing waits.

    Attributes:
        first_seconds: The longest first wait.
        longest_seconds: The longest wait of all.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 60.0

    def wait_seconds(self, attempt: int, chance: float = 1.0) -> float:
        """The wait before the next attempt.

        Args:
            attempt: How many attempts have failed, 1 after the first.
            chance: A random number in [0, 1), so that processes that failed together do not come back
                together; without it the wait is the longest.

        Returns:
            Seconds between half of the step and the whole of it.
        """
        step = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 32))
        return step * (0.5 + chance / 2)
