"""Which encodings of a PostgreSQL database and of a connection let texts travel."""

import sqlite3

import pytest

from bus.database.encoding import fault_of, text_fault


@pytest.mark.parametrize(
    ("server", "client", "writes", "reads"),
    [
        ("UTF8", "UTF8", True, True),
        ("SQL_ASCII", "UTF8", True, True),
        ("SQL_ASCII", "SQL_ASCII", False, False),
        ("UTF8", "SQL_ASCII", False, False),
        ("UTF8", "LATIN1", False, True),
        ("LATIN1", "LATIN1", False, True),
        ("LATIN1", "UTF8", False, True),
        (None, None, True, True),
    ],
)
def test_a_program_that_writes_any_text_needs_utf8_and_one_that_reads_an_encoding(
    server: str | None, client: str | None, *, writes: bool, reads: bool
) -> None:
    """What cannot be known is not refused."""
    assert (fault_of(server, client) is None) is writes
    assert (fault_of(server, client, reads_only=True) is None) is reads


def test_a_fault_says_what_came_and_what_to_do() -> None:
    """By the encoding that is in the way."""
    said = str(fault_of("SQL_ASCII", "SQL_ASCII"))
    assert (
        "got SQL_ASCII, to a database of encoding SQL_ASCII. Use a database of encoding UTF8, or add" in said
    )
    assert "ENCODING 'UTF8' TEMPLATE template0" in str(fault_of("LATIN1", "UTF8"))
    assert "`?client_encoding=utf8`" in str(fault_of("UTF8", "SQL_ASCII", reads_only=True))


def test_a_driver_that_says_nothing_of_encodings_is_not_refused() -> None:
    """As SQLite's."""
    assert text_fault(sqlite3.connect(":memory:")) is None
