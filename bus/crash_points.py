"""Named points at which the crash kit may kill this process.

`crash_point(name)` is called right after a step of the delivery is done. It does nothing unless the crash kit
started this process with the variable `GOVBUS_CRASH`, `<point>:<call>:<signal>`: then the process sends
itself that signal at that call of that point.
"""

import os
import signal

VARIABLE = "GOVBUS_CRASH"

POINTS = {
    "after-read": "records are read, none is handled",
    "after-handler": "a handler has returned, nothing about it is written",
    "after-publish": "the broker has an event that a handler published, its receipt is not sent",
    "after-receipts": "receipts and parked rows are on the broker, the offsets are not committed",
    "after-commit": "the offsets, or the transaction, are committed",
    "inside-transaction": "a transaction's events are handled, not all of its records are sent",
    "after-sends": "every record of a batch is on the broker, its offsets are not committed",
    "after-offset-record": "the offsets are in the transaction, which is not committed",
    "during-rebalance": "partitions are about to go to another member",
}


class _ArmedPoint:
    def __init__(self, armed: str) -> None:
        self._name, call, name = armed.split(":")
        self._calls_left = int(call)
        self._signal = signal.Signals[name]

    def call(self, name: str) -> None:
        if name == self._name:
            self._calls_left -= 1
            if self._calls_left == 0:
                os.kill(os.getpid(), self._signal)


_armed = _ArmedPoint(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def crash_point(name: str) -> None:
    """Die here if this process was started to die at this call of this point of `POINTS`."""
    if _armed is not None:
        _armed.call(name)
