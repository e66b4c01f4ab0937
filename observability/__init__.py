"""The monitor: where each transaction is, how long it took, which agency it waits for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Each loads when it is used: a program, or a command, loads what it needs and not the room.
_HOMES = {
    "AgencyView": "observability.views",
    "BreakdownView": "observability.views",
    "DeadLetterView": "observability.views",
    "Monitor": "observability.monitor",
    "ObservabilityError": "observability.errors",
    "ServiceView": "observability.views",
    "Store": "observability.database.store",
    "StoreError": "observability.errors",
    "SummaryView": "observability.views",
    "TelemetryError": "observability.errors",
    "TransactionView": "observability.views",
}

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


if not TYPE_CHECKING:  # a type checker knows the names by their imports, and reports others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_HOMES[name]), name)
        return found


def __dir__() -> list[str]:
    return __all__
