"""The database of one legacy system: a SQLite file with its tables, every call it took, and its work to do.

A call is stored before it is answered. A repeated call is answered, and its paper is not worked on again; a
system recognises it by the `Idempotency-Key`, by the reference if it is too old to know that header, or by
both. The demo starts every system with an empty database.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["LegacyDatabase", "Paper", "RepeatMark"]

RepeatMark = Literal["key", "reference"]
"""What a repeated call is recognised by."""

_COMMON_TABLES = """
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, form TEXT NOT NULL, idempotency_key TEXT,
    reference TEXT NOT NULL, taken INTEGER NOT NULL);
CREATE INDEX calls_by_key ON calls (form, idempotency_key);
CREATE INDEX calls_by_reference ON calls (form, reference);
CREATE TABLE tray (
    id INTEGER PRIMARY KEY, due REAL NOT NULL, form TEXT NOT NULL, paper TEXT NOT NULL,
    done INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Paper:
    """One filled-in form."""

    form: str
    fields: Mapping[str, str]


class LegacyDatabase:
    """Stores what one system knows.

    Args:
        path: The SQLite file.
        schema: The system's own tables.
        repeats_by: What a repeated call is recognised by.
        first_number: The number that row numbers begin after.
    """

    def __init__(
        self, path: Path, schema: str, *, repeats_by: Collection[RepeatMark], first_number: int
    ) -> None:
        self._repeats_by = repeats_by
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_COMMON_TABLES + schema)
        numbered = self.rows("SELECT name FROM sqlite_master WHERE sql LIKE '% AUTOINCREMENT,%'")
        for (table,) in numbered:
            self.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, first_number)

    def take(self, paper: Paper, *, key: str | None, work_seconds: float) -> bool:
        """Store a call, and its paper as work to do unless the call is repeated.

        Args:
            paper: The form of the call.
            key: The caller's `Idempotency-Key`, if it sent one.
            work_seconds: When the work is due, from now.

        Returns:
            Whether the paper is new.
        """
        reference = paper.fields["reference"]
        with self.writing():
            taken = not self._known(paper.form, key, reference)
            self.run(
                "INSERT INTO calls (at, form, idempotency_key, reference, taken) VALUES (?, ?, ?, ?, ?)",
                time.time(), paper.form, key, reference, taken,
            )  # fmt: skip
            if taken:
                self.run(
                    "INSERT INTO tray (due, form, paper, done) VALUES (?, ?, ?, 0)",
                    time.time() + work_seconds, paper.form, json.dumps(dict(paper.fields)),
                )  # fmt: skip
        return taken

    def _known(self, form: str, key: str | None, reference: str) -> bool:
        marks = {"key": ("idempotency_key", key), "reference": ("reference", reference)}
        for mark in self._repeats_by:
            column, value = marks[mark]
            query = f"SELECT 1 FROM calls WHERE form = ? AND {column} = ? AND taken"  # noqa: S608 - our own word
            if self.rows(query, form, value):
                return True
        return False

    def due(self) -> list[tuple[int, Paper]]:
        """Return the papers whose work is due, with their number."""
        rows = self.rows(
            "SELECT id, form, paper FROM tray WHERE NOT done AND due <= ? ORDER BY id", time.time()
        )
        return [(row["id"], Paper(row["form"], json.loads(row["paper"]))) for row in rows]

    def finish(self, number: int) -> None:
        """Mark the work on a paper as done."""
        self.run("UPDATE tray SET done = 1 WHERE id = ?", number)

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        """Add one row to a table of the system."""
        places = ", ".join("?" * len(row))
        self.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608

    def run(self, statement: str, *values: object) -> None:
        """Run one statement."""
        self._connection.execute(statement, values)

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the block one database transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
