"""Runs one sink: translates and writes each event of its subscription, and returns the outcome to the bus."""

import asyncio
import inspect
from typing import Any

from bus import Ack, Bus, DeadLetter, Event, Outcome, Reason, Retry, trace_headers
from connectors.configuration.config import SinkConfig
from connectors.errors import (
    BlockedError,
    ConfigurationError,
    ConnectorError,
    NotConnectedError,
    RecordRejectedError,
    TryAgainError,
)
from connectors.health import Health
from connectors.sink import Applied, SinkRecord
from connectors.target import LONGEST_PAUSE_SECONDS, WAIT_SECONDS, Target
from connectors.worker import Worker


class SinkRunner:
    """Runs one sink.

    Args:
        config: The sink.
    """

    def __init__(self, config: SinkConfig) -> None:
        self.health = Health(config.agency, config.name, "sink")
        self._config = config
        self._worker = Worker(config.name)
        self._sink = config.make()
        self._target = Target(config.subscribe.max_in_flight, config.subscribe.rate)
        self._connecting = asyncio.Lock()
        self._connected = False
        self._closed = False

    async def open(self) -> bool:
        """Connect a first time.

        Returns:
            Whether the sink can be used; a target that cannot be reached now counts as usable.
        """
        try:
            await self._connect()
        except ConfigurationError as error:
            self.health.failed(error.reason, str(error))
            return False
        except BlockedError as error:
            self.health.blocked(error.reason, str(error))
        except ConnectorError as error:
            self.health.waiting(error.reason, str(error))
        except Exception as error:  # noqa: BLE001 - the first event tries again, whatever the error
            self.health.waiting(ConnectorError.reason, f"connect raised {type(error).__name__}")
        return True

    def subscribe(self, bus: Bus) -> None:
        """Register with a bus that has not started."""
        subscribe = self._config.subscribe

        @bus.subscribe(
            subscribe.event,
            version=subscribe.version,
            purpose=subscribe.purpose,
            name=self._config.name,
            timeout_seconds=subscribe.timeout_seconds + WAIT_SECONDS,
            concurrency=subscribe.max_in_flight,
        )
        async def deliver(event: Event[Any]) -> Outcome:
            return await self.handle(event)

    async def handle(self, event: Event[Any]) -> Outcome:
        """Write one event; see `Sink.write` for what each error leads to."""
        try:
            body = self._config.translate(event)
        except RecordRejectedError as error:
            return self._dead_letter(Reason.UNTRANSLATABLE, str(error), error)
        except Exception as error:  # noqa: BLE001 - a function of the file's own may raise anything
            return self._dead_letter(
                Reason.UNTRANSLATABLE, f"`translate` raised {type(error).__name__}", error
            )
        if inspect.isawaitable(body) or inspect.isgenerator(body) or inspect.isasyncgen(body):
            what = f"Expected JSON from `translate`, got a `{type(body).__name__}`, which has not run"
            return self._dead_letter(Reason.UNTRANSLATABLE, what, TypeError())
        record = SinkRecord(
            event.id, body, event.type, event.transaction, event.attempt, trace_headers(event)
        )
        async with self._target.turn() as seconds:
            if seconds is not None:
                return Retry(Reason.TARGET_UNAVAILABLE, seconds)
            return await self._write(record)

    async def _write(self, record: SinkRecord) -> Outcome:
        try:
            await self._connect()
            written: object = await self._worker.call(self._sink.write, record)
            if not isinstance(written, Applied | None):
                raise ConfigurationError(
                    f"`write` returned a `{type(written).__name__}`",
                    "it returns `Applied` or None, and raises an error where the target took nothing",
                    "correct the sink",
                )
        except RecordRejectedError as error:
            return self._dead_letter(Reason.TARGET_REJECTED, str(error), error)
        except (BlockedError, ConfigurationError) as error:
            self.health.blocked(error.reason, str(error))
            return Retry(Reason.TARGET_UNAVAILABLE, error=type(error).__name__)
        except NotConnectedError as error:
            self._connected = False
            return self._retry(Reason.TARGET_UNAVAILABLE, error)
        except TryAgainError as error:
            return self._retry(Reason.TARGET_UNAVAILABLE if error.away else Reason.HANDLER_FAILED, error)
        except Exception as error:  # noqa: BLE001 - a bug of a sink is retried as the subscription says
            self.health.waiting(ConnectorError.reason, f"write raised {type(error).__name__}")
            return Retry(Reason.HANDLER_FAILED, error=type(error).__name__)
        self.health.counts["written"] += 1
        self.health.running()
        return Ack()

    async def close(self) -> None:
        """Close the sink. May be called twice."""
        if self._closed:
            return
        self._closed = True
        await self._worker.try_to_close(self._sink.close, f"sink {self._config.agency}/{self._config.name}")
        self._worker.close()
        self.health.stopped()

    async def _connect(self) -> None:
        async with self._connecting:
            if not self._connected:
                await self._worker.call(self._sink.connect)
                self._connected = True
                self.health.running()

    def _retry(self, reason: Reason, error: NotConnectedError | TryAgainError) -> Retry:
        self.health.counts["retried"] += 1
        self.health.waiting(error.reason, str(error), error.after_seconds)
        self._target.pause(error.after_seconds or 0.0)
        after = error.after_seconds
        wait = None if after is None else min(LONGEST_PAUSE_SECONDS, after)  # in this order also of a NaN
        return Retry(reason, wait, type(error).__name__)

    def _dead_letter(self, reason: Reason, detail: str, error: Exception) -> DeadLetter:
        self.health.counts["dead-lettered"] += 1
        return DeadLetter(reason, detail, type(error).__name__)
