"""One subscription: what an agency reads, why, and how its failures are handled."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bus.deliver.handler_model import HandlerModel
from bus.deliver.retry import RetryPolicy
from bus.event import Event
from bus.record import TopicPartition
from bus.stages.decode import Expected
from bus.topics import REPLAY
from contracts import ContractVersion

Handler = Callable[[Event[Any]], Awaitable[Any]]
"""The agency's code, taking an event."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an agency reads, why, and how its failures are handled.

    Args:
        agency: the agency that reads.
        name: the subscription's name, unique within the agency.
        group: its consumer group.
        topic: where events of its version are published.
        purpose: what the data is used for; it stands in every delivery receipt.
        fields: the paths that its handler sees; see `bus/grants/rule.py`.
        expected: what each topic it reads holds: its own, and those of older versions in use.
        handler: the agency's code, taking an event.
        model: the type as which it takes the data; None where it takes any.
        retry: when a failed event is tried again.
        timeout_seconds: how long one event may take in the handler.
        concurrency: how many events of a partition are handled at once, each of another key.
        exactly_once: whether what is read, published and committed is one transaction.
        replay: id of the replay it reads for.
        ends: where reading of a partition ends, for a replay.
    """

    agency: str
    name: str
    group: str
    topic: str
    purpose: str
    expected: Mapping[str, Expected]
    handler: Handler
    retry: RetryPolicy
    timeout_seconds: float
    fields: tuple[str, ...] = ("$",)
    model: HandlerModel | None = None
    concurrency: int = 1
    exactly_once: bool = False
    replay: str | None = None
    ends: Mapping[TopicPartition, int] = field(default_factory=dict)

    @property
    def version(self) -> ContractVersion:
        """The latest version of those that it knows."""
        return self.expected[self.topic].current

    @property
    def read_as(self) -> str:
        """The name under which events are handled; in a replay, that of the subscription that is replayed."""
        return self.name if self.replay is None else self.name.removesuffix(f"{REPLAY}{self.replay}")
