"""Waits for single events: each ends in its time, by one timer for all of them."""

import asyncio
from typing import Any

import pytest

from bus import BusUnavailableError, Receipt
from bus.publish.waiting import Patience, PublishWindow

RECEIPT = Receipt("a", "t", 0, 0, 0, "a")


def timers() -> list[asyncio.TimerHandle]:
    """Return what the loop will do later."""
    loop: Any = asyncio.get_running_loop()
    return [one for one in loop._scheduled if not one.cancelled()]


async def test_a_wait_that_lasts_too_long_has_an_error_and_later_ones_go_on() -> None:
    """The error names the subject; one that has ended in time is left alone."""
    patience, loop = Patience(0.05), asyncio.get_running_loop()
    late, done, later = (loop.create_future() for _ in range(3))
    patience.begin(late, "south.case-closed")
    patience.begin(done, "south.case-closed")
    done.set_result(RECEIPT)
    await asyncio.sleep(0.03)
    patience.begin(later, "south.case-closed")
    with pytest.raises(BusUnavailableError, match=r"within 0\.05 s, got none - south\.case-closed"):
        await late
    assert (done.result(), later.done()) == (RECEIPT, False)
    for future in (late, done):
        patience.end(future)
    with pytest.raises(BusUnavailableError):
        await later


async def test_any_number_of_waits_has_one_timer() -> None:
    """A publish makes none, and the last timer begins no other."""
    patience, loop = Patience(0.02), asyncio.get_running_loop()
    for _ in range(100):
        future: asyncio.Future[Receipt] = loop.create_future()
        patience.begin(future, "south.case-closed")
        future.set_result(RECEIPT)
        patience.end(future)
    assert len(timers()) == 1
    await asyncio.sleep(0.05)
    assert timers() == []


async def test_many_events_wait_once_for_a_broker_that_is_away() -> None:
    """What became of them is not waited for again after a wait that was too long."""
    waits = []

    async def opened() -> None:
        waits.append(1)

    window = PublishWindow(10, 0.01, opened)
    window.sending()
    with pytest.raises(BusUnavailableError):
        await window.finish()
    await window.settle()
    assert len(waits) == 1
    assert window.progress().unknown == (0,)
