"""The monitor: where each transaction is, how long it took, which agency it waits for."""

from observability.database.store import Store
from observability.errors import ObservabilityError, StoreError, TelemetryError
from observability.monitor import Monitor
from observability.views import (
    AgencyView,
    BreakdownView,
    DeadLetterView,
    ServiceView,
    SummaryView,
    TransactionView,
)

__all__ = [
    "AgencyView",
    "BreakdownView",
    "DeadLetterView",
    "Monitor",
    "ObservabilityError",
    "ServiceView",
    "Store",
    "StoreError",
    "SummaryView",
    "TelemetryError",
    "TransactionView",
]
