"""The log of a failing handler says which class, and where in the agency's own code; never what it says."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from bus import DeadLetter, Event, Reason
from bus.deliver.error_places import place_of, without_values
from bus.deliver.retry import RetryPolicy
from bus.process.rate import BURST, WINDOW_NS, LineRate
from bus.testing import InMemoryBus
from tests.unit.bus.events import BIRTH, CATALOG

DATA = next(Path("contracts/agencies/civil-registry/birth-registered/examples/v1/valid").glob("*.json"))
SECRET = "Zoë Ångström"
HERE = "tests/unit/bus/deliver/test_handler_logs.py"


def parse(text: str) -> int:
    """Fail in the library, below the agency's own frame."""
    return int(json.loads(json.dumps(text)))


async def failing(event: Event[Any]) -> None:
    """Fail with a value in the text, and another error before it."""
    try:
        parse(SECRET)  # the agency's own frame is in `parse`
    except ValueError as error:
        raise RuntimeError(SECRET) from error


async def lines_of(
    handler: Any, caplog: pytest.LogCaptureFixture, level: int = logging.INFO, count: int = 1
) -> list[str]:
    """Return what is logged of the bus while a handler has some events."""
    caplog.set_level(level, logger="govbus")
    health = InMemoryBus("health", catalog=CATALOG)
    health.subscribe(
        BIRTH, version=1, purpose="open-health-record", name="logs", retry=RetryPolicy((3600.0,), jitter=0)
    )(handler)
    async with health, InMemoryBus("civil-registry", cluster=health.cluster) as registry:
        for number in range(count):
            data = {**json.loads(DATA.read_text()), "reference": f"BRT-2026-00{number:04d}"}
            await registry.publish(BIRTH, data, version="1.0")
        await health.cluster.deliveries("logs", count)
    return [f"{record.getMessage()}\n{record.exc_text or ''}" for record in caplog.records]


async def test_a_parked_key_is_told_with_class_and_place(caplog: pytest.LogCaptureFixture) -> None:
    """The place is where the agency's own code raised."""
    lines = await lines_of(failing, caplog)
    raised = failing.__code__.co_firstlineno + 5
    (told,) = [line for line in lines if "its key is parked" in line]
    assert (
        f"handler-failed, its key is parked, next attempt in 3600.0 s (RuntimeError at {HERE}:{raised})"
        in told
    )
    assert SECRET not in "".join(lines)
    assert "Traceback" not in "".join(lines)


async def test_start_end_and_partitions_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Each in one line."""

    async def fine(event: Event[Any]) -> None: ...

    lines = [line.strip() for line in await lines_of(fine, caplog)]
    assert f"health.logs begins with {BIRTH}.v1/0,1,2" in lines
    assert f"health.logs gives back {BIRTH}.v1/0,1,2" in lines
    assert lines[-1] == "health has stopped"


async def test_at_debug_the_traceback_has_no_text_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Classes, files, lines and functions, of what caused it, too."""
    text = "".join(await lines_of(failing, caplog, logging.DEBUG))
    for part in ("ValueError", "RuntimeError", "in parse", "in failing", "direct cause"):
        assert part in text
    assert SECRET not in text.replace(f'SECRET = "{SECRET}"', "")


async def test_of_many_dead_letters_some_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Ten a minute of one reason; `govbus deadletters list` has them all."""

    async def refusing(event: Event[Any]) -> DeadLetter:
        return DeadLetter(Reason.TARGET_REJECTED, "no")

    lines = await lines_of(refusing, caplog, count=BURST + 5)
    assert sum("target-rejected, dead letter" in line for line in lines) == BURST


def test_what_is_left_out_is_counted() -> None:
    """The next line after a minute tells it; each kind has a rate of its own."""
    rate = LineRate()
    assert [rate.passes("a", 0) for _ in range(BURST + 3)] == [0] * BURST + [None] * 3
    assert rate.passes("b", 0) == 0
    assert rate.passes("a", WINDOW_NS) == 3
    assert rate.passes("a", 2 * WINDOW_NS) == 0


def test_an_error_without_a_frame_of_ones_own_has_no_place() -> None:
    """As one that was never raised, or raised within a library."""
    assert place_of(ValueError(SECRET)) == ""
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads("{")
    assert place_of(caught.value).startswith(f"{HERE}:")
    kind, hidden, _ = without_values(caught.value)
    assert (kind.__name__, SECRET in str(hidden)) == ("JSONDecodeError", False)
