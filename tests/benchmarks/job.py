"""What a child process is asked to do, and what it answers."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks.country import Country


@dataclass(frozen=True, slots=True)
class Job:
    """One contestant's part in one round.

    Attributes:
        contestant: its name in `child.CONTESTANTS`.
        bootstrap_servers: the broker that all share.
        catalog: folder of the race's catalogue.
        mark: part of the catalogue's names.
        payload_bytes: size of the data as JSON.
        keys: how many cases the events are about; each event has a case of its own if 0.
        events: how many to publish or to wait for, the warm-up included.
        warm_up: how many of them come before the clock starts.
        concurrency: events of one partition handled at once; the default of the subscription if 0.
        wait_seconds: how long a handler awaits something.
        group: consumer group, or subscription; one that nobody used before.
        rate: events per second of an open loop.
        limit_seconds: after so long a reader gives up.
        profile: whether to say where the time went, too.
    """

    contestant: str
    bootstrap_servers: str
    catalog: str
    mark: str
    payload_bytes: int
    events: int
    warm_up: int = 0
    keys: int = 0
    concurrency: int = 0
    wait_seconds: float = 0.0
    group: str = ""
    rate: int = 0
    limit_seconds: float = 120.0
    profile: bool = False

    @property
    def country(self) -> Country:
        """The catalogue of the race."""
        return Country(Path(self.catalog), self.mark)

    def to_json(self) -> str:
        """Return the job as an argument of a command."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """Read the job from an argument of a command."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job.

    Attributes:
        events: how many were counted, the warm-up excluded.
        seconds: how long they took.
        cpu_seconds: processor time of the process meanwhile, all its threads included.
        load: the machine's load average of one minute at the end.
        disorder: events handled before an earlier one of their key was done.
        started_ns: when the first event of an open loop was due, on the machine's monotonic clock.
        arrivals_ns: when each event reached the handler, on the same clock; 0 where it did not.
        resident: pairs of events handled and bytes resident.
        profile: the dearest functions: seconds of their own, calls, name.
        skipped: why the contestant could not run here.
        durations_ns: how long each of the calls took that were awaited one by one.
    """

    events: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    load: float = 0.0
    disorder: int = 0
    started_ns: int = 0
    arrivals_ns: list[int] = field(default_factory=list)
    resident: list[tuple[int, int]] = field(default_factory=list)
    profile: list[tuple[float, int, str]] = field(default_factory=list)
    skipped: str = ""
    durations_ns: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time per event."""
        return self.cpu_seconds / self.events * 1e6 if self.events else 0.0

    def to_json(self) -> bytes:
        """Return the result as the file a child leaves."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, content: bytes) -> "Result":
        """Read the file a child left."""
        raw: dict[str, Any] = orjson.loads(content)
        raw["resident"] = [(events, resident) for events, resident in raw["resident"]]
        raw["profile"] = [(seconds, calls, name) for seconds, calls, name in raw["profile"]]
        return cls(**raw)


class ReadySignal:
    """A file that says that a reader reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def give(self) -> None:
        """Say so."""
        self.path.touch()

    @property
    def given(self) -> bool:
        """Whether it was said."""
        return self.path.exists()
