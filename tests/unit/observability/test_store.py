"""The store on SQLite."""

import multiprocessing
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from observability import Store, StoreError
from observability.transaction_view import moment
from tests.unit.observability.country import SECOND, SERVICES, START, whole_birth
from tests.unit.observability.store_promises import StorePromises, everything


class TestSqlite(StorePromises):
    """Every promise, on a SQLite file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """A database file that isn't there yet."""
        return f"sqlite:///{tmp_path / 'state' / 'monitor.db'}"


def _write_and_die(file: str, batches: int) -> None:
    store = Store(f"sqlite:///{file}", SERVICES)
    for number in range(batches):
        store.apply(whole_birth(f"case-{number}"))
    os._exit(9)


def test_what_was_applied_survives_the_death_of_the_process(tmp_path: Path) -> None:
    """A process that dies without closing loses no batch that `apply` returned from, and blocks nobody."""
    file = str(tmp_path / "monitor.db")
    writer = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(file, 20))
    writer.start()
    writer.join(60)
    assert writer.exitcode == 9
    with Store(f"sqlite:///{file}", SERVICES, clock=lambda: moment(START + 10 * SECOND)) as store:
        assert (store.summary().completed, store.summary().receipts) == (20, 140)
        assert (
            store.apply([receipt for number in range(20) for receipt in whole_birth(f"case-{number}")]) == 0
        )


def test_batch_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is in the database whole or not at all."""
    with Store(f"sqlite:///{tmp_path / 'm.db'}", SERVICES) as store:
        store.apply(whole_birth("case-0"))
        before = everything(store)
        monkeypatch.setattr("observability.database.intake._add", _break)
        with pytest.raises(RuntimeError):
            store.apply(whole_birth("case-1"))
        assert everything(store)[1:] == before[1:]


def _break(*_arguments: object) -> None:
    raise RuntimeError


def test_readers_and_writers_in_threads_do_not_fail(tmp_path: Path) -> None:
    """Two writers wait for each other; readers see whole batches."""
    faults: list[BaseException] = []
    with Store(f"sqlite:///{tmp_path / 'm.db'}", SERVICES) as store:

        def write(name: str) -> None:
            try:
                for number in range(15):
                    store.apply(whole_birth(f"{name}-{number}"))
                    assert store.summary().receipts % 7 == 0
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
                faults.append(error)

        threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two", "three")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert (store.summary().completed, store.summary().receipts) == (45, 315)


def test_other_schema_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """A database another version of govbus made is not misread."""
    file = tmp_path / "m.db"
    Store(f"sqlite:///{file}", SERVICES).close()
    connection = sqlite3.connect(file)
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="expected schema version 10, got 99 - start with an") as caught:
        Store(f"sqlite:///{file}", SERVICES)
    assert (caught.value.reason, caught.value.retriable) == ("schema-version", False)


def test_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A table of ours that we did not make stops us."""
    file = tmp_path / "m.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE transactions (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="`transactions` were not made by govbus"):
        Store(f"sqlite:///{file}", SERVICES)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("not a url", r"\(not a URL\)"),
        ("nosuchdialect://x", "nosuchdialect"),
        ("postgresql+psycopg://someone:secret@127.0.0.1:1/x", r"`postgresql\+psycopg://127.0.0.1:1/x`"),
        ("https://hooks.example/services/T000/secret", r"`https://hooks.example/services/\.\.\.`"),
        (
            "postgresql+psycopg://127.0.0.1:1/x?user=someone&password=secret",
            "127.0.0.1:1/x` - connection failed",
        ),
        ("postgresql+psycopg://127.0.0.1:1/x?secret=secret", "127.0.0.1:1/x` - ProgrammingError"),
        ("postgresql+psycopg://someone:p@secret@127.0.0.1:1/x", r"\(not a URL\)` - OperationalError"),
        ("postgresql+psycopg://someone:secret@127.0.0.1:secret/x", r"\(not a URL\)` - "),
        ("postgresql+psycopg://someone:secret/1@127.0.0.1:1/x", r"`postgresql\+psycopg://127.0.0.1:1/x`"),
    ],
)
def test_unusable_database_is_one_sentence_without_the_password(url: str, why: str) -> None:
    """The message names the database, the cause and the remedy."""
    with pytest.raises(StoreError, match=why) as caught:
        Store(url, SERVICES)
    assert "secret" not in str(caught.value)
    assert "GOVBUS_DATABASE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A wrong path does not end in a traceback, nor in a lost file."""
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(f"sqlite:///{file}", SERVICES)
    assert file.read_text().startswith("Dear Sir")


def test_new_state_folder_is_the_users_own(tmp_path: Path) -> None:
    """Nobody else on the machine reads which agency handled what."""
    Store(f"sqlite:///{tmp_path / 'state' / 'm.db'}", SERVICES).close()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
