"""Every span and metric name of the bus, in one place.

Names follow the OpenTelemetry semantic conventions for messaging, Kafka and CloudEvents as of 1.44
(`opentelemetry-semantic-conventions` 0.66b2). The bus uses the OpenTelemetry API only; for spans and metrics
the SDK is set up before a bus starts (`observability/providers.py`, from the standard `OTEL_*` variables).
Spans may be sampled; receipts never are.

Law of this file: no attribute holds a value from the data, a key, or a person's identifier.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from time import time_ns
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bus import envelope
from bus.event import Event
from bus.record import Record, TopicPartition
from bus.stages.stamp import Stamp, Stamper
from bus.structured import read_trace
from bus.times.clock import BrokerClock, steady_ns
from bus.times.sunsets import VersionUse
from bus.trace_context import TraceContext, trace_context
from bus.transport import CLIENT_ID as KAFKA_CLIENT_ID

SCOPE = "govbus"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
SYSTEM = "kafka"

# Attributes
MESSAGING_SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
CONSUMER_GROUP = "messaging.consumer.group.name"
CLIENT_ID = "messaging.client.id"
MESSAGE_COUNT = "messaging.batch.message_count"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
MESSAGE_ID = "messaging.message.id"
CONVERSATION_ID = "messaging.message.conversation_id"
BODY_SIZE = "messaging.message.body.size"
KAFKA_OFFSET = "messaging.kafka.offset"
CLOUDEVENTS_ID = "cloudevents.event_id"
CLOUDEVENTS_SOURCE = "cloudevents.event_source"
CLOUDEVENTS_TYPE = "cloudevents.event_type"
ERROR_TYPE = "error.type"
AGENCY = "govbus.agency"
PURPOSE = "govbus.purpose"
OUTCOME = "govbus.outcome"
REASON = "govbus.reason"

# Metrics
OPERATION_DURATION = "messaging.client.operation.duration"
SENT_MESSAGES = "messaging.client.sent.messages"
CONSUMED_MESSAGES = "messaging.client.consumed.messages"
PROCESS_DURATION = "messaging.process.duration"
DELIVERIES = "govbus.deliveries"
REFUSALS = "govbus.publish.refused"
CLOCK_SKEW = "govbus.clock.skew"
REGISTRY_REFUSALS = "govbus.registry.refused"
LOOP_STALLS = "govbus.loop.stalls"
PARKED_KEYS = "govbus.parked.keys"
HELD_KEYS = "govbus.parked.held"
SUNSET_DAYS = "govbus.sunset.days"

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bucket boundaries that the conventions advise for durations."""

MAX_LINKS = 128
"""The most links that a span has, as in the SDK."""

_TRACE_CONTEXT = TraceContextTextMapPropagator()


class PublishSpan:
    """The span of one publish, open from when it is sent until the broker acknowledged.

    Its parent is found when the event is made, in the context of the caller; what is refused has no span.
    """

    __slots__ = ("_begin", "_span")

    def __init__(self, begin: Callable[[], Span]) -> None:
        self._begin = begin
        self._span: Span | None = None

    def begin(self) -> TraceContext | None:
        """Open the span, and return the trace context that travels."""
        self._span = self._begin()
        return carried(trace.set_span_in_context(self._span))

    def end(self, partition: int | None, offset: int, error: Exception | None) -> None:
        """Close the span with the record's place, or with the class of the error."""
        if self._span is None:
            return
        if partition is not None:
            self._span.set_attributes({PARTITION: str(partition), KAFKA_OFFSET: offset})
        if error is not None:
            _mark(self._span, type(error).__name__)
        self._span.end()


class Telemetry:
    """The tracer and instruments of a bus, made at its start.

    Args:
        agency: the agency of the bus.
        clock: the broker's clock.
        servers: addresses of brokers, with commas between; the first one is told.
    """

    def __init__(self, agency: str, clock: BrokerClock, servers: str = "") -> None:
        self._agency = agency
        self._clock = clock
        self._server = server_attributes(servers)
        scope = version("govbus")
        self._tracer = trace.get_tracer(SCOPE, scope, schema_url=SCHEMA_URL)
        self.tracing = not isinstance(
            trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider
        )
        """Whether tracing is set up; otherwise no span is started."""
        # The API's own providers do nothing.
        self.metering = not type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.metrics")
        """Whether metrics are set up."""
        meter = metrics.get_meter(SCOPE, scope, schema_url=SCHEMA_URL)
        self._operation = meter.create_histogram(
            OPERATION_DURATION, "s", explicit_bucket_boundaries_advisory=SECONDS_BUCKETS
        )
        self._process = meter.create_histogram(
            PROCESS_DURATION, "s", explicit_bucket_boundaries_advisory=SECONDS_BUCKETS
        )
        self._sent = meter.create_counter(SENT_MESSAGES, "{message}")
        self._consumed = meter.create_counter(CONSUMED_MESSAGES, "{message}")
        self._deliveries = meter.create_counter(DELIVERIES, "{delivery}", "Deliveries by outcome and reason")
        self._refusals = meter.create_counter(REFUSALS, "{event}", "Events refused before they were sent")
        self._registry = meter.create_counter(
            REGISTRY_REFUSALS, "{entry}", "Entries of the registry that were not believed"
        )
        self._stalls = meter.create_counter(LOOP_STALLS, "{stall}", "Times the event loop stood still")
        self._parked = meter.create_gauge(PARKED_KEYS, "{key}", "Keys whose events wait")
        self._held = meter.create_gauge(HELD_KEYS, "{key}", "Parked keys that wait for an operator")
        self._sunset = meter.create_gauge(SUNSET_DAYS, "d", "Days until the last day of a version in use")
        self._skew = meter.create_gauge(CLOCK_SKEW, "s", "Broker clock minus this process' clock")

    def publish_span(self, stamper: Stamper, stamp: Stamp) -> PublishSpan | None:
        """Return the span of a publish, under the current span, or under the event that caused it."""
        if not self.tracing:
            return None
        parent = get_current()
        if not trace.get_current_span(parent).get_span_context().is_valid:
            parent = _context(stamp.traceparent, stamp.tracestate)
        attributes = {
            **self._operation_of("send", "send", stamper.topic),
            **_identity(stamp.id, stamper.source, stamper.contract.type, stamp.transaction),
            CLIENT_ID: KAFKA_CLIENT_ID,
        }
        start = self._tracer.start_span
        return PublishSpan(partial(start, f"send {stamper.topic}", parent, SpanKind.PRODUCER, attributes))

    @contextmanager
    def process(self, event: Event[Any], group: str, purpose: str) -> Iterator[Span]:
        """Open the span of one delivery as the current one, under the event's own trace context."""
        attributes = {
            **self._operation_of("process", "process", event.topic),
            **_identity(event.id, event.source, event.type, event.transaction),
            CONSUMER_GROUP: group,
            PARTITION: str(event.partition),
            KAFKA_OFFSET: event.offset,
            BODY_SIZE: len(event.record.value or b""),
            PURPOSE: purpose,
            CLIENT_ID: KAFKA_CLIENT_ID,
        }
        parent = _context(event.traceparent, event.tracestate)
        published = _of(parent)
        with self._tracer.start_as_current_span(
            f"process {event.topic}",
            parent,
            SpanKind.CONSUMER,
            attributes,
            [Link(published)] if published.is_valid else None,
            record_exception=False,  # an exception's text may quote data
            set_status_on_exception=False,
        ) as span:
            yield span

    def decided(self, span: Span, outcome: str, reason: str | None, error: str) -> None:
        """Set the outcome on a delivery's span."""
        span.set_attribute(OUTCOME, outcome)
        if reason is not None:
            span.set_attribute(REASON, reason)
        if error:
            _mark(span, error)

    def polled(self, group: str, batches: Mapping[TopicPartition, Sequence[Record]], began_ns: int) -> None:
        """Measure a poll that has brought records, and open and close its span, one for each topic.

        Args:
            group: the consumer group.
            batches: the records.
            began_ns: steady time of its beginning.
        """
        if not (self.tracing or self.metering):
            return
        topics = defaultdict[str, list[Record]](list)
        for place, records in batches.items():
            topics[place.topic] += records
        for topic, records in topics.items():
            links = (_published(record) for record in records[:MAX_LINKS])
            told = {**self._operation_of("poll", "receive", topic), CONSUMER_GROUP: group}
            self._operated(told, began_ns, links=links, count=len(records))

    @contextmanager
    def commit(self, group: str, positions: Collection[TopicPartition]) -> Iterator[None]:
        """Measure a commit of offsets, and open and close its span, one for each topic."""
        began_ns, error = steady_ns(), ""
        try:
            yield
        except BaseException as fault:
            error = type(fault).__name__
            raise
        finally:
            for topic in {place.topic for place in positions}:
                told = {**self._operation_of("commit", "settle", topic), CONSUMER_GROUP: group}
                self._operated(told, began_ns, error)

    def _operated(
        self,
        attributes: dict[str, Any],
        began_ns: int,
        error: str = "",
        *,
        links: Iterable[SpanContext] = (),
        count: int | None = None,
    ) -> None:
        taken_ns = steady_ns() - began_ns
        if self.metering:
            self._operation.record(taken_ns / 1e9, {**attributes, ERROR_TYPE: error} if error else attributes)
        if not self.tracing:
            return
        attributes[CLIENT_ID] = KAFKA_CLIENT_ID
        if count is not None:
            attributes[MESSAGE_COUNT] = count
        name = f"{attributes[OPERATION_NAME]} {attributes[DESTINATION]}"
        begun_ns = time_ns() - taken_ns
        span = self._tracer.start_span(name, Context(), SpanKind.CLIENT, attributes, start_time=begun_ns)
        if span.is_recording():
            for published in links:
                if published.is_valid:
                    span.add_link(published)
        if error:
            _mark(span, error)
        span.end()

    def ends(self, use: VersionUse, days: int) -> None:
        """Record how many days are left until the last day of a version; negative after it."""
        kind = "send" if use.subscription is None else "process"
        self._sunset.set(days, {**self._operation_of(kind, kind, use.version.type), AGENCY: self._agency})

    def sent(self, topic: str, count: int, seconds: float, error: str | None = None) -> None:
        """Count records acknowledged together, and how long the broker took."""
        attributes = self._operation_of("send", "send", topic)
        if error is not None:
            attributes[ERROR_TYPE] = error
        self._sent.add(count, attributes)
        self._operation.record(seconds, attributes)
        # Each acknowledgement is also a reading of the broker's clock.
        self._skew.set(self._clock.skew_us / 1_000_000, {AGENCY: self._agency})

    def delivered(self, topic: str, group: str, outcomes: Mapping[tuple[str, str | None], int]) -> None:
        """Count deliveries by outcome and reason.

        Args:
            topic: the topic of the events.
            group: the consumer group.
            outcomes: the number of each outcome and reason.
        """
        for (outcome, reason), number in outcomes.items():
            told = {CONSUMER_GROUP: group, DESTINATION: topic, OUTCOME: outcome, REASON: reason or ""}
            self._deliveries.add(number, {**told, AGENCY: self._agency})

    def processed(self, topic: str, group: str, count: int, seconds: Sequence[tuple[float, str]]) -> None:
        """Count the events that came to a handler, and measure each attempt of it.

        Args:
            topic: the topic of the events.
            group: the consumer group.
            count: how many came for the first time.
            seconds: the time of each attempt from receiving the record to its outcome, and the reason if it
                failed.
        """
        attributes = {**self._operation_of("process", "process", topic), CONSUMER_GROUP: group}
        if count:
            self._consumed.add(count, attributes)
        for taken, reason in seconds:
            self._process.record(taken, {**attributes, ERROR_TYPE: reason} if reason else attributes)

    def parked(self, group: str, keys: int, held: int) -> None:
        """Measure how many keys of a subscription are parked here, and how many wait for an operator."""
        attributes = {CONSUMER_GROUP: group, AGENCY: self._agency}
        self._parked.set(keys, attributes)
        self._held.set(held, attributes)

    def stalled(self) -> None:
        """Count a time that the event loop was blocked."""
        self._stalls.add(1, {AGENCY: self._agency})

    def refused(self, topic: str, reason: str) -> None:
        """Count an event that was refused before it was sent."""
        self._refusals.add(1, {DESTINATION: topic, REASON: reason, AGENCY: self._agency})

    def registry_refused(self, reason: str) -> None:
        """Count a refused entry of the registry."""
        self._registry.add(1, {REASON: reason, AGENCY: self._agency})

    def _operation_of(self, name: str, kind: str, topic: str) -> dict[str, Any]:
        return {
            MESSAGING_SYSTEM: SYSTEM,
            OPERATION_NAME: name,
            OPERATION_TYPE: kind,
            DESTINATION: topic,
            AGENCY: self._agency,
            **self._server,
        }


def trace_headers(event: Event[Any]) -> dict[str, str]:
    """Return the W3C trace context as headers of a request that the handler of an event makes.

    It is that of the current span; without one, that which came with the event.
    """
    context = carried()
    parent, state = (event.traceparent, event.tracestate) if context is None else context
    named = {envelope.TRACEPARENT: parent, envelope.TRACESTATE: state}
    return {name: text for name, text in named.items() if text is not None}


def server_attributes(servers: str) -> dict[str, Any]:
    """Return the first of the addresses of brokers as attributes; none if it cannot be read."""
    try:
        parts = urlsplit(f"//{servers.partition(',')[0].strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:  # the client tells what is wrong with it
        return {}
    told = {SERVER_ADDRESS: host, SERVER_PORT: port}
    return {name: value for name, value in told.items() if value is not None}


def _identity(event_id: str, source: str, type_: str, transaction: str | None) -> dict[str, str]:
    named = {
        MESSAGE_ID: event_id, CLOUDEVENTS_ID: event_id, CLOUDEVENTS_SOURCE: source, CLOUDEVENTS_TYPE: type_,
    }  # fmt: skip
    return named if transaction is None else {**named, CONVERSATION_ID: transaction}


def _context(traceparent: str | None, tracestate: str | None) -> Context:
    """Return the remote context; without a traceparent a new trace begins."""
    carrier = {envelope.TRACEPARENT: traceparent or "", envelope.TRACESTATE: tracestate or ""}
    return _TRACE_CONTEXT.extract(carrier, Context())


def _of(context: Context) -> SpanContext:
    return trace.get_current_span(context).get_span_context()


def _published(record: Record) -> SpanContext:
    """Return the span that published a record; an invalid one if it names none."""
    return _of(_context(*(read_trace(record.headers, record.value) or (None, None))))


def carried(context: Context | None = None) -> TraceContext | None:
    """Return the trace context of the current span, or of one in `context`, as it travels."""
    carrier: dict[str, str] = {}
    _TRACE_CONTEXT.inject(carrier, context)
    parent, state = carrier.get(envelope.TRACEPARENT, ""), carrier.get(envelope.TRACESTATE, "")
    return trace_context(parent.encode(), state.encode())


def _mark(span: Span, error: str) -> None:
    span.set_attribute(ERROR_TYPE, error)
    span.set_status(Status(StatusCode.ERROR))
