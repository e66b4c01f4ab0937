"""Errors of the monitor, its commands and its console.

ObservabilityError
+-- StoreError          the monitor's database cannot be used
+-- TelemetryError      the exporters that the OTEL_* variables name cannot be set up
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal, Self

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from contracts import hidden_parts, shown_address

ErrorReason = Literal[
    "database-unusable",
    "schema-version",
    "foreign-tables",
    "write-conflict",
    "database-missing",
    "telemetry-settings",
    "unknown-service",
]


STATES_PASS = frozenset({"08", "25", "40", "53", "55", "57", "58"})
"""Classes of SQLSTATE that pass: no connection, read-only, conflict, no room, not ready, stopped, system."""

SQLITE_PASSES = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR")


class ObservabilityError(Exception):
    """Root of the errors of `observability`.

    Args:
        message: what failed - why - how to fix.
        reason: one of a closed set, safe as a label.
        retriable: whether the same call may succeed later.
    """

    def __init__(self, message: str, *, reason: ErrorReason, retriable: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.retriable = retriable


class StoreError(ObservabilityError):
    """The monitor's database cannot be used."""

    @classmethod
    def unusable(cls, url: str, cause: Exception) -> Self:
        """Return the error for a database that cannot be opened; a password in `url` is not shown."""
        detail = str(cause.orig) if isinstance(cause, DBAPIError) and cause.orig else str(cause)
        why = next(iter(detail.strip().splitlines()), "")
        shown = _shown(url)
        if not why or shown is None or _quotes(why, url):
            why = type(cause).__name__
        return cls(
            f"cannot use the monitor's database `{shown or '(not a URL)'}` - {why} - "
            "give a SQLAlchemy URL with --database or GOVBUS_DATABASE, such as sqlite:////path/monitor.db",
            reason="database-unusable",
            retriable=_may_pass(cause),
        )

    @classmethod
    def texts(cls, fault: object) -> Self:
        """Return the error for a database that does not take every text."""
        return cls(
            f"cannot use the monitor's database - {fault}", reason="database-unusable", retriable=False
        )

    @classmethod
    def other_version(cls, found: object, expected: int) -> Self:
        """Return the error for a database that another version of govbus created."""
        return cls(
            f"cannot read the monitor's database - expected schema version {expected}, got {found} - "
            "start with an empty database: the monitor fills it with the receipts that Kafka still keeps",
            reason="schema-version",
            retriable=False,
        )

    @classmethod
    def foreign_tables(cls, tables: Sequence[str]) -> Self:
        """Return the error for a database that belongs to another program."""
        named = ", ".join(f"`{table}`" for table in tables)
        return cls(
            f"cannot use this database for the monitor - its tables {named} were not made by govbus - "
            "give the monitor a database or schema of its own",
            reason="foreign-tables",
            retriable=False,
        )

    @classmethod
    def missing(cls, place: str) -> Self:
        """Return the error for reading a database that no monitor has created yet."""
        return cls(
            f"no monitor database at `{place}` - nothing has been recorded there - "
            "start `govbus monitor`, or name another with --database or GOVBUS_DATABASE",
            reason="database-missing",
            retriable=True,
        )

    @classmethod
    def unknown_service(cls, name: str, known: Iterable[str]) -> Self:
        """Return the error for a service that the catalogue does not define."""
        near = get_close_matches(name, list(known), n=1)
        hint = f"did you mean `{near[0]}`?" if near else "see `govbus contracts list`"
        return cls(
            f"no service `{name}` - the catalogue does not define it - {hint}",
            reason="unknown-service",
            retriable=False,
        )

    @classmethod
    def conflict(cls) -> Self:
        """Return the error for a batch that conflicts with another monitor's on every attempt."""
        return cls(
            "cannot write the batch - another monitor keeps writing the same transactions - "
            "try again; if it lasts, stop one of the monitors",
            reason="write-conflict",
            retriable=True,
        )


class TelemetryError(ObservabilityError):
    """The exporters that the `OTEL_*` variables name cannot be set up."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="telemetry-settings", retriable=False)


def _may_pass(cause: Exception) -> bool:
    """Return whether a fault of the database may pass: away, busy or full, but no wrong name."""
    if not isinstance(cause, DBAPIError):
        return False
    if (name := getattr(cause.orig, "sqlite_errorname", None)) is not None:
        return str(name).startswith(SQLITE_PASSES)
    state = getattr(cause.orig, "sqlstate", None)
    return isinstance(cause, OperationalError | InterfaceError) if state is None else state[:2] in STATES_PASS


def _shown(url: str) -> str | None:
    """Return the URL without user, password and parameters, which may be secrets; None if it is no URL.

    An `@` in a password that is not written as `%40` makes what follows it look like the host.
    """
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        return None
    if "@" in (found.host or ""):
        return None
    shown = found.set(query={}).render_as_string(hide_password=True)
    return shown_address(shown) if found.host else shown


def _quotes(text: str, url: str) -> bool:
    """Whether a driver's message has something of the URL that is not shown."""
    found = make_url(url)
    hidden = [found.password, *found.query.values(), *(hidden_parts(url) if found.host else ())]
    return any(str(secret) in text for secret in hidden if secret)
