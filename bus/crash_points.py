"""Named points at which a process may be killed, to see what it promised.

`reach(point)` stands where something has just been done. It does nothing, unless the crash kit started this
process with the variable `GOVBUS_CRASH`, `<point>:<passing>:<signal>`: then the process sends itself that
signal at that passing of that point.
"""

import os
import signal

VARIABLE = "GOVBUS_CRASH"

POINTS = {
    "after-read": "records were read, none was handled",
    "after-handler": "a handler has returned, nothing of it is written",
    "after-receipts": "receipts and parked rows are on the broker, the position is not committed",
    "after-commit": "the position, or the transaction, is committed; nobody was told",
    "inside-transaction": "a transaction's events are handled, not all of them sent",
    "after-sends": "everything of a batch is on the broker, its position or checkpoint is not",
    "after-offset-record": "the position is part of the transaction, which is not committed",
    "during-rebalance": "partitions are about to leave",
}


class _Armed:
    def __init__(self, said: str) -> None:
        self._point, passing, name = said.split(":")
        self._left = int(passing)
        self._signal = signal.Signals[name]

    def reach(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._signal)


_armed = _Armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(point: str) -> None:
    """Pass a point of `POINTS`."""
    if _armed is not None:
        _armed.reach(point)
