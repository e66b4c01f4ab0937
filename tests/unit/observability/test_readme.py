"""The page operators hold us to."""

from pathlib import Path

import observability
from observability.database.queries import AGENCY_WINDOW, COMPLETED_WINDOW, PATHS_WINDOW, STEPS_WINDOW
from observability.metrics import METRICS

PAGE = (Path(observability.__file__).parent / "README.md").read_text("utf-8")


def test_page_names_every_metric_as_prometheus_does() -> None:
    """A metric that is not on the page is not promised; one that is must be there."""
    suffix = {"s": "_seconds"}
    for metric in METRICS:
        name = metric.name.replace(".", "_") + suffix.get(metric.unit, "")
        name += "_total" if metric.kind == "counter" else ""
        assert f"`{name}`" in PAGE


def test_page_states_the_windows() -> None:
    """A percentile is honest only with its window."""
    for window in (AGENCY_WINDOW, COMPLETED_WINDOW, PATHS_WINDOW, STEPS_WINDOW):
        assert f"{window:,}" in PAGE
