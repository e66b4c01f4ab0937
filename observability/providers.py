"""OpenTelemetry providers, as the standard environment variables say.

Law of this file: without `OTEL_*` variables nothing is exported and nothing listens. The variables mean what
OpenTelemetry defines; these are supported:

    OTEL_SDK_DISABLED=true                      no telemetry, whatever else is set
    OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER otlp | console | prometheus (metrics) | none, or the name
                                                another installed package registers; joined by commas
    OTEL_EXPORTER_OTLP_ENDPOINT and similar     without the two above: otlp
    OTEL_EXPORTER_OTLP_PROTOCOL                 http/protobuf (default)
    OTEL_EXPORTER_PROMETHEUS_HOST, _PORT        127.0.0.1, 9464
    OTEL_TRACES_SAMPLER, _ARG                   parentbased_always_on
    OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES as set, else the name of the command

The console exporter writes to stderr: stdout belongs to the command.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from threading import Thread
from typing import Any, Self

from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from prometheus_client import CollectorRegistry, start_http_server

from contracts import visible_logger
from observability.errors import TelemetryError

_log = visible_logger(__name__)

LOOPBACK = "127.0.0.1"
PROMETHEUS_PORT = 9464

SHUTDOWN_SECONDS = 3.0
"""How long an exporter may hold up the end of a process: the work does not wait for its telemetry."""

Stop = Callable[[], object]


@dataclass(frozen=True, slots=True)
class TelemetryProviders:
    """The tracer and meter provider; shut them down, or use a `with` block, to export the last batch."""

    tracer_provider: trace.TracerProvider
    meter_provider: metrics.MeterProvider
    _stops: tuple[Stop, ...]

    def shutdown(self) -> None:
        """Export what is left, if that goes quickly; release ports and threads."""
        ending = Thread(target=self._shut_down, name="govbus-telemetry", daemon=True)
        ending.start()
        ending.join(SHUTDOWN_SECONDS)
        if ending.is_alive():
            _log.warning("the last telemetry was not taken within %.0f s, and is dropped", SHUTDOWN_SECONDS)

    def _shut_down(self) -> None:
        for stop in self._stops:
            stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()


def set_up(service_name: str, *, metrics_port: int | None = None) -> TelemetryProviders:
    """Return the providers that the environment names, and make them those of the process.

    Args:
        service_name: the `service.name` if the environment sets none.
        metrics_port: serve Prometheus metrics on this port of 127.0.0.1 as well.

    Raises:
        TelemetryError: an exporter is unknown or cannot start.
    """
    built = build(service_name, metrics_port=metrics_port)
    if isinstance(built.tracer_provider, TracerProvider):
        trace.set_tracer_provider(built.tracer_provider)
    if isinstance(built.meter_provider, MeterProvider):
        metrics.set_meter_provider(built.meter_provider)
    return built


def build(service_name: str, *, metrics_port: int | None = None) -> TelemetryProviders:
    """Return the providers as `set_up` does, without making them those of the process."""
    stops: list[Stop] = []
    try:
        return _build(Resource.create(_service(service_name, os.environ)), metrics_port, stops)
    except TelemetryError:
        for stop in stops:
            stop()
        raise


def _build(resource: Resource, metrics_port: int | None, stops: list[Stop]) -> TelemetryProviders:
    tracer_provider: trace.TracerProvider = trace.NoOpTracerProvider()
    meter_provider: metrics.MeterProvider = metrics.NoOpMeterProvider()
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    spans = [] if disabled else [_span_exporter(name) for name in _names("traces", os.environ)]
    if spans:
        tracer_provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in spans:
            tracer_provider.add_span_processor(BatchSpanProcessor(exporter))
        stops.append(tracer_provider.shutdown)
    readers = [] if disabled else [_reader(name, stops) for name in _names("metrics", os.environ)]
    if metrics_port is not None:
        readers.append(_prometheus(LOOPBACK, metrics_port, stops))
    if readers:
        meter_provider = MeterProvider(readers, resource, shutdown_on_exit=False)
        stops.insert(0, meter_provider.shutdown)
    return TelemetryProviders(tracer_provider, meter_provider, tuple(stops))


def _service(name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if named else {"service.name": name}


def _names(signal: str, environ: Mapping[str, str]) -> Iterator[str]:
    upper = signal.upper()
    chosen = environ.get(f"OTEL_{upper}_EXPORTER", "").strip()
    if not chosen:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT")
        chosen = "otlp" if any(environ.get(name) for name in endpoints) else "none"
    for name in (part.strip() for part in chosen.split(",")):
        if name == "otlp":
            general = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
            protocol = environ.get(f"OTEL_EXPORTER_OTLP_{upper}_PROTOCOL") or general
            yield {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}.get(protocol, protocol)
        elif name and name != "none":
            yield name


def _span_exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    made = _registered("traces", name)
    if not isinstance(made, SpanExporter):
        raise TelemetryError(f"cannot export traces to `{name}` - it is no span exporter - choose another")
    return made


def _reader(name: str, stops: list[Stop]) -> MetricReader:
    if name == "prometheus":
        host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or LOOPBACK
        port = os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT") or str(PROMETHEUS_PORT)
        if not port.isdecimal():
            raise TelemetryError(
                "cannot serve metrics - OTEL_EXPORTER_PROMETHEUS_PORT is not a number - correct it"
            )
        return _prometheus(host, int(port), stops)
    if name == "console":
        return PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stderr))
    made = _registered("metrics", name)
    if isinstance(made, MetricReader):
        return made
    if isinstance(made, MetricExporter):
        return PeriodicExportingMetricReader(made)
    raise TelemetryError(f"cannot export metrics to `{name}` - it is no metric exporter - choose another")


def _registered(signal: str, name: str) -> object:
    """Return the exporter that an installed package registers in OpenTelemetry's entry-point group."""
    group = f"opentelemetry_{signal}_exporter"
    for entry in entry_points(group=group, name=name):
        try:
            return entry.load()()
        except (ImportError, OSError, ValueError) as error:
            why = type(error).__name__
            raise TelemetryError(
                f"cannot start the {signal} exporter `{name}` - {why} - check OTEL_*"
            ) from error
    known = sorted({"console", "none", "otlp"} | {entry.name for entry in entry_points(group=group)})
    raise TelemetryError(
        f"cannot export {signal} to `{name}` - no installed package registers it - "
        f"install its exporter, or set OTEL_{signal.upper()}_EXPORTER to one of {', '.join(known)}"
    )


def _prometheus(host: str, port: int, stops: list[Stop]) -> MetricReader:
    # Not the global registry: that belongs to the process, which may serve it elsewhere.
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise TelemetryError(
            f"cannot serve metrics on {host} port {port} - {why} - choose a free port"
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    stops.append(stop)
    return reader
