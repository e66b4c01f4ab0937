"""`HandledEvents` keeps its promises on SQLite, and on a database without `ON CONFLICT DO NOTHING`."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bus import HandledEvents, UsageError
from bus.database import handled_events as handled
from tests.unit.bus.events import delivered
from tests.unit.bus.handle_once_promises import DATA, HandleOncePromises


class TestSqlite(HandleOncePromises):
    """Every promise, on SQLite."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """A file of its own."""
        return f"sqlite:///{tmp_path / 'ledger.db'}"


class TestSqliteThatBegins(TestSqlite):
    """Every promise, on SQLite with SQLAlchemy's remedy for a driver that begins late."""

    def prepare(self, engine: Engine) -> None:
        """Begin each transaction ourselves."""

        @event.listens_for(engine, "connect")
        def _(connection: Any, _record: Any) -> None:
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                connection.exec_driver_sql("BEGIN")


class TestSavepoints(TestSqliteThatBegins):
    """Every promise, by savepoint and primary key, as on databases without `ON CONFLICT DO NOTHING`."""

    @pytest.fixture(autouse=True)
    def _nothing_special(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(handled, "_PASSING_OVER", {})


def test_what_is_no_connection_is_refused() -> None:
    """An AsyncSession is passed on through `run_sync`, and the error says so."""
    with pytest.raises(UsageError, match="run_sync"):
        HandledEvents("x").once(object(), delivered("e1", DATA))  # type: ignore[arg-type]
