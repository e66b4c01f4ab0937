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
    percentile,
    rate_rows,
    resident_after,
)
from tests.benchmarks.track import Track

PUBLISH = "publish, validated, acks=all, with receipts"
SUBSCRIBE = "subscribe: per-event handler, validated, with receipts"
LATENCY = "publish to handler at {rate:,} events/s, open loop, p{percent:g}"
MEMORY = "memory of a subscriber process after {events:,} events"

at_least, at_most = partial(Goal, at_least=True), partial(Goal, at_least=False)

PUBLISH_OPPONENTS = (
    Opponent("aiokafka", "bare aiokafka", at_least(0.7), peer="aiokafka"),
    Opponent("aiokafka-256k", "bare aiokafka, batches of 256 KB", at_least(0.7), peer="aiokafka"),
    Opponent("confluent", "confluent-kafka with its JSONSerializer", at_least(4), share=0.15),
)
SUBSCRIBE_OPPONENTS = (
    Opponent("aiokafka", "bare aiokafka `async for` + `orjson.loads`", at_least(0.8)),
    Opponent("faststream", "FastStream `@subscriber`, dict body (at most once)", at_least(6), share=0.4),
    Opponent("faststream-ack", "the same with `AckPolicy.ACK` (at least once)", at_least(6), share=0.05),
)
LATENCY_GOAL, MEMORY_GOAL = at_most(1.5), at_most(1.05)
LATENCY_LIMIT_SECONDS, MEMORY_LIMIT_SECONDS = 20.0, 240.0

Profile = list[tuple[float, int, str]]


@dataclass(slots=True)
class Findings:
    """What a run found: rows, and the dearest functions of the bus by what it did."""

    rows: list[Row] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)


def run(plan: Plan, track: Track) -> Findings:
    """Run every race of the plan."""
    races = {"publish": publish, "subscribe": subscribe, "latency": latency, "memory": memory}
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


def _race(
    plan: Plan, track: Track, job: Job, section: str, opponents: Sequence[Opponent]
) -> dict[str, list[Result]]:
    shares = {"govbus": 1.0} | {opponent.name: opponent.share for opponent in opponents}
    results: dict[str, list[Result]] = {name: [] for name in shares}
    for turn, order in enumerate(orders(list(shares), plan.rounds), 1):
        for name in order:
            events = max(500, int(job.events * shares[name]))
            part = replace(job, events=events, warm_up=events // 10)
            results[name].append(track.run(part, f"{section}/{name}", f"(round {turn} of {plan.rounds})"))
    return results


def latency(plan: Plan, track: Track, findings: Findings) -> None:
    """Measure how long events take from when they were due to the handler."""
    rounds: dict[str, list[list[float]]] = {"govbus": [], "aiokafka": []}
    trouble = ""
    for turn, order in enumerate(orders(list(rounds), plan.latency_rounds), 1):
        for name in order:
            published, read = _open_loop(plan, track, name, f"(round {turn} of {plan.latency_rounds})")
            trouble = trouble or published.skipped or read.skipped
            warm_up = plan.latency_warm_up_seconds * plan.latency_rate
            found = latencies_ms(published, read, warm_up, plan.latency_rate)
            lost = plan.latency_seconds * plan.latency_rate - len(found)
            if lost:
                trouble = trouble or f"failed: {lost} events did not reach the handler of {name}"
            else:
                rounds[name].append(found)
    findings.rows += [_latency_row(plan, rounds, percent, trouble) for percent in PERCENTILES]
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


def _latency_row(plan: Plan, rounds: dict[str, list[list[float]]], percent: float, trouble: str) -> Row:
    ours, theirs = (tuple(percentile(found, percent) for found in rounds[n]) for n in ("govbus", "aiokafka"))
    return Row(
        "latency", LATENCY.format(rate=plan.latency_rate, percent=percent), plan.middle_payload, "ms",
        "bare aiokafka", ours, theirs, LATENCY_GOAL if percent == 99.0 else None, trouble,
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
