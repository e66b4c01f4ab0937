"""Offsets: what is committed is one past the last final record, and nothing of a partition that has left."""

from hypothesis import given
from hypothesis import strategies as st

from bus import TopicPartition
from bus.deliver.offsets import OffsetTracker

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


def test_the_next_position_is_one_past_the_last_done() -> None:
    """Each partition on its own."""
    offsets = OffsetTracker()
    offsets.done(ONE, 4, 3)
    offsets.done(OTHER, 9)
    offsets.done(ONE, 7, 3)
    assert offsets.pending_records == 7
    assert dict(offsets.take()) == {ONE: 8, OTHER: 10}


def test_what_is_taken_is_not_taken_again() -> None:
    """After `take` there is nothing to commit."""
    offsets = OffsetTracker()
    offsets.done(ONE, 4)
    offsets.take()
    assert (dict(offsets.take()), offsets.pending_records) == ({}, 0)


def test_what_could_not_be_committed_comes_again_unless_overtaken() -> None:
    """Later progress wins over positions given back."""
    offsets = OffsetTracker()
    offsets.done(ONE, 4)
    offsets.done(OTHER, 4)
    offsets.take()
    offsets.done(ONE, 6)
    offsets.give_back()
    assert dict(offsets.take()) == {ONE: 7, OTHER: 5}


def test_a_partition_that_left_is_forgotten() -> None:
    """Its new owner commits it."""
    offsets = OffsetTracker()
    offsets.done(ONE, 4)
    offsets.done(OTHER, 4)
    offsets.forget([ONE])
    assert dict(offsets.take()) == {OTHER: 5}


def test_a_partition_that_leaves_during_a_commit_is_not_committed() -> None:
    """Its rows are dropped with it: committed later, its offset would lose the events that they park."""
    offsets = OffsetTracker()
    offsets.done(ONE, 4)
    offsets.done(OTHER, 4)
    taken = offsets.take()
    offsets.forget([ONE])
    assert dict(taken) == {OTHER: 5}
    offsets.give_back()
    assert dict(offsets.take()) == {OTHER: 5}


@given(st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.booleans(), st.booleans()), max_size=40))
def test_no_position_is_lost_or_invented(steps: list[tuple[TopicPartition, bool, bool]]) -> None:
    """However commits fail between, what the broker has at last is what was done."""
    offsets, done, broker = OffsetTracker(), dict[TopicPartition, int](), dict[TopicPartition, int]()
    for partition, commit, fails in steps:
        offset = done.get(partition, 0)
        offsets.done(partition, offset)
        done[partition] = offset + 1
        if commit:
            taken = offsets.take()
            if fails:
                offsets.give_back()
            else:
                broker.update(taken)
    broker.update(offsets.take())
    assert broker == done
