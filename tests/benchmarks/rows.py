"""What was measured, as rows: medians, ratios, goals. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

from tests.benchmarks.job import Result

PERCENTILES = (50.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should be.

    Attributes:
        bound: the ratio itself may just be this.
        at_least: whether more is better.
    """

    bound: float
    at_least: bool

    def met_by(self, ratio: float) -> bool:
        """Whether a ratio is good enough."""
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        section: `publish`, `subscribe`, `latency` or `memory`.
        what: what the bus did.
        payload_bytes: size of the data.
        unit: of the figures: `events/s`, `ms` or `MB`.
        against: whom it is held against.
        ours: the bus' figure of each round.
        theirs: the other's figure of each round.
        goal: what their ratio should be; None where another row is judged.
        skipped: why a figure is missing.
    """

    section: str
    what: str
    payload_bytes: int
    unit: str
    against: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    goal: Goal | None
    skipped: str = ""

    @property
    def ours_median(self) -> float | None:
        """The bus' figure."""
        return median(self.ours) if self.ours else None

    @property
    def theirs_median(self) -> float | None:
        """The other's figure."""
        return median(self.theirs) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        """Ours by theirs."""
        ours, theirs = self.ours_median, self.theirs_median
        return None if ours is None or not theirs else ours / theirs

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where nothing is to be judged."""
        return None if self.goal is None or self.ratio is None else self.goal.met_by(self.ratio)

    def as_json(self) -> dict[str, Any]:
        """Return the row as it is saved."""
        return {
            "section": self.section, "what": self.what, "payload_bytes": self.payload_bytes,
            "unit": self.unit, "against": self.against, "govbus": self.ours_median,
            "other": self.theirs_median, "ratio": self.ratio, "goal": str(self.goal) if self.goal else None,
            "met": self.met, "govbus_rounds": self.ours, "other_rounds": self.theirs,
            "skipped": self.skipped or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opponent:
    """Who runs against the bus.

    Attributes:
        name: its name among the contestants, without the section.
        title: its name in the table.
        goal: what the bus' rate should be, as a multiple of its rate.
        share: of the events of a round that it gets; the slow get fewer, so that rounds last about the same.
        peer: opponents of one peer are one opponent in several settings: only the best is judged.
    """

    name: str
    title: str
    goal: Goal
    share: float = 1.0
    peer: str = ""


def orders(contestants: Sequence[str], rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield who runs when: every round everybody, each round another first."""
    for turn in range(rounds):
        first = turn % len(contestants)
        yield (*contestants[first:], *contestants[:first])


def rate_rows(
    section: str,
    what: str,
    payload_bytes: int,
    opponents: Sequence[Opponent],
    results: Mapping[str, Sequence[Result]],
) -> list[Row]:
    """Return the rows of one race.

    Args:
        section: the part of the table.
        what: what the bus did.
        payload_bytes: size of the data.
        opponents: whom it ran against.
        results: of every contestant by name, one per round; `govbus` is ours.
    """
    ours, trouble = _rates(results["govbus"])
    best = _best_of_peers(opponents, results)
    rows = []
    for opponent in opponents:
        theirs, theirs_trouble = _rates(results[opponent.name])
        goal = opponent.goal if opponent.name in best else None
        rows.append(
            Row(
                section, what, payload_bytes, "events/s", opponent.title, ours, theirs, goal,
                trouble or theirs_trouble,
            )
        )  # fmt: skip
    return rows


def _best_of_peers(opponents: Sequence[Opponent], results: Mapping[str, Sequence[Result]]) -> set[str]:
    best: dict[str, tuple[float, str]] = {}
    for opponent in opponents:
        rates, _ = _rates(results[opponent.name])
        peer = opponent.peer or opponent.name
        best[peer] = max(best.get(peer, (-1.0, "")), (median(rates) if rates else 0.0, opponent.name))
    return {name for _, name in best.values()}


def _rates(results: Sequence[Result]) -> tuple[tuple[float, ...], str]:
    skipped = next((result.skipped for result in results if result.skipped), "")
    return tuple(result.rate for result in results if not result.skipped), skipped


def latencies_ms(published: Result, read: Result, warm_up: int, rate: int) -> list[float]:
    """Return each event's time from when it was due to when it was handled, sorted, in milliseconds.

    Args:
        published: says when the first was due.
        read: says when each arrived.
        warm_up: how many of the first do not count.
        rate: events per second of the grid.
    """
    interval_ns = 1_000_000_000 // rate
    return sorted(
        (arrived - published.started_ns - number * interval_ns) / 1e6
        for number, arrived in enumerate(read.arrivals_ns)
        if number >= warm_up and arrived
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of all do not pass (nearest rank)."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def resident_after(resident: Sequence[tuple[int, int]], events: int, span: int) -> float | None:
    """Return the median of what was resident between `events` and `events + span` events, in MB."""
    noted = [size for count, size in resident if events <= count <= events + span]
    return median(noted) / 1e6 if noted else None
