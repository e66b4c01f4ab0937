"""Something that is away and waited for: said once when that begins, and once when it is over.

Law of this file: what is waited out is what the error trees call `retriable`; everything else is raised.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from bus.times.backoff import Backoff
from contracts import visible_logger

logger = visible_logger("govbus.outage")

BACKOFF = Backoff(first_seconds=1.0, longest_seconds=5.0)
"""The waits between two attempts to reach something that was not there at the start."""

Result = TypeVar("Result")


class Outage:
    """Whether something is away, since when and why.

    Args:
        what: what is away, or who waits for it, such as a consumer group.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._since: float | None = None
        self._why = ""

    def begins(self, why: object) -> None:
        """Note that it is away, and why; log it, unless it was away already."""
        self._why = str(why).partition("\n")[0]
        if self._since is None:
            self._since = monotonic()
            logger.warning("%s: away, waiting for it: %s", self._what, self._why)

    def ends(self) -> None:
        """Note that it is back; log it, if it was away."""
        if self._since is not None:
            logger.warning("%s: back after %.0f s", self._what, monotonic() - self._since)
            self._since = None

    @property
    def fault(self) -> str | None:
        """What is wrong, and for how long; None if nothing is."""
        return None if self._since is None else f"{self._why} (for {monotonic() - self._since:.0f} s)"


async def waited_out(
    attempt: Callable[[], Awaitable[Result]], outage: Outage, backoff: Backoff = BACKOFF
) -> Result:
    """Call until nothing retriable is raised, with growing waits and without limit; return the result.

    Args:
        attempt: what is tried.
        outage: says that it is waited for.
        backoff: the waits.

    Raises:
        Exception: what `attempt` raises that has no `retriable = True`.
    """
    failures = 0
    while True:
        try:
            result = await attempt()
        except Exception as error:
            if not is_retriable(error):
                raise
            outage.begins(error)
            failures += 1
            await asyncio.sleep(backoff.wait_seconds(failures, random.random()))  # noqa: S311 - jitter
        else:
            outage.ends()
            return result


def is_retriable(error: BaseException) -> bool:
    """Return whether waiting may mend an error, by the `retriable` of its tree."""
    return bool(getattr(error, "retriable", False))
