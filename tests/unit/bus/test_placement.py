"""Where the copies of a topic go."""

import pytest

from bus.kafka.cluster import placement


@pytest.mark.parametrize(
    ("held", "replicas", "expected"),
    [
        ({0: [1], 1: [1], 2: [1]}, 2, {0: [1, 2], 1: [1, 3], 2: [1, 2]}),
        ({0: [2], 1: [3]}, 3, {0: [2, 1, 3], 1: [3, 1, 2]}),
        ({0: [3, 1, 2]}, 2, {0: [3, 1]}),
        ({0: [1, 2]}, 2, {0: [1, 2]}),
    ],
)
def test_no_copy_moves_and_new_ones_go_where_the_fewest_are(
    held: dict[int, list[int]], replicas: int, expected: dict[int, list[int]]
) -> None:
    """The first one stays first: it is the preferred leader."""
    assert placement(held, [1, 2, 3], replicas) == expected
