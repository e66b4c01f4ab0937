"""The books of one legacy system: its own SQLite file, a record of every call it took, and a tray of work.

A call is written down before it is answered. The same paper handed in again is answered again but not put
in the tray again; a system tells by the `Idempotency-Key` it was given, by the reference where it is too
old to know that header, or by both. The demo starts every system with empty books.
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

__all__ = ["Ledger", "Mark", "Paper"]

Mark = Literal["key", "reference"]
"""What tells that a paper was handed in before."""

_TRAY = """
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
    """One form somebody handed in."""

    form: str
    fields: Mapping[str, str]


class Ledger:
    """Keeps one system's books.

    Args:
        path: The SQLite file.
        schema: The system's own tables.
        tells_repeats_by: What tells a repeated call.
        first_number: The number the system's numbered tables have reached already.
    """

    def __init__(
        self, path: Path, schema: str, *, tells_repeats_by: Collection[Mark], first_number: int
    ) -> None:
        self._tells_repeats_by = tells_repeats_by
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_TRAY + schema)
        numbered = self.rows("SELECT name FROM sqlite_master WHERE sql LIKE '% AUTOINCREMENT,%'")
        for (table,) in numbered:
            self.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, first_number)

    def take(self, paper: Paper, *, key: str | None, work_seconds: float) -> bool:
        """Write a call down and put its paper in the tray unless it was handed in before.

        Args:
            paper: What was handed in.
            key: The caller's `Idempotency-Key`, if it sent one.
            work_seconds: How long the paper lies in the tray.

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
        for mark in self._tells_repeats_by:
            column, value = marks[mark]
            query = f"SELECT 1 FROM calls WHERE form = ? AND {column} = ? AND taken"  # noqa: S608 - our own word
            if self.rows(query, form, value):
                return True
        return False

    def due(self) -> list[tuple[int, Paper]]:
        """Return the papers that have lain in the tray long enough, with their number."""
        rows = self.rows(
            "SELECT id, form, paper FROM tray WHERE NOT done AND due <= ? ORDER BY id", time.time()
        )
        return [(row["id"], Paper(row["form"], json.loads(row["paper"]))) for row in rows]

    def finish(self, number: int) -> None:
        """Take a paper out of the tray."""
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
        """Make what happens inside one entry in the books, or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Shut the books."""
        self._connection.close()
