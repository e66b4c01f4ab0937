"""What is away is waited for, and said once."""

import logging

import pytest

from bus import AccessDeniedError, Backoff, BusUnavailableError, Outage, waited_out

AT_ONCE = Backoff(first_seconds=0.0)


class Attempts:
    """Raises some errors, then gives a number."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def __call__(self) -> int:
        """Take the next turn."""
        if self.errors:
            raise self.errors.pop(0)
        return 7


async def test_what_is_retriable_is_waited_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Two lines for an outage of any length: that it began, with why, and that it is over."""
    away = [BusUnavailableError(f"no broker answers, {n}") for n in range(50)]
    assert await waited_out(Attempts(*away), Outage("the start"), AT_ONCE) == 7
    assert [record.getMessage() for record in caplog.records] == [
        "the start: away, waiting for it: no broker answers, 0",
        "the start: back after 0 s",
    ]


@pytest.mark.parametrize("error", [AccessDeniedError("no such user"), ValueError("a bug"), KeyError("x")])
async def test_what_waiting_does_not_mend_is_raised_at_once(error: Exception) -> None:
    """A refusal or a bug is no outage."""
    with pytest.raises(type(error)):
        await waited_out(Attempts(BusUnavailableError("away"), error), Outage("the start"), AT_ONCE)


def test_nothing_is_said_while_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    """A loop may say after every turn that it went well."""
    caplog.set_level(logging.DEBUG)
    outage = Outage("health.births")
    for _ in range(3):
        outage.ends()
    assert caplog.records == []
    assert outage.fault is None


def test_a_second_outage_is_news(caplog: pytest.LogCaptureFixture) -> None:
    """Each one is told by itself; while it lasts, what is wrong and for how long can be asked for."""
    outage = Outage("health.births")
    outage.begins("one\nwith details")
    assert outage.fault == "one (for 0 s)"
    outage.ends()
    outage.begins("two")
    assert [record.getMessage() for record in caplog.records] == [
        "health.births: away, waiting for it: one",
        "health.births: back after 0 s",
        "health.births: away, waiting for it: two",
    ]
