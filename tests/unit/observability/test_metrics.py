"""What operators measure by."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from bus import Reason
from observability import Store
from observability.evidence.trust import Refusal, Word
from observability.metrics import METER, METRICS, derive
from observability.metrics_snapshot import OTHER
from observability.transaction_view import moment
from tests.unit.observability.country import (
    BIRTH,
    BORN,
    SECOND,
    SERVICES,
    START,
    delivered,
    place_gone,
    published,
    refused,
    set_aside,
    whole_birth,
)

AGENCIES = ("civil-registry", "health", "social-security", "tax")


@pytest.fixture
def exposed(tmp_path: Path) -> Iterator[str]:
    """The Prometheus page of a store with two births, trouble, and a stranger."""
    clock = lambda: moment(START + 200 * SECOND)  # noqa: E731 - a clock in one line
    registry = CollectorRegistry()
    provider = MeterProvider([PrometheusMetricReader(scope_info_enabled=False, registry=registry)])
    with Store(f"sqlite:///{tmp_path / 'm.db'}", SERVICES, clock=clock) as store:
        derive(provider.get_meter(METER), store, AGENCIES, clock=clock)
        case = published(BORN, START, "case-3")
        second = whole_birth("case-2", step_us=50 * SECOND)
        store.apply(
            [
                *whole_birth(),
                *second,
                case,
                delivered(BORN, "tax", START, "case-3", outcome="dead-letter", reason="target-rejected"),
                delivered(BORN, "stranger", START, "case-3", outcome="dead-letter", reason="made up"),
                refused(BORN, START, "case-4"),
                set_aside("tax", START, reason="target-rejected"),
                place_gone("tax", START, attempt=40),
                place_gone("tax", START + SECOND, 12, outcome="halted", reason="offsets-expired"),
                place_gone("stranger", START, attempt=2, reason="made up", topic="stranger.made-up.v1"),
            ],
            refused=[Refusal("tax", "other-agency", ("tax.receipts", 0, 7), "health")] * 2,
            unchecked=[Word("civil-registry", case, START, ("civil-registry.receipts", 0, 7))],
            undated=[Word("civil-registry", second[0], START, ("civil-registry.receipts", 0, 8))],
        )
        yield generate_latest(registry).decode()
        provider.shutdown()


@pytest.mark.parametrize(
    "line",
    [
        'govbus_service_duration_seconds{quantile="0.5",service="birth-of-a-child"} 3.0',
        'govbus_service_duration_seconds{quantile="0.99",service="birth-of-a-child"} 150.0',
        'govbus_service_deadline_seconds{service="birth-of-a-child"} 120.0',
        'govbus_service_started_total{service="birth-of-a-child"} 3.0',
        'govbus_service_completed_total{on_time="true",service="birth-of-a-child"} 1.0',
        'govbus_service_completed_total{on_time="false",service="birth-of-a-child"} 1.0',
        'govbus_receipts_not_believed_total{agency="tax",fault="other-agency"} 2.0',
        'govbus_receipts_unchecked{agency="civil-registry"} 1.0',
        'govbus_receipts_unchecked{agency="tax"} 0.0',
        'govbus_receipts_undated{agency="civil-registry"} 1.0',
        'govbus_subscription_halted{agency="tax",event="civil-registry.birth-registered",'
        'reason="offsets-expired"} 1.0',
        'govbus_subscription_places_gone_total{agency="tax",event="civil-registry.birth-registered",'
        'reason="records-lost"} 1.0',
        'govbus_subscription_missed_total{agency="tax",event="civil-registry.birth-registered",'
        'reason="records-lost"} 40.0',
        'govbus_subscription_missed_total{agency="other",event="other",reason="other"} 2.0',
        'govbus_service_open{service="birth-of-a-child"} 1.0',
        'govbus_service_overdue{service="birth-of-a-child"} 1.0',
        'govbus_service_stuck{service="birth-of-a-child"} 1.0',
        'govbus_service_step_duration_seconds{agency="health",event="health.record-opened",quantile="0.5",'
        'service="birth-of-a-child"} 1.0',
        'govbus_path_queue_duration_seconds{agency="tax",event="civil-registry.birth-registered.v1",'
        'quantile="0.95",service="birth-of-a-child"} 0.004',
        'govbus_path_handle_duration_seconds{agency="tax",event="civil-registry.birth-registered.v1",'
        'quantile="0.5",service="birth-of-a-child"} 0.02',
        'govbus_agency_clock_skew_seconds{agency="civil-registry"} 0.0015',
        'govbus_agency_handle_duration_p95_seconds{agency="tax"} 0.02',
        'govbus_agency_events_total{agency="civil-registry",outcome="published"} 3.0',
        'govbus_agency_events_total{agency="civil-registry",outcome="refused"} 1.0',
        'govbus_agency_deliveries_total{agency="tax",outcome="ack"} 2.0',
        'govbus_agency_deliveries_total{agency="other",outcome="dead-letter"} 1.0',
        'govbus_agency_events_total{agency="tax",outcome="dead-letter"} 1.0',
        'govbus_dead_letters{agency="tax",reason="target-rejected"} 2.0',
        'govbus_dead_letters{agency="other",reason="other"} 1.0',
        "govbus_receipts_total 22.0",
        "govbus_receipts_undecodable_total 0.0",
    ],
)
def test_prometheus_sees(exposed: str, line: str) -> None:
    """Names, units and labels are those dashboards and alerts are written for."""
    assert line in exposed


def test_age_of_the_newest_receipt(exposed: str) -> None:
    """The clock minus the newest receipt: a silent bus is seen."""
    assert "govbus_receipts_age_seconds 50.0" in exposed


def test_every_metric_of_the_table_is_exposed_with_its_labels_only(exposed: str) -> None:
    """The table is what is exported, and no label is outside it."""
    for metric in METRICS:
        name = metric.name.replace(".", "_")
        lines = [line for line in exposed.splitlines() if line.startswith(name) and " " in line]
        assert lines, metric.name
    assert "case-1" not in exposed
    assert "stranger" not in exposed
    assert "made up" not in exposed


def test_other_is_no_reason_and_no_service() -> None:
    """The label for the rest cannot be mistaken."""
    assert OTHER not in {*Reason, BIRTH.name, *AGENCIES}


def test_names_are_unique_and_ours() -> None:
    """One name, one instrument."""
    names = [metric.name for metric in METRICS]
    assert sorted(set(names)) == sorted(names)
    assert all(name.startswith("govbus.") for name in names)
