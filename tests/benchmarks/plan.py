"""How much is run: sizes, rounds, seconds. All takes ten minutes on two cores, a quick run takes one."""

from collections.abc import Sequence
from dataclasses import dataclass

SECTIONS = ("publish", "subscribe", "latency", "memory")
PAYLOADS = (200, 1024, 10_240)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run.

    Attributes:
        sections: which parts of the table.
        payloads: sizes of the data in bytes.
        rounds: how often everybody runs a race of rates.
        events: how many events of 1 KB a round has; more of smaller ones, fewer of larger.
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

    def children(self, contestants: int = 4) -> int:
        """Return how many processes will run."""
        races = sum(section in self.sections for section in ("publish", "subscribe"))
        profiles = len(self.payloads) * races + 2 * ("latency" in self.sections)
        return (
            races * len(self.payloads) * (1 + self.rounds * contestants)
            + 4 * self.latency_rounds * ("latency" in self.sections)
            + 2 * ("memory" in self.sections)
            + profiles * self.profile
        )


def quick(sections: Sequence[str], payloads: Sequence[int], *, profile: bool) -> Plan:
    """Return a plan that shows that everything runs; its figures mean little."""
    return Plan(
        sections, payloads, rounds=1, events=5_000, latency_rounds=1, latency_seconds=3,
        latency_warm_up_seconds=2, memory_events=100_000, profile=profile,
    )  # fmt: skip
