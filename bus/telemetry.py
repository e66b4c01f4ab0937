"""Every span and metric name of the bus, in one place.

Names follow the OpenTelemetry semantic conventions for messaging, Kafka and CloudEvents as of 1.41
(`opentelemetry-semantic-conventions` 0.66b2). The bus uses the OpenTelemetry API only; for spans and metrics
the SDK is set up before a bus starts (`observability/providers.py`, from the standard `OTEL_*` variables).
Spans may be sampled; receipts never are.

Law of this file: no attribute holds a value from the data, a key, or a person's identifier.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bus import envelope
from bus.event import Event
from bus.stages.stamp import Stamp, Stamper
from bus.times.clock import BrokerClock
from bus.times.sunsets import VersionUse
from bus.trace_context import TraceContext, trace_context

SCOPE = "govbus"
SYSTEM = "kafka"

# Attributes
MESSAGING_SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
CONSUMER_GROUP = "messaging.consumer.group.name"
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

_TRACE_CONTEXT = TraceContextTextMapPropagator()


class PublishSpan:
    """The span of one publish, open until the broker acknowledged."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def carry(self, stamp: Stamp) -> Stamp:
        """Return the stamp with this span as the trace context that travels."""
        context = _carried(trace.set_span_in_context(self._span))
        parent, state = (None, None) if context is None else context
        return stamp._replace(traceparent=parent, tracestate=state)

    def end(self, partition: int | None, offset: int, error: Exception | None) -> None:
        """Close the span with the record's place, or with the class of the error."""
        if partition is not None:
            self._span.set_attributes({PARTITION: str(partition), KAFKA_OFFSET: offset})
        if error is not None:
            _mark(self._span, type(error).__name__)
        self._span.end()


class Telemetry:
    """The tracer and instruments of a bus, made at its start."""

    def __init__(self, agency: str, clock: BrokerClock) -> None:
        self._agency = agency
        self._clock = clock
        self._tracer = trace.get_tracer(SCOPE)
        self.tracing = not isinstance(
            trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider
        )
        """Whether tracing is set up; otherwise no span is started."""
        # The API's own providers do nothing.
        self.metering = not type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.metrics")
        """Whether metrics are set up."""
        meter = metrics.get_meter(SCOPE)
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

    def start_publish(self, stamper: Stamper, stamp: Stamp) -> PublishSpan | None:
        """Open the span of a publish under the current span, or under the event that caused it."""
        if not self.tracing:
            return None
        parent = None
        if not trace.get_current_span().get_span_context().is_valid:
            parent = _context(stamp.traceparent, stamp.tracestate)
        attributes = {
            **self._operation_of("send", "send", stamper.topic),
            **_identity(stamp.id, stamper.source, stamper.contract.type, stamp.transaction),
        }
        span = self._tracer.start_span(f"send {stamper.topic}", parent, SpanKind.PRODUCER, attributes)
        return PublishSpan(span)

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
        }
        with self._tracer.start_as_current_span(
            f"process {event.topic}",
            _context(event.traceparent, event.tracestate),
            SpanKind.CONSUMER,
            attributes,
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

    def delivered(
        self,
        topic: str,
        group: str,
        outcomes: Mapping[tuple[str, str | None], int],
        seconds: Sequence[float],
    ) -> None:
        """Count deliveries by outcome and reason, and measure each one's processing time.

        Args:
            topic: the topic of the events.
            group: the consumer group.
            outcomes: the number of each outcome and reason.
            seconds: the time of each from receiving the record to its outcome.
        """
        attributes = {**self._operation_of("process", "process", topic), CONSUMER_GROUP: group}
        self._consumed.add(len(seconds), attributes)
        for taken in seconds:
            self._process.record(taken, attributes)
        for (outcome, reason), number in outcomes.items():
            self._deliveries.add(
                number, {CONSUMER_GROUP: group, DESTINATION: topic, OUTCOME: outcome, REASON: reason or ""}
            )

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
        }


def trace_headers(event: Event[Any]) -> dict[str, str]:
    """Return the W3C trace context as headers of a request that the handler of an event makes.

    It is that of the current span; without one, that which came with the event.
    """
    context = _carried()
    parent, state = (event.traceparent, event.tracestate) if context is None else context
    named = {envelope.TRACEPARENT: parent, envelope.TRACESTATE: state}
    return {name: text for name, text in named.items() if text is not None}


def _identity(event_id: str, source: str, type_: str, transaction: str | None) -> dict[str, str]:
    named = {
        MESSAGE_ID: event_id, CLOUDEVENTS_ID: event_id, CLOUDEVENTS_SOURCE: source, CLOUDEVENTS_TYPE: type_,
    }  # fmt: skip
    return named if transaction is None else {**named, CONVERSATION_ID: transaction}


def _context(traceparent: str | None, tracestate: str | None) -> Context:
    """Return the remote context; without a traceparent a new trace begins."""
    carrier = {envelope.TRACEPARENT: traceparent or "", envelope.TRACESTATE: tracestate or ""}
    return _TRACE_CONTEXT.extract(carrier, Context())


def _carried(context: Context | None = None) -> TraceContext | None:
    """Return the trace context of the current span, or of one in `context`, as it travels."""
    carrier: dict[str, str] = {}
    _TRACE_CONTEXT.inject(carrier, context)
    parent, state = carrier.get(envelope.TRACEPARENT, ""), carrier.get(envelope.TRACESTATE, "")
    return trace_context(parent.encode(), state.encode())


def _mark(span: Span, error: str) -> None:
    span.set_attribute(ERROR_TYPE, error)
    span.set_status(Status(StatusCode.ERROR))
