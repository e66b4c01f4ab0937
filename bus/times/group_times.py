"""How long each step of a rebalance may take, from the longest time a handler may take. Pure.

Law of this file: a member is back in its group before the broker gives it up, whatever its handlers do. A
handler in hand has the rest of its own time, if that is at most `LONGEST_WAIT_SECONDS`; one that takes longer
is interrupted once, and its event is handled by the next holder of the partition. Else members would be put
out of the group while they wait for their handlers, and each would rejoin, without end.

Model: KIP-62. Java's client has `max.poll.interval.ms` as its rebalance timeout too, and waits that long for
the answer to a join, whatever its request timeout is.
"""

from dataclasses import dataclass

SESSION_SECONDS = 10.0
"""After this long without a heartbeat the broker counts a member as gone."""
HEARTBEAT_SECONDS = 3.0
LONGEST_WAIT_SECONDS = 300.0
"""How long a group waits for one handler at most; so do Java's clients by default."""
SETTLE_SECONDS = 10.0
"""How long the outcome of a handler may take to be written: a dead letter, or the end of a transaction."""
CANCEL_SECONDS = 10.0
"""How long a handler that is interrupted, since its partition leaves, may take to end."""
COMMIT_SECONDS = 10.0
"""How long the last commit before partitions leave may take."""
CLOSE_SECONDS = 10.0
"""How long the connections of partitions that leave, or a member, may take to close."""
MARGIN_SECONDS = 10.0
MOST_SECONDS = 2_000_000.0
"""Kafka counts milliseconds in 31 bits."""


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """The times of one member; see `group_times`."""

    finish_seconds: float
    """How long handlers in hand may go on when their partitions leave."""
    rebalance_seconds: float
    """How long the broker waits for a member that has to join again."""
    answer_seconds: float
    """How long the answer to a join may take: until the slowest member has joined."""
    idle_seconds: float
    """After this long without a poll the member leaves the group."""


def group_times(handler_seconds: float = 0.0) -> GroupTimes:
    """Return the times of a member whose handlers may take so long.

    Args:
        handler_seconds: the longest that a handler may take; `math.inf` for ever.
    """
    finish = min(handler_seconds, LONGEST_WAIT_SECONDS) + SETTLE_SECONDS
    steps = HEARTBEAT_SECONDS + finish + CANCEL_SECONDS + COMMIT_SECONDS + CLOSE_SECONDS
    rebalance = steps + MARGIN_SECONDS
    idle = LONGEST_WAIT_SECONDS + 2 * handler_seconds
    return GroupTimes(finish, rebalance, rebalance + MARGIN_SECONDS, min(idle, MOST_SECONDS))
