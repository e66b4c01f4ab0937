"""One call of a handler, and the outcome of what it returned or raised."""

import asyncio
import inspect
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from bus.caused import HANDLED
from bus.deliver.error_places import place_of, without_values
from bus.deliver.subscription import Subscription
from bus.deliver.worker import PartitionWorker
from bus.errors import BusError, UsageError
from bus.event import Event
from bus.misuse import WrongArgumentError, misuse
from bus.outcome import ACK, OUTCOME_NAMES, Ack, DeadLetter, Outcome, Reason, Retry, is_wait
from bus.process.outage import is_retriable
from bus.telemetry import Telemetry
from contracts import ContractError, visible_logger

logger = visible_logger("govbus.subscriber")

NEVER = "The handler can never take this event"
CANCELLED = (
    "the task that a handler runs in was cancelled, by the handler or another than the bus. Unless it had "
    "ended, that is a failed attempt. Let a handler cancel tasks and scopes of its own alone, and stop the "
    "bus before its event loop ends"
)


def handle(
    subscription: Subscription, telemetry: Telemetry, worker: PartitionWorker, event: Event[Any]
) -> Coroutine[Any, Any, Outcome]:
    """Return what calls the subscription's handler and has the outcome, within a span if tracing is on."""
    if telemetry.tracing:
        return _traced(subscription, telemetry, worker, event)
    return _attempt(subscription, worker, event)


async def _traced(
    subscription: Subscription, telemetry: Telemetry, worker: PartitionWorker, event: Event[Any]
) -> Outcome:
    with telemetry.process(event, subscription.group, subscription.purpose) as span:
        outcome = await _attempt(subscription, worker, event)
        error = "" if isinstance(outcome, Ack) else outcome.error or outcome.reason.value
        telemetry.decided(span, OUTCOME_NAMES[type(outcome)], outcome.reason, error)
        return outcome


async def _attempt(subscription: Subscription, worker: PartitionWorker, event: Event[Any]) -> Outcome:
    HANDLED.set(event)  # in a context of its own
    task = worker.task
    try:
        try:
            result = await subscription.handler(event)
        except Exception:
            with suppress(BusError):  # its receipts are gathered all the same
                await _landed(event)
            raise
        if event.caused is not None:
            await _landed(event)
        outcome = ACK if result is None else _outcome(result)
    except asyncio.CancelledError as error:
        outcome = _interrupted(worker, error)
    except BaseException as error:
        if isinstance(error, GeneratorExit) and _current_task() is not task:
            raise  # the loop has gone
        outcome = _told(outcome_of_error(error), error, subscription.group)
        if not isinstance(error, Retry | DeadLetter):
            worker.failed_at = place_of(error)
            logger.debug("%s: a handler failed", subscription.group, exc_info=without_values(error))
    finally:
        if task is not None and task.cancelling():
            await worker.take_back_cancellation(task)
        worker.handler_ends()
    if worker.was_cancelled:
        logger.error("%s: %s", subscription.group, CANCELLED)
        return Ack() if outcome is ACK else outcome  # not that of nearly all events: the worker ends
    return outcome


def _interrupted(worker: PartitionWorker, error: asyncio.CancelledError) -> Outcome:
    if worker.timed_out:
        return Retry(Reason.HANDLER_TIMEOUT, error="TimeoutError")
    if worker.abandoned:
        return Retry(Reason.ABANDONED, 0.0)
    return outcome_of_error(error)  # something it awaited was cancelled, or its task by another than the bus


def _told(outcome: Outcome, error: BaseException, group: str) -> Outcome:
    """Return what a handler's error decides, the event's fate alone, and tell what somebody must mend."""
    if isinstance(outcome, DeadLetter) and _is_of_the_program(error):
        logger.error("%s: %s", group, outcome.detail)
    elif _is_refused_to_all(error) and not is_retriable(error):
        logger.error("%s: %s", group, error)
    return outcome


async def _landed(event: Event[Any]) -> None:
    """Wait until the broker has what the handler has published."""
    if event.caused is not None and not event.caused.has_landed:
        assert event.bus is not None  # noqa: S101 - it has published by it
        await event.bus.landed(event)


def _current_task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _outcome(result: Any) -> Outcome:
    if isinstance(result, Ack):
        return result if result.reason else ACK
    if isinstance(result, Retry | DeadLetter):
        return _plain(result)
    if inspect.iscoroutine(result):
        result.close()
    got = f"the class `{result.__name__}`" if isinstance(result, type) else f"`{type(result).__name__}`"
    raise UsageError(
        f"Expected nothing, `Ack()`, `Retry()` or `DeadLetter(reason)` from the handler, got {got}. What it "
        "did is done; let it return nothing, or an outcome"
    )


def _is_of_the_program(error: BaseException) -> bool:
    return isinstance(error, UsageError | ContractError) or misuse(error) is not None


def _is_refused_to_all(error: BaseException) -> bool:
    """Whether the cluster would refuse any event: access, a topic or a setting is missing."""
    return isinstance(error, BusError) and error.reason is Reason.BUS_UNAVAILABLE


def _plain(outcome: Retry | DeadLetter) -> Outcome:
    """Return an outcome as a value of its own: not one of a subclass, and without a traceback."""
    if isinstance(outcome, Retry):
        return Retry(outcome.reason, outcome.after_seconds, outcome.error)
    return DeadLetter(outcome.reason, outcome.detail, outcome.error)


def outcome_of_error(error: BaseException) -> Outcome:
    """Return the outcome of a handler's error: a dead letter if its `retriable` is False, else a retry.

    What the cluster would refuse to any event, such as access that was taken away, is no fault of this one:
    it is waited for as a cluster that is away. An outcome that is raised is taken as if it were returned. An
    error may have `retriable`, `reason` (a `Reason`) and `retry_after` (seconds). An error that would end a
    program, such as `SystemExit`, ends only the attempt. A call of the bus with wrong arguments would fail
    again, and its letter says which; of any other error only the class is told, since its text may quote
    data. An error whose own attributes fail says nothing.
    """
    try:
        return _said(error)
    except WrongArgumentError as wrong:  # of an outcome that was changed after it was made
        return DeadLetter(Reason.HANDLER_FAILED, str(wrong), type(error).__name__)
    except Exception:  # noqa: BLE001 - of the program's own class of errors or outcomes
        return Retry(Reason.HANDLER_FAILED, None, type(error).__name__)


def _said(error: BaseException) -> Outcome:
    if isinstance(error, Retry | DeadLetter):
        return _plain(error)
    reason = getattr(error, "reason", Reason.HANDLER_FAILED)
    reason = reason if isinstance(reason, Reason) else Reason.HANDLER_FAILED
    name = type(error).__name__
    if (fault := misuse(error)) is not None:
        return DeadLetter(reason, fault, name)
    if getattr(error, "retriable", True) is False and not _is_refused_to_all(error):
        ours = isinstance(error, BusError | ContractError)  # whose words never quote data
        return DeadLetter(reason, str(error) if ours else NEVER, name)
    after = getattr(error, "retry_after", None)
    return Retry(reason, after if is_wait(after) else None, name)
