"""OpenTelemetry from the standard environment."""

import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from observability import providers
from observability.errors import TelemetryError
from observability.providers import build
from tests.ports import held_port


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the developer's own environment says."""
    for signal in ("TRACES", "METRICS"):
        monkeypatch.delenv(f"OTEL_{signal}_EXPORTER", raising=False)
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", raising=False)
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", raising=False)
    for name in ("EXPORTER_OTLP_ENDPOINT", "EXPORTER_OTLP_PROTOCOL", "SDK_DISABLED", "SERVICE_NAME"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)


@pytest.fixture
def port() -> Iterator[int]:
    """A port nobody listens on."""
    with held_port() as port:
        yield port


@pytest.fixture
def collector() -> Iterator[tuple[str, list[str]]]:
    """A collector on loopback: its address, and the paths that were posted to."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()
    thread.join()


def test_nothing_is_exported_without_variables() -> None:
    """No provider, no thread, no port."""
    before = set(threading.enumerate())
    with build("govbus") as telemetry:
        assert isinstance(telemetry.tracer_provider, trace.NoOpTracerProvider)
        assert isinstance(telemetry.meter_provider, metrics.NoOpMeterProvider)
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("how", ["exporter", "endpoint"])
def test_otlp_over_http(monkeypatch: pytest.MonkeyPatch, collector: tuple[str, list[str]], how: str) -> None:
    """Spans and metrics reach the standard paths; an endpoint alone is enough."""
    address, paths = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    if how == "exporter":
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    with build("govbus") as telemetry:
        telemetry.tracer_provider.get_tracer("t").start_span("s").end()
        telemetry.meter_provider.get_meter("m").create_counter("c").add(1)
    assert sorted(paths) == ["/v1/metrics", "/v1/traces"]


def test_disabled_sdk_exports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED wins over every exporter."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "no-such-exporter")
    with build("govbus") as telemetry:
        assert isinstance(telemetry.tracer_provider, trace.NoOpTracerProvider)


def test_console_exporter_writes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a command prints for a program stays clean."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    with build("govbus") as telemetry:
        telemetry.tracer_provider.get_tracer("t").start_span("a-span").end()
        telemetry.meter_provider.get_meter("m").create_counter("a-counter").add(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "a-span" in err
    assert "a-counter" in err


def test_metrics_port_serves_prometheus_on_loopback(port: int) -> None:
    """`--metrics-port` needs no variable, and the port is free again afterwards."""
    with build("govbus-monitor", metrics_port=port) as telemetry:
        telemetry.meter_provider.get_meter("m").create_counter("govbus.tries").add(2)
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            page = answer.read().decode()
    assert "govbus_tries_total 2.0" in page
    assert 'service_name="govbus-monitor"' in page
    socket.create_server(("127.0.0.1", port)).close()


def test_prometheus_exporter_listens_where_the_variables_say(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """Host and port are OpenTelemetry's own variables."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
    with build("govbus"), urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200


def test_port_that_is_taken_is_told(port: int) -> None:
    """The message names the address and the way out."""
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(TelemetryError, match=f"127.0.0.1 port {port} - .* - choose a free port"),
    ):
        build("govbus", metrics_port=port)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("OTEL_TRACES_EXPORTER", "no-such", "traces to `no-such` - no installed package registers it"),
        ("OTEL_METRICS_EXPORTER", "no-such", "one of .*prometheus"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "soon", "OTEL_EXPORTER_PROMETHEUS_PORT is not a number"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`otlp_proto_grpc` - no installed package"),
    ],
)
def test_wrong_variable_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """Telemetry that was asked for and cannot be had is an error, not silence."""
    if "PROMETHEUS" in variable:
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    if "OTLP" in variable:
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv(variable, value)
    with pytest.raises(TelemetryError, match=message):
        build("govbus")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("", "", "govbus"),
        ("OTEL_SERVICE_NAME", "mine", "mine"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours", "ours"),
    ],
)
def test_service_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str) -> None:
    """The environment's name wins over the command's."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    if variable:
        monkeypatch.setenv(variable, value)
    with build("govbus") as telemetry:
        assert isinstance(telemetry.tracer_provider, TracerProvider)
        assert telemetry.tracer_provider.resource.attributes["service.name"] == expected


def test_sampler_is_the_parents_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling follows the parent by default, and the standard variable changes it."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    with build("govbus") as telemetry:
        assert isinstance(telemetry.tracer_provider, TracerProvider)
        assert isinstance(telemetry.tracer_provider.sampler, ParentBased)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with build("govbus") as telemetry:
        assert isinstance(telemetry.tracer_provider, TracerProvider)
        assert telemetry.tracer_provider.sampler == ALWAYS_OFF


def test_one_exporter_that_fails_releases_the_others(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """A port opened for nothing is closed again."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus,no-such")
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
    with pytest.raises(TelemetryError):
        build("govbus")
    socket.create_server(("127.0.0.1", port)).close()


def test_meter_provider_is_the_sdks(port: int) -> None:
    """Whoever asks for metrics gets instruments that count."""
    with build("govbus", metrics_port=port) as telemetry:
        assert isinstance(telemetry.meter_provider, MeterProvider)


class Hanging(SpanExporter):
    """An exporter whose collector never answers."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.end = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Wait."""
        del spans
        self.asked.set()
        self.end.wait()
        return SpanExportResult.FAILURE


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The work is done; its last telemetry is dropped, and that is said."""
    exporter = Hanging()
    monkeypatch.setattr(providers, "SHUTDOWN_SECONDS", 0.05)
    monkeypatch.setattr(providers, "_span_exporter", lambda _name: exporter)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "hanging")
    built = build("govbus-monitor")
    with built.tracer_provider.get_tracer("test").start_as_current_span("work"):
        pass
    built.shutdown()
    assert exporter.asked.wait(60)
    assert "is dropped" in caplog.text
    exporter.end.set()
