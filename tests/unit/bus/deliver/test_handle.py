"""What a handler returned or raised: an outcome, or an error that is never an acknowledgement."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from bus import Ack, DeadLetter, DeliveryReceipt, Draft, Event, Reason, Retry, RetryPolicy, agency_of
from bus.testing import InMemoryBus, InMemoryCluster
from contracts import Catalog
from tests.small_catalog import SmallCountry, case
from tests.worlds import until


async def outcomes(folder: Path, handler: Any, count: int = 1) -> tuple[list[tuple[str, str | None]], str]:
    """Let a handler have an event; return outcome and reason of each attempt, and its letter's detail."""
    country = SmallCountry(folder / "catalog")
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]
    south.subscribe(country.opened, version=1, purpose="close-cases", retry=RetryPolicy((0.01,), jitter=0))(
        handler
    )

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


SECRET = "Mae-Aoki"


def made_of(kind: Any, **given: object) -> Any:
    """Return one, unseen by the type checker."""
    return kind(**given)


def in_a_group(call: Any) -> None:
    """Call without arguments, as a task group does."""
    try:
        call()
    except TypeError as error:
        raise ExceptionGroup(SECRET, [ValueError(SECRET), error]) from None


def fails(**_given: object) -> None:
    """A function of the agency's own."""
    raise TypeError(f"publish() missing {SECRET}")


def adapt(function: object) -> None:
    """A function of the agency's own that has the name of one within the bus."""
    del function


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (
            lambda event: event.publish("a.b", {}),
            "Expected `version`, got none - in a call of `publish`",
        ),
        (
            lambda event: event.bus.publish("a.b"),
            "Expected `data`, got none - in a call of `publish`",
        ),
        (lambda event: event.bus.submit("a.b", {}), "Expected `version`, got none"),
        (
            lambda event: event.publish("a.b", {}, "1.0", SECRET),
            "Expected fewer positional arguments, got more",
        ),
        (lambda event: event.publish("a.b", {}, version="1.0", keey=SECRET), "`version`, `key`, "),
        (lambda event: event.publish("a.b", {}, version="1.0", keey=SECRET), "got `keey`"),
        (lambda event: event.publish("a.b", {}, version="1.0", **{SECRET: 1}), "got another"),
        (
            lambda event: event.publish("a.b", {}, version="1.0", data={}),
            "Expected `data` once, got it twice",
        ),
        (lambda event: made_of(Retry, afterseconds=5), "got `afterseconds` - in a call of `Retry`"),
        (lambda event: made_of(Retry, **{SECRET: 5}), "got another - in a call of `Retry`"),
        (lambda event: made_of(Retry, reason=SECRET), "Expected a `bus.Reason`, got `str`"),
        (lambda event: made_of(DeadLetter), "Expected `reason`, got none - in a call of `DeadLetter`"),
        (lambda event: made_of(Draft), "Expected `data`, got none - in a call of `Draft`"),
        (lambda event: event.publish("no.such", {}, version="1.0"), "no.such"),
        (lambda event: made_of(agency_of, **{SECRET: 1}), "got another - in a call of `agency_of`"),
        (lambda event: made_of(Catalog.open, folder=SECRET), "got another - in a call of `open`"),
        (
            lambda event: in_a_group(event.publish),
            "Expected `subject`, `data`, got none - in a call of `publish`",
        ),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
async def test_a_wrong_call_of_the_bus_is_told_in_the_letter_and_in_the_log(
    tmp_path: Path, slip: Any, said: str, plain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Which argument of which call, and what it takes; never a value of the data."""

    async def handler(event: Event[Any]) -> Any:
        made = slip(event)
        return await made if asyncio.iscoroutine(made) else made

    def plain_handler(event: Event[Any]) -> Any:
        return slip(event)

    if plain and "no.such" in said:
        return
    found, detail = await outcomes(tmp_path, plain_handler if plain else handler)
    assert found == [("dead-letter", "handler-failed")]
    assert said in detail
    assert said in caplog.text
    assert SECRET not in detail + caplog.text


@pytest.mark.parametrize(
    "slip",
    [
        lambda: fails(other=1),
        lambda: made_of(adapt),
        lambda: cast(Any, fails)(SECRET),
        lambda: {"a": 1}[SECRET],
        lambda: int(SECRET),
        lambda: len(cast(Any, 5)),
    ],
)
async def test_of_a_foreign_error_only_the_class_is_told(
    tmp_path: Path, slip: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text may quote data."""

    async def handler(event: Event[Any]) -> None:
        slip()

    found, _ = await outcomes(tmp_path, handler, count=2)
    assert found[0] == ("retry", "handler-failed")
    assert SECRET not in caplog.text


class _RetriableFails(Exception):  # noqa: N818 - as an agency may name it
    @property
    def retriable(self) -> bool:
        raise RuntimeError


class _WaitsFor(Exception):  # noqa: N818 - as an agency may name it
    def __init__(self, retry_after: object) -> None:
        self.retry_after = retry_after


class _Unmade(DeadLetter):
    def __init__(self) -> None: ...


@pytest.mark.parametrize(
    "error",
    [
        _RetriableFails(),
        _Unmade(),
        *map(_WaitsFor, [float("inf"), float("nan"), 1e300, True, "5", [5], -1]),
    ],
)
async def test_an_error_whose_own_attributes_fail_is_a_failed_attempt(
    tmp_path: Path, error: Exception
) -> None:
    """It once ended the whole subscription: all keys waited for one event."""

    async def handler(event: Event[Any]) -> Any:
        raise error

    found, _ = await outcomes(tmp_path, handler, count=2)
    assert found == [("retry", "handler-failed"), ("dead-letter", "handler-failed")]


def _changed(name: str, value: object) -> DeadLetter:
    letter = DeadLetter(Reason.NOT_JSON)
    setattr(letter, name, value)
    return letter


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (lambda: Retry(after_seconds=float("inf")), "a number of seconds up to"),
        (lambda: Retry(after_seconds=float("nan")), "a number of seconds up to"),
        (lambda: Retry(after_seconds=1e300), "a number of seconds up to"),
        (lambda: Retry(error=cast("Any", 5)), "`error`"),
        (lambda: Ack(cast("Any", "done")), "`reason`"),
        (lambda: Ack(cast("Any", 5)), "`reason`"),
        (lambda: DeadLetter(Reason.NOT_JSON, cast("Any", 5)), "`detail`"),
        (lambda: DeadLetter(Reason.NOT_JSON, "", cast("Any", ValueError)), "`error`"),
        (lambda: _changed("detail", 5), "`detail`"),
        (lambda: _changed("reason", "x"), "`reason`"),
    ],
)
@pytest.mark.parametrize("raised", [False, True])
async def test_an_outcome_of_wrong_values_is_a_dead_letter(
    tmp_path: Path, made: Any, named: str, raised: bool
) -> None:
    """Of that event, told by the argument's name; the subscription goes on."""

    async def handler(event: Event[Any]) -> Any:
        outcome = made()
        if raised and not isinstance(outcome, Ack):
            raise outcome
        return outcome

    found, detail = await outcomes(tmp_path, handler)
    assert found == [("dead-letter", "handler-failed")]
    assert named in detail


async def test_a_dead_letter_is_written_whatever_its_text_is(tmp_path: Path) -> None:
    """A name of a file may be no Unicode, and a text of any length."""

    async def handler(event: Event[Any]) -> Any:
        return DeadLetter(Reason.NOT_JSON, "\udcff" + "x" * 9_000_000)

    found, detail = await outcomes(tmp_path, handler)
    assert found == [("dead-letter", "not-json")]
    assert (detail[:8], len(detail) < 10_000) == ("\\udcffxx", True)


async def cancel_and_wait() -> None:
    """Cancel the task that this runs in, as a library with a leak does, and wait for it."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(3600)


async def cancel_and_swallow() -> None:
    """Go on after that, and fail."""
    with suppress(asyncio.CancelledError):
        await cancel_and_wait()
    raise RuntimeError


async def cancel_and_fail() -> None:
    """Cancel it, and fail before it waits."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    raise RuntimeError


async def cancel_and_be_refused() -> None:
    """Cancel it, and end in a dead letter, which is written with a wait."""
    with suppress(RuntimeError):
        await cancel_and_fail()
    raise DeadLetter(Reason.TARGET_REJECTED)


async def cancel_twice_from_elsewhere() -> None:
    """Let another task cancel it, twice."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.sleep(3600)


async def leak_a_cancelled_scope() -> None:
    """Never leave a scope, which then cancels its task again and again."""
    scope = anyio.CancelScope()
    scope.__enter__()
    scope.cancel()
    await asyncio.sleep(3600)


async def raise_it() -> None:
    """Raise it without a cancellation."""
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (cancel_and_wait, [("retry", "handler-failed"), ("dead-letter", "handler-failed")]),
        (cancel_and_swallow, [("retry", "handler-failed"), ("dead-letter", "handler-failed")]),
        (cancel_and_fail, [("retry", "handler-failed"), ("dead-letter", "handler-failed")]),
        (cancel_and_be_refused, [("dead-letter", "target-rejected")]),
        (cancel_twice_from_elsewhere, [("retry", "handler-failed"), ("dead-letter", "handler-failed")]),
        (leak_a_cancelled_scope, [("retry", "handler-failed"), ("dead-letter", "handler-failed")]),
        (raise_it, [("retry", "handler-failed"), ("dead-letter", "handler-failed")]),
    ],
)
async def test_a_handler_that_cancels_its_own_task_has_failed(
    tmp_path: Path, act: Any, expected: list[tuple[str, str]]
) -> None:
    """It is tried by the schedule, then a dead letter; without a wait it came again at once, without end."""
    tried = 0

    async def handler(event: Event[Any]) -> None:
        nonlocal tried
        tried += 1
        await act()

    found, _ = await outcomes(tmp_path, handler, len(expected))
    assert found == expected
    assert tried == len(expected)


async def test_a_cancellation_left_behind_meets_no_other_event(tmp_path: Path) -> None:
    """A handler that returned has done its work; the next event's handler may wait."""
    country = SmallCountry(tmp_path / "catalog")
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]

    @south.subscribe(country.opened, version=1, purpose="close-cases", concurrency=1)
    async def handler(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    def rows() -> list[str]:
        return [row.outcome for row in cluster.receipts() if isinstance(row, DeliveryReceipt)]

    async with north, south:
        await north.publish_many(country.opened, [case(n) for n in range(4)], version="1.0")
        await until(lambda: len(rows()) >= 4)
    assert rows() == ["ack"] * 4
