"""A topic can be written where its leader answers, and all copies but one."""

import pytest

from bus.kafka.metadata import PartitionCopies
from bus.kafka.quorum import missing


@pytest.mark.parametrize(
    ("leader", "replicas", "in_sync", "alive", "expected"),
    [
        (3, [1, 2, 3], [1, 2, 3], {1, 2, 3}, set()),
        (3, [1, 2, 3], [2, 3], {2, 3}, set()),
        (3, [1, 2, 3], [1, 2, 3], {2, 3}, set()),
        # Stopped one after the other: all leaders were moved to the one that is left, and it takes nothing.
        (3, [1, 2, 3], [3], {3}, {1, 2}),
        # Killed at once: the one that is left still names the others.
        (3, [1, 2, 3], [1, 2, 3], {3}, {1, 2}),
        (1, [1, 2, 3], [1, 2, 3], {2, 3}, {1}),
        (-1, [1, 2, 3], [1], set(), {1, 2, 3}),
        (1, [1, 2], [1], {1}, set()),
        (1, [1], [1], {1}, set()),
        (1, [1], [1], set(), {1}),
    ],
)  # fmt: skip
def test_brokers_are_named_without_which_nothing_is_taken(
    leader: int, replicas: list[int], in_sync: list[int], alive: set[int], expected: set[int]
) -> None:
    """Whatever the brokers that are left say of the others."""
    partition = PartitionCopies(leader, replicas, in_sync)
    whole = PartitionCopies(next(iter(alive), -1), [*alive], [*alive])
    assert missing([partition, *([whole] if alive else [])], alive) == expected
