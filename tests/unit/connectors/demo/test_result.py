"""When the monitor's report is whole."""

from __future__ import annotations

import pytest

from connectors.demo.check import Rejection, Submission, settle
from connectors.demo.monitor_query import MonitorReport
from connectors.demo.options import DemoOptions
from connectors.demo.result import DemoResult
from contracts import Catalog

SERVICES = {name: Catalog.open().services[name] for name in ("birth-of-a-child",)}


def result(monitor: MonitorReport, *, rejected: bool = True) -> DemoResult:
    """Return a run of one case, which is turned away by an office, or lost."""
    letter = Rejection("dead-lettered", "tax", "untranslatable", "translate", "tax.dead-letters:0", "one")
    rejections = [letter] if rejected else []
    account = settle(
        submissions=[Submission("birth-of-a-child", "one")],
        effects=[],
        rejections=rejections,
        ends={name: service.ends for name, service in SERVICES.items()},
    )
    return DemoResult(account, monitor, SERVICES, rejections, [], [], None, 0.0, DemoOptions())


def said(state: str) -> MonitorReport:
    """Return the report of one transaction."""
    return MonitorReport([{"service": "birth-of-a-child", "state": state, "duration_ms": 1.0, "hops": []}])


@pytest.mark.parametrize("state", ["open", "late", "agency-silent"])
def test_a_case_that_ended_in_the_books_is_waited_for_in_the_monitor(state: str) -> None:
    """Turned away, it becomes stuck once its receipts are read; only a lost one stays in flight."""
    assert not result(said(state)).reported
    assert result(said("stuck")).reported
    assert result(said(state), rejected=False).reported


def test_what_the_monitor_has_not_said_is_no_report() -> None:
    """Nor does a list that may be cut become longer by waiting."""
    assert not result(MonitorReport(None)).reported
    assert result(MonitorReport([], cut=True)).reported
