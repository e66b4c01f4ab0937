"""What a handler returned or raised: an outcome, or an error that is never an acknowledgement."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bus import Ack, DeadLetter, DeliveryReceipt, Event, Reason, Retry, RetryPolicy
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry, case
from tests.worlds import until


async def outcomes(folder: Path, handler: Any, count: int = 1) -> tuple[list[tuple[str, str | None]], str]:
    """Let a handler have an event; return outcome and reason of each attempt, and its letter's detail."""
    country = SmallCountry(folder / "catalog")
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]
    south.subscribe(country.opened, version=1, purpose="test", retry=RetryPolicy((0.01,), jitter=0))(handler)

    def rows() -> list[DeliveryReceipt]:
        return [row for row in cluster.receipts() if isinstance(row, DeliveryReceipt)]

    async with north, south:
        await north.publish(country.opened, case(), version="1.0")
        await until(lambda: len(rows()) >= count)
    letters = cluster.records(f"{country.south}.dead-letters")
    details = [dict(letter.headers).get("govbus-dead-letter-detail") or b"" for letter in letters]
    return [(row.outcome, row.reason) for row in rows()], b" ".join(details).decode()


async def never() -> None:
    """Never awaited."""


def steps() -> Iterator[None]:
    """Never run."""
    yield


@pytest.mark.parametrize(
    ("returned", "named"),
    [
        (lambda: Retry, "class `Retry`"),
        (lambda: DeadLetter, "class `DeadLetter`"),
        (lambda: Ack, "class `Ack`"),
        (lambda: Reason.TARGET_UNAVAILABLE, "`Reason`"),
        (lambda: False, "`bool`"),
        (lambda: 0, "`int`"),
        (lambda: "retry", "`str`"),
        (lambda: [Retry()], "`list`"),
        (lambda: RuntimeError("secret"), "`RuntimeError`"),
        (steps, "`generator`"),
        (lambda: never, "`function`"),
        (Future, "`Future`"),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
async def test_a_value_that_is_no_outcome_is_a_dead_letter(
    tmp_path: Path, returned: Any, named: str, plain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says what came back, in the letter and in the log; the event is not acknowledged."""

    async def handler(event: Event[Any]) -> Any:
        return returned()

    def plain_handler(event: Event[Any]) -> Any:
        return returned()

    found, detail = await outcomes(tmp_path, plain_handler if plain else handler)
    assert found == [("dead-letter", "handler-failed")]
    assert named in detail
    assert "secret" not in detail
    assert named in caplog.text


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (Retry(Reason.TARGET_REJECTED, 0.0), [("retry", "target-rejected"), ("ack", None)]),
        (Retry, [("retry", "handler-failed"), ("ack", None)]),
        (DeadLetter(Reason.TARGET_REJECTED, "no such case"), [("dead-letter", "target-rejected")]),
        (type("MyRetry", (Retry,), {}), [("retry", "handler-failed"), ("ack", None)]),
    ],
)
async def test_an_outcome_that_is_raised_is_taken_as_one(
    tmp_path: Path, raised: Any, expected: list[Any], plain: bool
) -> None:
    """As if it had been returned, also from within the block of a context manager."""

    @contextmanager
    def block() -> Iterator[None]:
        yield

    def plain_handler(event: Event[Any]) -> None:
        with block():
            if event.attempt == 1:
                raise raised

    async def handler(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        plain_handler(event)

    found, detail = await outcomes(tmp_path, plain_handler if plain else handler, len(expected))
    assert found == expected
    assert detail == ("no such case" if expected[0][0] == "dead-letter" else "")


async def test_a_coroutine_that_comes_back_is_awaited_or_refused(tmp_path: Path) -> None:
    """A plain wrapper may hand back the handler's; a coroutine function that forgot to await one may not."""
    handled = []

    async def handler(event: Event[Any]) -> None:
        handled.append(event.id)

    def wrapper(event: Event[Any]) -> Any:
        return handler(event)

    async def forgetful(event: Event[Any]) -> Any:
        return handler(event)

    assert await outcomes(tmp_path / "plain", wrapper) == ([("ack", None)], "")
    assert len(handled) == 1
    found, detail = await outcomes(tmp_path / "async", forgetful)
    assert found == [("dead-letter", "handler-failed")]
    assert "`coroutine`" in detail


@pytest.mark.parametrize("wrong", ["target-unavailable", "my own words", 30, None])
def test_an_outcome_has_a_reason_of_the_closed_set(wrong: Any) -> None:
    """A time or a text in the place of the reason is an error where it is made."""
    with pytest.raises(TypeError, match="`reason`"):
        Retry(wrong)
    with pytest.raises(TypeError, match="`reason`"):
        DeadLetter(wrong)


@pytest.mark.parametrize("wrong", ["5", True, [5]])
def test_a_retry_is_after_a_number_of_seconds(wrong: Any) -> None:
    """Nothing else can be waited for."""
    with pytest.raises(TypeError, match="`after_seconds`"):
        Retry(after_seconds=wrong)
