"""What was measured, as rows: medians, ratios, goals. Pure.

Law of this file: a ratio of wall times that was taken under load is not shown; one of processor times is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import median
from typing import Any, Literal

from tests.benchmarks.job import Result

PERCENTILES = (50.0, 99.0, 99.9)
MOST_LOAD = 3.0
"""Above this load average of one minute, wall times say more of what else runs than of what is measured."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be.

    Attributes:
        bound: the figure may just be this.
        at_least: whether more is better.
        of: the figure: `CPU` is the other's processor time per event by ours, `wall` our figure by the
            other's, `own` our figure itself.
    """

    bound: float
    at_least: bool
    of: Literal["CPU", "wall", "own"] = "wall"

    def met_by(self, figure: float) -> bool:
        """Whether a figure is good enough."""
        return figure >= self.bound if self.at_least else figure <= self.bound

    def __str__(self) -> str:
        return f"{self.of} {'>=' if self.at_least else '<='} {self.bound:,g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        section: one of `plan.SECTIONS`.
        what: what the bus did.
        payload_bytes: size of the data.
        unit: of the figures: `events/s`, `ms` or `MB`.
        against: whom it is held against.
        ours: the bus' figure of each round.
        theirs: the other's figure of each round.
        goal: what should come of it; None where nothing is judged.
        skipped: why a figure is missing.
        ours_cpu_us: microseconds of the bus' processor time per event, of each round.
        theirs_cpu_us: the other's.
        load: the highest load average of one minute at the end of any of these rounds.
        disorder: how many events the bus and the other handled out of the order of their keys.
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
    ours_cpu_us: tuple[float, ...] = ()
    theirs_cpu_us: tuple[float, ...] = ()
    load: float = 0.0
    disorder: tuple[int, int] = (0, 0)

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
        """Our figure by theirs; None also for times and rates that were taken under too much load."""
        ours, theirs = self.ours_median, self.theirs_median
        return None if self.is_loaded or ours is None or not theirs else ours / theirs

    @property
    def is_loaded(self) -> bool:
        """Whether too much else ran for times and rates; memory and processor time mean something still."""
        return self.unit != "MB" and self.load > MOST_LOAD

    @property
    def cpu_ratio(self) -> float | None:
        """The other's processor time per event by ours."""
        both = self.ours_cpu_us, self.theirs_cpu_us
        ours, theirs = (median(rounds) if rounds else 0.0 for rounds in both)
        return theirs / ours if ours and theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where nothing is to be judged."""
        if self.goal is None:
            return None
        own = None if self.is_loaded else self.ours_median
        figure = {"CPU": self.cpu_ratio, "wall": self.ratio, "own": own}[self.goal.of]
        return None if figure is None else self.goal.met_by(figure)

    def as_json(self) -> dict[str, Any]:
        """Return the row as it is saved."""
        return {
            "section": self.section, "what": self.what, "payload_bytes": self.payload_bytes,
            "unit": self.unit, "against": self.against, "govbus": self.ours_median,
            "other": self.theirs_median, "ratio": self.ratio, "goal": str(self.goal) if self.goal else None,
            "met": self.met, "load": self.load, "cpu_ratio": self.cpu_ratio,
            "govbus_cpu_us": self.ours_cpu_us, "other_cpu_us": self.theirs_cpu_us, "disorder": self.disorder,
            "govbus_rounds": self.ours, "other_rounds": self.theirs,
            "skipped": self.skipped or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opponent:
    """Who runs against the bus.

    Attributes:
        name: its name among the contestants, without the section.
        title: its name in the table.
        goal: what should come of the race.
        share: of the events of a round that it gets; the slow get fewer, so that rounds last about the same.
        goals: other goals, by payload.
    """

    name: str
    title: str
    goal: Goal | None = None
    share: float = 1.0
    goals: Mapping[int, Goal] = field(default_factory=dict)


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
    rows = []
    for opponent in opponents:
        both = ours, theirs = _ran(results["govbus"]), _ran(results[opponent.name])
        rows.append(
            Row(
                section, what, payload_bytes, "events/s", opponent.title,
                tuple(result.rate for result in ours), tuple(result.rate for result in theirs),
                opponent.goals.get(payload_bytes, opponent.goal),
                _skipped(results["govbus"]) or _skipped(results[opponent.name]),
                tuple(result.cpu_us for result in ours), tuple(result.cpu_us for result in theirs),
                max((result.load for results in both for result in results), default=0.0),
                (sum(result.disorder for result in ours), sum(result.disorder for result in theirs)),
            )
        )  # fmt: skip
    return rows


def own_row(row: Row, goal: Goal) -> Row:
    """Return a row that holds the bus' figure of another row against a goal alone."""
    return replace(row, against="nobody", theirs=(), theirs_cpu_us=(), goal=goal)


def _ran(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if not result.skipped]


def _skipped(results: Sequence[Result]) -> str:
    return next((result.skipped for result in results if result.skipped), "")


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
