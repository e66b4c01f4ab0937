"""The commit of one subscription: the only place where offsets are committed.

Model: `checkpoint.py` of quix-streams (quixio/quix-streams), a commit as one list of steps.
"""

from collections.abc import Awaitable, Callable, Mapping

from bus.crash_points import crash_point
from bus.deliver.offsets import OffsetTracker
from bus.parking.log import RowWriter
from bus.record import TopicPartition
from bus.transport import Transactional

CommitOffsets = Callable[[Mapping[TopicPartition, int]], Awaitable[None]]


async def commit(
    offsets: OffsetTracker,
    rows: RowWriter,
    commit_offsets: CommitOffsets,
    transaction: Transactional | None = None,
) -> None:
    """Commit the offsets of finished records. A kill between two steps repeats records and loses none.

    1. Receipts are flushed, then parked rows: no record counts as handled without a receipt, and the next
       holder of a partition finds every event that waits. In a transaction, what handlers published is
       acknowledged before, since each acknowledgement adds a receipt.
    2. Offsets are committed, in a transaction together with all of the above.

    Args:
        offsets: the finished records; those of a commit that fails, or is cancelled, are given back.
        rows: the rows of events that were parked or released, and their receipts.
        commit_offsets: commits the next offset of each partition.
        transaction: the transaction that this commit ends, if any.

    Raises:
        BusError: the offsets are not committed, or it is not known; the records may come again.
    """
    positions = offsets.take()
    try:
        while transaction is not None and transaction.unacknowledged:
            await transaction.drain()
            await rows.receipts.flush()
        await rows.flush()
        crash_point("after-receipts" if transaction is None else "after-sends")
        await commit_offsets(positions)
    except BaseException:  # also when the commit is cancelled
        offsets.give_back()
        raise
    offsets.committed()
    crash_point("after-commit")
