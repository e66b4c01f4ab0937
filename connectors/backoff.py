"""How long to wait before the next attempt: doubling, capped, with jitter. Pure: randomness comes in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule of waits.

    Attributes:
        first_seconds: The longest first wait.
        longest_seconds: The longest wait of all.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 60.0

    def wait_seconds(self, attempt: int, chance: float) -> float:
        """The wait before an attempt.

        Args:
            attempt: 1 for the first attempt after a failure.
            chance: A random number in [0, 1), so that connectors that fell together do not rise together.

        Returns:
            Seconds between half of the step and the whole of it.
        """
        step = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 32))
        return step * (0.5 + chance / 2)
