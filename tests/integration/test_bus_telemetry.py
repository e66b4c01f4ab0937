"""Spans and metrics of the bus, read from a child process: providers are set once per process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import PATIENCE_SECONDS, KafkaWorld

COMMON = """
import asyncio, json, sys, time
from bus.times.clock import steady_ns
from bus.deliver import worker as lane
from bus import Bus, Event, RetryPolicy, DeadLetter, Reason, ContractViolationError, IdReusedError

north, south, opened, closed, mode = sys.argv[1:]
seen = {"caused": [], "handled": [], "closed": []}

async def until(check):
    async with asyncio.timeout(120):
        while not check():
            await asyncio.sleep(0.02)

async def journey(**options):
    first, second = Bus(north), Bus(south)

    @second.subscribe(opened, version=1, purpose="close-cases", name="closer", timeout_seconds=1800,
                      retry=RetryPolicy((0.01,), jitter=0))
    async def close(event: Event):
        number = event.data["number"]
        seen["handled"].append([number, event.traceparent, event.tracestate])
        if number == 2:
            raise ValueError("Ada Lovelace, born 1815")
        if number == 3:
            return DeadLetter(Reason.TARGET_REJECTED)
        if number == 4:
            # The watch has one clock for all handlers: first the others are done with their events.
            await until(lambda: seen["caused"] and seen["closed"]
                        and sum(number != 4 for number, *_ in seen["handled"]) == 4)
            lane.steady_ns = lambda: steady_ns() + 3_600_000_000_000  # an hour goes by for the watch alone
            try:
                await asyncio.sleep(3600)
            finally:
                lane.steady_ns = steady_ns
        if number == 1:
            named = {"reference": "case-0001", "number": 1, "padding": "Ada Lovelace"}
            await event.publish(closed, named, version="1.0")
            seen["closed"].append(number)

    @first.subscribe(closed, version=1, purpose="tell-the-citizen", name="teller")
    async def tell(event: Event):
        seen["caused"].append([event.traceparent, event.tracestate])

    async with first, second:
        await options["publish"](first)
        await until(lambda: options["done"]())
"""
TRACED = """
from opentelemetry import trace, metrics
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider([reader]))

async def publish(bus):
    with trace.get_tracer("test").start_as_current_span("counter"):
        await bus.publish(opened, {"reference": "case-0001", "number": 1}, version="1.0", service="one-case")
    for number in (2, 3, 4):
        case = {"reference": f"case-000{number}", "number": number}
        await bus.publish(opened, case, version="1.0", id=f"case-{number}")
    for wrong in ({"reference": "Grace Hopper"}, {"reference": "case-0002", "number": 9}):
        try:
            await bus.publish(opened, wrong, version="1.0", id="case-2", key="case-0002")
        except (ContractViolationError, IdReusedError):
            pass

def done():
    # One of the closed case and one of its closing, two each of those that fail or hang, one of the rejected.
    return sum(span.name.startswith("process ") for span in spans.get_finished_spans()) == 7

asyncio.run(journey(publish=publish, done=done))
print(json.dumps({
    **seen,
    "spans": [json.loads(span.to_json()) for span in spans.get_finished_spans()],
    "metrics": json.loads(reader.get_metrics_data().to_json()),
}))
"""
PASSED_ON = """
from aiokafka import AIOKafkaProducer
import os

PARENT = sys.stdin.readline().strip()

async def publish(bus):
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["GOVBUS_BOOTSTRAP_SERVERS"])
    await producer.start()
    headers = {"ce_specversion": "1.0", "ce_id": "f-1", "ce_source": "urn:example:foreign",
               "ce_type": f"{opened}.v1", "traceparent": PARENT, "tracestate": "vendor=opaque"}
    await producer.send_and_wait(f"{opened}.v1", b'{"reference":"case-0001","number":1}', b"case-0001",
                                 headers=[(name, text.encode()) for name, text in headers.items()])
    await producer.stop()

if mode == "sdk":
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    trace.set_tracer_provider(TracerProvider())
asyncio.run(journey(publish=publish, done=lambda: seen["caused"]))
print(json.dumps(seen))
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
PERSONAL = ("Ada", "Lovelace", "born 1815", "Grace", "Hopper", "case-000")


def run(world: KafkaWorld, folder: Path, script: str, mode: str = "", words: str = "") -> Any:
    """Run a child to its end and return what it printed."""
    country = world.country
    arguments = [country.north, country.south, country.opened, country.closed, mode]
    environment = {
        **os.environ,
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-c", COMMON + script, *arguments],
        env=environment, input=words, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def story(kafka_world: KafkaWorld, tmp_path: Path) -> dict[str, Any]:
    """What two agencies' spans and metrics say of one journey with three failures."""
    found: dict[str, Any] = run(kafka_world, tmp_path / "catalog", TRACED)
    return found


def named(story: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the spans of a name."""
    return [span for span in story["spans"] if span["name"] == name]


def metric(story: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a metric of the bus' own scope."""
    scopes = [
        scope for resource in story["metrics"]["resource_metrics"] for scope in resource["scope_metrics"]
    ]
    (found,) = [one for scope in scopes for one in scope["metrics"] if one["name"] == name]
    return dict(found)


async def test_one_trace_crosses_two_agencies(kafka_world: KafkaWorld, story: dict[str, Any]) -> None:
    """Spans, their attributes, and metrics, as the messaging conventions name them."""
    opened, closed = f"{kafka_world.country.opened}.v1", f"{kafka_world.country.closed}.v1"
    assert_one_trace(story, opened, closed)
    assert_attributes(kafka_world, story, opened)
    assert_refusal(story, opened)
    assert_operations(story, opened)
    assert_metrics(story, opened, kafka_world.country.south)
    assert [word for word in PERSONAL if word in json.dumps([story["spans"], story["metrics"]])] == []
    assert [span for span in story["spans"] if span["events"]] == []


def assert_one_trace(story: dict[str, Any], opened: str, closed: str) -> None:
    """Fail unless the five spans of the first case hang together in order."""
    (counter,) = named(story, "counter")
    trace = counter["context"]["trace_id"]
    chain = [counter]
    for name, kind in (
        (f"send {opened}", "SpanKind.PRODUCER"), (f"process {opened}", "SpanKind.CONSUMER"),
        (f"send {closed}", "SpanKind.PRODUCER"), (f"process {closed}", "SpanKind.CONSUMER"),
    ):  # fmt: skip
        (span,) = [one for one in named(story, name) if one["context"]["trace_id"] == trace]
        assert (span["kind"], span["parent_id"]) == (kind, chain[-1]["context"]["span_id"])
        chain.append(span)
    assert {span["status"]["status_code"] for span in chain} == {"UNSET"}


def assert_attributes(world: KafkaWorld, story: dict[str, Any], opened: str) -> None:
    """Fail unless both ends of the first case say what the conventions ask."""
    trace = named(story, "counter")[0]["context"]["trace_id"]
    (sent,) = [span for span in named(story, f"send {opened}") if span["context"]["trace_id"] == trace]
    (taken,) = [span for span in named(story, f"process {opened}") if span["context"]["trace_id"] == trace]
    both = {
        "messaging.system": "kafka",
        "messaging.destination.name": opened,
        "messaging.kafka.offset": taken["attributes"]["messaging.kafka.offset"],
        "messaging.destination.partition.id": taken["attributes"]["messaging.destination.partition.id"],
        "messaging.message.id": taken["attributes"]["cloudevents.event_id"],
        "cloudevents.event_id": taken["attributes"]["cloudevents.event_id"],
        "cloudevents.event_source": f"urn:govbus:{world.country.north}:main",
        "cloudevents.event_type": opened,
    }
    send = {**both, "messaging.operation.name": "send", "messaging.operation.type": "send"}
    process = {
        **both,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": f"{world.country.south}.closer",
        "govbus.outcome": "ack",
    }
    assert send.items() <= sent["attributes"].items()
    assert process.items() <= taken["attributes"].items()
    assert isinstance(taken["attributes"]["messaging.kafka.offset"], int)


def assert_refusal(story: dict[str, Any], opened: str) -> None:
    """Fail unless the four events that were sent, and no refused one, have a span."""
    assert {span["status"]["status_code"] for span in named(story, f"send {opened}")} == {"UNSET"}
    assert len(named(story, f"send {opened}")) == 4


def assert_operations(story: dict[str, Any], opened: str) -> None:
    """Fail unless polls and commits have spans, and each span names the broker that was asked."""
    assert named(story, f"poll {opened}")
    assert named(story, f"commit {opened}")
    spans = [span for span in story["spans"] if span["name"] != "counter"]
    assert all(span["attributes"]["server.address"] for span in spans)
    assert {span["attributes"]["messaging.client.id"] for span in spans} == {"govbus"}


async def test_every_failed_attempt_is_an_error_of_its_span(
    kafka_world: KafkaWorld, story: dict[str, Any]
) -> None:
    """A raised error, a time-out and a returned dead letter set error type, reason and status."""
    spans = named(story, f"process {kafka_world.country.opened}.v1")
    found = sorted(
        (
            span["attributes"].get("error.type", ""),
            span["attributes"].get("govbus.reason", ""),
            span["status"]["status_code"],
        )
        for span in spans
        if span["attributes"].get("govbus.outcome") != "ack"
    )
    assert found == [
        ("TimeoutError", "handler-timeout", "ERROR"),
        ("TimeoutError", "handler-timeout", "ERROR"),
        ("ValueError", "handler-failed", "ERROR"),
        ("ValueError", "handler-failed", "ERROR"),
        ("target-rejected", "target-rejected", "ERROR"),
    ]


def assert_metrics(story: dict[str, Any], opened: str, south: str) -> None:
    """Fail unless names, units and counts are those of the conventions."""
    units = {
        "messaging.client.operation.duration": "s", "messaging.process.duration": "s",
        "messaging.client.sent.messages": "{message}", "messaging.client.consumed.messages": "{message}",
        "govbus.deliveries": "{delivery}", "govbus.publish.refused": "{event}",
        "govbus.clock.skew": "s",
    }  # fmt: skip
    assert {name: metric(story, name)["unit"] for name in units} == units
    sent = [
        point
        for point in metric(story, "messaging.client.sent.messages")["data"]["data_points"]
        if point["attributes"]["messaging.destination.name"] == opened
    ]
    assert sum(point["value"] for point in sent) == 4
    counts: dict[tuple[str, str | None], int] = {}
    for point in metric(story, "govbus.deliveries")["data"]["data_points"]:
        if point["attributes"].get("messaging.consumer.group.name", "").startswith(south):
            name = point["attributes"]["govbus.outcome"], point["attributes"].get("govbus.reason") or None
            counts[name] = counts.get(name, 0) + point["value"]
    assert counts == {
        ("ack", None): 1,
        ("retry", "handler-failed"): 1,
        ("dead-letter", "handler-failed"): 1,
        ("retry", "handler-timeout"): 1,
        ("dead-letter", "handler-timeout"): 1,
        ("dead-letter", "target-rejected"): 1,
    }


async def test_without_an_sdk_the_trace_context_passes_through(
    kafka_world: KafkaWorld, tmp_path: Path
) -> None:
    """Who does not trace still hands on what came in, to events its handlers cause."""
    found = run(kafka_world, tmp_path / "catalog", PASSED_ON, "none", PARENT)
    assert found["handled"] == [[1, PARENT, "vendor=opaque"]]
    assert found["caused"] == [[PARENT, "vendor=opaque"]]


async def test_a_foreign_trace_goes_on(kafka_world: KafkaWorld, tmp_path: Path) -> None:
    """With an SDK the caused event belongs to the incoming trace, under a span of its own."""
    found = run(kafka_world, tmp_path / "catalog", PASSED_ON, "sdk", PARENT)
    ((caused, state),) = found["caused"]
    assert (caused.split("-")[1], state) == (TRACE, "vendor=opaque")
    assert caused != PARENT


@pytest.mark.parametrize("wrong", ["Ada Lovelace", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-x-y-z"])
async def test_a_malformed_trace_context_begins_a_new_trace(
    kafka_world: KafkaWorld, tmp_path: Path, wrong: str
) -> None:
    """W3C Trace Context, section 3.2.3: what cannot be parsed is not passed on."""
    found = run(kafka_world, tmp_path / "catalog", PASSED_ON, "sdk", wrong)
    ((caused, _state),) = found["caused"]
    version, trace, span, _flags = caused.split("-")
    assert (version, len(trace), len(span)) == ("00", 32, 16)
    assert set(trace) != {"0"}
