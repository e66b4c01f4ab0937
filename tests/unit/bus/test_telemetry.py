"""What spans and metrics say of a journey in memory, as the messaging conventions of OpenTelemetry ask.

A child process each, since providers are set once per process; `tests/integration/test_bus_telemetry.py` has
the same on Kafka.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from bus.telemetry import SCHEMA_URL, server_attributes

JOURNEY = """
import asyncio, json, sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from bus import DeadLetter, Event, Reason, RetryPolicy, Settings
from bus import ContractViolationError, IdReusedError, PublishManyError
from bus.testing import InMemoryBus, InMemoryCluster

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider([reader]))

EVENT = "civil-registry.birth-registered"
DATA = {"reference": "BRT-0000-AAAA01", "child": {"name": "A B", "birth_date": "2026-02-28"},
        "parents": [{"name": "C D"}], "birth_place": "Port Ellery", "registered_on": "2026-03-03",
        "registry_office": "PE-014"}
MODE = json.loads(sys.argv[1])
cluster = InMemoryCluster()
settings = Settings(bootstrap_servers="broker-1.example:9093,broker-2.example:9093")
attempts = {}

async def until(check):
    async with asyncio.timeout(120):
        while not check():
            await asyncio.sleep(0.01)

async def main():
    sender = InMemoryBus("civil-registry", cluster=cluster, settings=settings)
    taker = InMemoryBus("health", cluster=cluster, settings=settings)

    @taker.subscribe(EVENT, version=1, purpose="open-health-record", name="opener",
                     retry=RetryPolicy((0.01, 0.01), jitter=0), exactly_once=MODE["exactly_once"])
    async def open_record(event: Event):
        attempts[event.id] = attempts.get(event.id, 0) + 1
        if event.id == "fails-once" and attempts[event.id] == 1:
            raise ValueError("Ada Lovelace")
        if event.id == "rejected":
            return DeadLetter(Reason.TARGET_REJECTED)

    topic = f"{EVENT}.v1"
    async with sender:
        for name in ("fails-once", "behind", "rejected", "right"):
            key = "k" if name in ("fails-once", "behind") else name
            await sender.publish(EVENT, DATA, version="1.0", id=name, key=key)
        for wrong, name in (({"reference": 7}, "wrong"), ({"birth_place": "Upper Quay"}, "right")):
            try:
                await sender.publish(EVENT, DATA | wrong, version="1.0", id=name, key="right")
            except (ContractViolationError, IdReusedError):
                pass
        try:
            await sender.publish_many(EVENT, [DATA, {"reference": 7}], version="1.0")
        except PublishManyError:
            pass
        await sender.publish(EVENT, DATA, version="1.0", id="right", key="right")  # the same once more
        cluster.append(topic, None, key=b"tombstone")
        cluster.append(topic, b"{", key=b"broken", headers=[("ce_id", b"x")])
        async with taker:
            await until(lambda: len(cluster.records("health.dead-letters")) == 3 and "behind" in attempts
                        and "right" in attempts)
    print(json.dumps({
        "spans": [json.loads(span.to_json()) for span in spans.get_finished_spans()],
        "scopes": [[span.instrumentation_scope.name, span.instrumentation_scope.version,
                    span.instrumentation_scope.schema_url] for span in spans.get_finished_spans()],
        "metrics": json.loads(reader.get_metrics_data().to_json()),
        "version": __import__("importlib.metadata").metadata.version("govbus"),
    }))

asyncio.run(main())
"""
EVENT = "civil-registry.birth-registered"


def journey(**mode: bool) -> dict[str, Any]:
    """What a child process saw of one journey."""
    done = subprocess.run(
        [sys.executable, "-c", JOURNEY, json.dumps(mode)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module", params=[False, True], ids=["at-least-once", "exactly-once"])
def seen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The journey, in each guarantee."""
    return journey(exactly_once=request.param)


def named(seen: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The spans of an operation at the topic, by their attributes."""
    return [span for span in seen["spans"] if span["name"] == f"{name} {EVENT}.v1"]


def points(seen: dict[str, Any], name: str, **attributes: str) -> list[dict[str, Any]]:
    """The points of a metric that have attributes."""
    return [
        point
        for resource in seen["metrics"]["resource_metrics"]
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
        if metric["name"] == name
        for point in metric["data"]["data_points"]
        if {key.replace("_", "."): value for key, value in attributes.items()}.items()
        <= point["attributes"].items()
    ]


def test_what_was_refused_or_known_has_no_producer_span(seen: dict[str, Any]) -> None:
    """A producer span stands for a message that was sent: four were."""
    ids = sorted(span["attributes"]["messaging.message.id"] for span in named(seen, "send"))
    assert ids == ["behind", "fails-once", "rejected", "right"]
    assert {span["status"]["status_code"] for span in named(seen, "send")} == {"UNSET"}


def test_a_process_span_is_linked_to_what_published_its_event(seen: dict[str, Any]) -> None:
    """And it is its child, since it processes one message."""
    sent = {span["attributes"]["messaging.message.id"]: span["context"] for span in named(seen, "send")}
    taken = named(seen, "process")
    assert len(taken) == 5
    for span in taken:
        (link,) = span["links"]
        published = sent[span["attributes"]["messaging.message.id"]]
        assert (link["context"]["trace_id"], link["context"]["span_id"]) == (
            published["trace_id"], published["span_id"],
        )  # fmt: skip
        assert span["parent_id"] == published["span_id"]


def test_failed_attempts_have_an_error_type(seen: dict[str, Any]) -> None:
    """The class of the error, or the reason; never its text."""
    failed = {
        (span["attributes"]["messaging.message.id"], span["attributes"].get("error.type"))
        for span in named(seen, "process")
    }
    assert failed == {
        ("fails-once", "ValueError"), ("fails-once", None), ("behind", None), ("right", None),
        ("rejected", "target-rejected"),
    }  # fmt: skip
    assert "Lovelace" not in json.dumps(seen)


def test_polls_and_commits_have_spans(seen: dict[str, Any]) -> None:
    """Each poll that brought records, with links to what published them; each commit."""
    polls, commits = named(seen, "poll"), named(seen, "commit")
    assert polls
    assert commits
    assert sum(span["attributes"]["messaging.batch.message_count"] for span in polls) == 6
    sent = {span["context"]["span_id"] for span in named(seen, "send")}
    assert {link["context"]["span_id"] for span in polls for link in span["links"]} == sent
    for spans, kind in ((polls, "receive"), (commits, "settle")):
        for span in spans:
            assert span["kind"] == "SpanKind.CLIENT"
            assert span["parent_id"] is None
            assert span["attributes"]["messaging.operation.type"] == kind
            assert span["attributes"]["messaging.consumer.group.name"] == "health.opener"
            assert span["start_time"] <= span["end_time"]
    for name in ("poll", "commit"):
        operations = points(seen, "messaging.client.operation.duration", messaging_operation_name=name)
        assert sum(point["count"] for point in operations) == len(named(seen, name))


def test_every_span_names_client_server_and_scope(seen: dict[str, Any]) -> None:
    """`messaging.client.id`, the first broker of the settings, and version and schema of the scope."""
    for span in seen["spans"]:
        told = span["attributes"]
        assert (told["messaging.client.id"], told["server.address"], told["server.port"]) == (
            "govbus", "broker-1.example", 9093,
        )  # fmt: skip
    assert {tuple(scope) for scope in seen["scopes"]} == {("govbus", seen["version"], SCHEMA_URL)}
    (scope,) = [
        scope
        for resource in seen["metrics"]["resource_metrics"]
        for scope in resource["scope_metrics"]
        if scope["scope"]["name"] == "govbus"
    ]
    assert (scope["scope"]["version"], scope["schema_url"]) == (seen["version"], SCHEMA_URL)


def test_what_no_handler_saw_is_not_measured_as_processed(seen: dict[str, Any]) -> None:
    """Tombstones, broken records and events that waited behind another count as deliveries alone."""
    durations = points(seen, "messaging.process.duration")
    counted = {point["attributes"].get("error.type"): point["count"] for point in durations}
    assert counted == {None: 3, "handler-failed": 1, "target-rejected": 1}
    assert {point["attributes"]["server.address"] for point in durations} == {"broker-1.example"}


def test_a_parked_event_is_consumed_once(seen: dict[str, Any]) -> None:
    """However often it is tried: four events came to the handler, five times."""
    assert sum(point["value"] for point in points(seen, "messaging.client.consumed.messages")) == 4
    deliveries = points(seen, "govbus.deliveries")
    counted = {
        (point["attributes"]["govbus.outcome"], point["attributes"]["govbus.reason"]): point["value"]
        for point in deliveries
    }
    counted.pop(("retry", "key-parked"), None)  # if the event behind came before the first was tried again
    assert counted == {
        ("ack", ""): 3, ("retry", "handler-failed"): 1,
        ("dead-letter", "target-rejected"): 1, ("dead-letter", "tombstone"): 1,
        ("dead-letter", "malformed-envelope"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        ("a.example:9092", ("a.example", 9092)), ("a.example", ("a.example", None)),
        (" 127.0.0.1:9092 , b:1", ("127.0.0.1", 9092)), ("[::1]:9092", ("::1", 9092)),
        ("", (None, None)), ("a:b", (None, None)), ("[::1", (None, None)),
    ],
)  # fmt: skip
def test_the_first_server_is_told(servers: str, told: tuple[str | None, int | None]) -> None:
    """What cannot be read is not told; the client says what is wrong with it."""
    found = server_attributes(servers)
    assert (found.get("server.address"), found.get("server.port")) == told
