"""How much is run: sizes, rounds, seconds. All takes 15 minutes on two cores, a quick run one minute."""

from collections.abc import Sequence
from dataclasses import dataclass

SECTIONS = ("publish", "await", "subscribe", "handler", "exactly-once", "waiting", "latency", "memory")
PAYLOADS = (200, 1024, 10_240)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run.

    Attributes:
        sections: which parts of the table.
        payloads: sizes of the data in bytes.
        rounds: how often everybody runs a race of rates.
        events: how many events of 1 KB a round has; more of smaller ones, fewer of larger.
        waiting_events: how many events a round has whose handlers wait, where many run at once.
        waiting_alone: how many where one runs at a time.
        awaited_events: how many events a round publishes one by one.
        latency_rounds: how often each runs the open loop.
        latency_seconds: how long the open loop is measured.
        latency_warm_up_seconds: how long it runs before that.
        latency_rate: its events per second.
        memory_events: how many events the subscriber's memory is watched over.
        profile: whether to say where the bus' time went.
    """

    sections: Sequence[str] = SECTIONS
    payloads: Sequence[int] = PAYLOADS
    rounds: int = 5
    events: int = 60_000
    waiting_events: int = 12_000
    waiting_alone: int = 600
    awaited_events: int = 3_000
    latency_rounds: int = 3
    latency_seconds: int = 20
    latency_warm_up_seconds: int = 4
    latency_rate: int = 1000
    memory_events: int = 1_000_000
    profile: bool = False

    def round_events(self, payload_bytes: int) -> int:
        """Return how many events a round has."""
        if payload_bytes <= 512:
            return self.events * 3 // 2
        return self.events if payload_bytes <= 2048 else self.events // 5

    @property
    def middle_payload(self) -> int:
        """The payload of rows that have one only."""
        return 1024 if 1024 in self.payloads else self.payloads[0]

    def children(self) -> int:
        """Return how many processes will run."""
        profiles = {"publish": len(self.payloads), "subscribe": len(self.payloads), "latency": 2}
        processes = {
            "publish": len(self.payloads) * (1 + 3 * self.rounds),
            "subscribe": len(self.payloads) * (1 + 5 * self.rounds),
            "await": 2 * self.rounds,
            "handler": 1 + 2 * self.rounds,
            "exactly-once": 1 + 2 * self.rounds,
            "waiting": 2 + 5 * self.rounds,
            "latency": 4 * self.latency_rounds,
            "memory": 2,
        }
        return sum(processes[name] + self.profile * profiles.get(name, 1) for name in self.sections)


def quick(sections: Sequence[str], payloads: Sequence[int], *, profile: bool) -> Plan:
    """Return a plan that shows that everything runs; its figures mean little."""
    return Plan(
        sections, payloads, rounds=1, events=5_000, waiting_events=2_000, waiting_alone=100,
        awaited_events=200, latency_rounds=1, latency_seconds=3, latency_warm_up_seconds=2,
        memory_events=100_000, profile=profile,
    )  # fmt: skip
