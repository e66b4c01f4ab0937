"""The races: who runs against whom, over what, and which rows come of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tests.benchmarks.job import Job, Result
from tests.benchmarks.plan import Plan
from tests.benchmarks.rows import (
    PERCENTILES,
    Goal,
    Opponent,
    Row,
    latencies_ms,
    orders,
    own_row,
    percentile,
    rate_rows,
    resident_after,
)
from tests.benchmarks.track import Track

PUBLISH = "publish, validated, acks=all, with receipts"
SUBSCRIBE = "subscribe: per-event handler, validated, with receipts"
AWAIT = "`await publish()` one by one, as in the README, p50"
WAITING = "handler awaiting 10 ms, at concurrency 64, {keys:,} keys in {partitions}"
LATENCY = "publish to handler at {rate:,} events/s, open loop, p{percent:g}"
MEMORY = "memory of a subscriber process after {events:,} events"

at_least, at_most = partial(Goal, at_least=True), partial(Goal, at_least=False)
cpu = partial(Goal, at_least=True, of="CPU")

PUBLISH_OPPONENTS = (
    Opponent("aiokafka", "bare aiokafka, batches of 256 KB", cpu(0.65), goals={200: cpu(0.78)}),
    Opponent("confluent", "confluent-kafka with its JSONSerializer", cpu(4), share=0.15),
)
SUBSCRIBE_OPPONENTS = (
    Opponent("checking", "bare aiokafka that parses, validates, hashes and writes receipts", cpu(0.8)),
    Opponent("aiokafka", "bare aiokafka `async for` + `orjson.loads`", cpu(0.5)),
    Opponent("faststream", "FastStream `@subscriber`, dict body (at most once)", share=0.4),
    Opponent("faststream-ack", "the same with `AckPolicy.ACK` (at least once)", cpu(6), share=0.05),
)
AWAIT_GOAL = at_most(2.7)
ANSWERS = {
    "handler": (
        "plain handler that awaits `event.publish` of one event",
        (Opponent("aiokafka", "bare aiokafka `async for` + `send_and_wait`, without checks", share=0.1),),
        Goal(8_000, at_least=True, of="own"),
    ),
    "exactly-once": (
        "exactly once, each handler publishing one event",
        (Opponent("aiokafka", "bare aiokafka, without checks and receipts", cpu(0.45)),),
        Goal(15_000, at_least=True, of="own"),
    ),
}
"""What is measured where a handler answers its event, against whom, and the rate that it should have."""
KEYS, WAIT_SECONDS, MANY_PARTITIONS = 1_000, 0.01, 48
FASTSTREAM = Opponent("faststream", "FastStream `max_workers=64` (at most once)", at_least(1))
ONE_BY_ONE = "the same at concurrency 1"
LATENCY_GOALS = {50.0: at_most(1.2), 99.0: at_most(1.5)}
MEMORY_GOAL = at_most(1.05)
LATENCY_LIMIT_SECONDS, MEMORY_LIMIT_SECONDS = 20.0, 240.0

Profile = list[tuple[float, int, str]]


@dataclass(slots=True)
class Findings:
    """What a run found: rows, and the dearest functions of the bus by what it did."""

    rows: list[Row] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)


def run(plan: Plan, track: Track) -> Findings:
    """Run every race of the plan."""
    races = {
        "publish": publish, "await": one_by_one, "subscribe": subscribe, "handler": handler,
        "exactly-once": exactly_once, "waiting": waiting, "latency": latency, "memory": memory,
    }  # fmt: skip
    findings = Findings()
    for section in plan.sections:
        races[section](plan, track, findings)
    return findings


def publish(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how fast events are published."""
    for size in plan.payloads:
        events = plan.round_events(size)
        with track.course(size, events, events // 10) as job:
            track.run(replace(job, events=events // 2, warm_up=0), "publish/govbus", "(warms the broker)")
            results = _race(plan, track, job, "publish", PUBLISH_OPPONENTS)
            findings.rows += rate_rows("publish", PUBLISH, size, PUBLISH_OPPONENTS, results)
            if plan.profile:
                _profile(track, job, "publish/govbus", findings)


def subscribe(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how fast events that wait on the broker are handled."""
    for size in plan.payloads:
        events = plan.round_events(size)
        with track.course(size, events, events // 10) as job:
            track.run(replace(job, warm_up=0), "publish/govbus", "(fills the topic)")
            results = _race(plan, track, job, "subscribe", SUBSCRIBE_OPPONENTS)
            findings.rows += rate_rows("subscribe", SUBSCRIBE, size, SUBSCRIBE_OPPONENTS, results)
            if plan.profile:
                _profile(track, job, "subscribe/govbus", findings)


def one_by_one(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how long a publish takes that is awaited before the next one."""
    size, events = plan.middle_payload, plan.awaited_events
    with track.course(size, events, events // 10) as job:
        results = _race(plan, track, job, "await", (Opponent("aiokafka", "bare aiokafka"),))
        ran = {name: [one for one in found if not one.skipped] for name, found in results.items()}
        ours, theirs = (
            tuple(percentile(sorted(one.durations_ns), 50) / 1e6 for one in ran[name])
            for name in ("govbus", "aiokafka")
        )
        both = [one for found in results.values() for one in found]
        findings.rows.append(
            Row(
                "await", AWAIT, size, "ms", "bare aiokafka `send_and_wait`", ours, theirs, AWAIT_GOAL,
                next((one.skipped for one in both if one.skipped), ""),
                tuple(one.cpu_us for one in ran["govbus"]), tuple(one.cpu_us for one in ran["aiokafka"]),
                max(one.load for one in both),
            )
        )  # fmt: skip
        if plan.profile:
            _profile(track, job, "await/govbus", findings)


def handler(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how fast plain handlers answer events, and await the answer."""
    _answer(plan, track, findings, "handler")


def exactly_once(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how fast events are answered in transactions."""
    _answer(plan, track, findings, "exactly-once")


def _answer(plan: Plan, track: Track, findings: Findings, section: str) -> None:
    what, opponents, rate = ANSWERS[section]
    size, events = plan.middle_payload, plan.events * 2 // 3
    with track.course(size, events, events // 10) as job:
        track.run(replace(job, warm_up=0), "publish/govbus", "(fills the topic)")
        results = _race(plan, track, job, section, opponents)
        rows = rate_rows(section, what, size, opponents, results)
        findings.rows += [*rows, own_row(rows[0], rate)]
        if plan.profile:
            _profile(track, job, f"{section}/govbus", findings)


def waiting(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how fast events are handled whose handlers wait, in one partition and in many."""
    alone = Opponent("one-by-one", ONE_BY_ONE, at_least(40), plan.waiting_alone / plan.waiting_events)
    _wait(plan, track, findings, 1, (alone, FASTSTREAM))
    no_wait = Opponent("no-wait", "the same, awaiting nothing", at_least(0.8))
    _wait(plan, track, findings, MANY_PARTITIONS, (no_wait,))


def _wait(
    plan: Plan, track: Track, findings: Findings, partitions: int, opponents: Sequence[Opponent]
) -> None:
    size, events = plan.middle_payload, plan.waiting_events * (1 if partitions == 1 else 3)
    with track.course(size, events, events // 10, partitions) as course:
        job = replace(course, keys=KEYS, wait_seconds=WAIT_SECONDS)
        track.run(replace(job, warm_up=0), "publish/govbus", "(fills the topic)")
        results = _race(plan, track, job, "waiting", opponents)
        where = "1 partition" if partitions == 1 else f"{partitions} partitions"
        what = WAITING.format(keys=KEYS, partitions=where)
        findings.rows += rate_rows("waiting", what, size, opponents, results)
        if plan.profile and partitions == 1:
            _profile(track, job, "waiting/govbus", findings)


def _race(
    plan: Plan, track: Track, job: Job, section: str, opponents: Sequence[Opponent]
) -> dict[str, list[Result]]:
    shares = {"govbus": 1.0} | {opponent.name: opponent.share for opponent in opponents}
    results: dict[str, list[Result]] = {name: [] for name in shares}
    for turn, order in enumerate(orders(list(shares), plan.rounds), 1):
        for name in order:
            events = max(100, int(job.events * shares[name]))
            part = replace(job, events=events, warm_up=events // 10)
            results[name].append(track.run(part, f"{section}/{name}", f"(round {turn} of {plan.rounds})"))
    return results


def latency(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how long events take from when they were due to the handler."""
    rounds: dict[str, list[list[float]]] = {"govbus": [], "aiokafka": []}
    trouble, load = "", 0.0
    for turn, order in enumerate(orders(list(rounds), plan.latency_rounds), 1):
        for name in order:
            published, read = _open_loop(plan, track, name, f"(round {turn} of {plan.latency_rounds})")
            trouble, load = trouble or published.skipped or read.skipped, max(load, read.load)
            warm_up = plan.latency_warm_up_seconds * plan.latency_rate
            found = latencies_ms(published, read, warm_up, plan.latency_rate)
            lost = plan.latency_seconds * plan.latency_rate - len(found)
            if lost:
                trouble = trouble or f"failed: {lost} events did not reach the handler of {name}"
            else:
                rounds[name].append(found)
    findings.rows += [_latency_row(plan, rounds, percent, trouble, load) for percent in PERCENTILES]
    if plan.profile:
        for result, side in zip(
            _open_loop(plan, track, "govbus", "(profile)", profile=True), _SIDES, strict=True
        ):
            findings.profiles[f"latency/{side}/govbus"] = result.profile


_SIDES = ("publish", "read")


def _open_loop(
    plan: Plan, track: Track, name: str, note: str, *, profile: bool = False
) -> tuple[Result, Result]:
    events = (plan.latency_seconds + plan.latency_warm_up_seconds) * plan.latency_rate
    with track.course(plan.middle_payload, events) as course:
        seconds = events / plan.latency_rate + LATENCY_LIMIT_SECONDS
        job = replace(course, rate=plan.latency_rate, limit_seconds=seconds, profile=profile)
        reader = track.start(job, f"latency/read/{name}", note)
        reader.wait_until_ready()
        published = track.run(job, f"latency/publish/{name}", note)
        return published, track.finish(reader)


def _latency_row(
    plan: Plan, rounds: dict[str, list[list[float]]], percent: float, trouble: str, load: float
) -> Row:
    ours, theirs = (tuple(percentile(found, percent) for found in rounds[n]) for n in ("govbus", "aiokafka"))
    return Row(
        "latency", LATENCY.format(rate=plan.latency_rate, percent=percent), plan.middle_payload, "ms",
        "bare aiokafka", ours, theirs, LATENCY_GOALS.get(percent), trouble, load=load,
    )  # fmt: skip


def memory(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure what a subscriber keeps in memory."""
    size, events = 200, plan.memory_events
    with track.course(size, events, events // 10) as course:
        job = replace(course, limit_seconds=MEMORY_LIMIT_SECONDS)
        fed = track.run(job, "publish/feed", f"({events:,} events)")
        read = track.run(job, "subscribe/resident", f"({events:,} events)")
    early, span = events // 10, events // 20
    late = min(read.events, events)
    before, after = (
        resident_after(read.resident, early, span),
        resident_after(read.resident, late - span, span),
    )
    trouble = fed.skipped or read.skipped
    if late < events:
        trouble = trouble or f"only {late:,} of {events:,} events within {MEMORY_LIMIT_SECONDS:g} s"
    findings.rows.append(
        Row(
            "memory", MEMORY.format(events=late), size, "MB", f"its memory after {early:,}",
            () if after is None else (after,), () if before is None else (before,), MEMORY_GOAL, trouble,
        )
    )  # fmt: skip


def _profile(track: Track, job: Job, contestant: str, findings: Findings) -> None:
    result = track.run(replace(job, profile=True), contestant, "(profile)")
    findings.profiles[f"{contestant}, {job.payload_bytes:,} B"] = result.profile
