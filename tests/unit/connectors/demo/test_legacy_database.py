"""A legacy system takes the same paper once, by its own rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.demo.legacy.database import LegacyDatabase, Paper, RepeatMark
from connectors.demo.legacy.night_job import PRINTED, NightJob

NEW = "D1-000001"
OTHER = "D1-000002"


def database(path: Path, *marks: RepeatMark, schema: str = "") -> LegacyDatabase:
    """A database with no tables of its own."""
    return LegacyDatabase(path / "books.db", schema, repeats_by=frozenset(marks), first_number=0)


@pytest.mark.parametrize(
    ("marks", "key", "reference", "taken"),
    [
        (("key",), "k1", NEW, False),
        (("key",), "k2", NEW, True),
        (("reference",), "k2", NEW, False),
        (("reference",), "k1", OTHER, True),
        (("key", "reference"), "k2", NEW, False),
        (("key", "reference"), "k1", OTHER, False),
        (("key",), None, NEW, True),
    ],
)
def test_a_repeated_call_is_recognised_by_key_or_reference(
    tmp_path: Path, marks: tuple[RepeatMark, ...], key: str | None, reference: str, taken: bool
) -> None:
    """Each call is written down; only a new one becomes work."""
    books = database(tmp_path, *marks)
    assert books.take(Paper("f", {"reference": NEW}), key="k1", work_seconds=0)
    assert taken == books.take(Paper("f", {"reference": reference}), key=key, work_seconds=0)
    assert len(books.rows("SELECT * FROM calls")) == 2
    assert (2 if taken else 1) == len(books.due())
    books.close()


def test_a_program_without_quoting_breaks_a_line_with_a_semicolon(tmp_path: Path) -> None:
    """The list of what was printed has the case of each line, and a run again has the same lines."""
    schema = f"CREATE TABLE births (id INTEGER PRIMARY KEY, reference, child, printed DEFAULT 0);{PRINTED}"
    books = database(tmp_path, "reference", schema=schema)
    books.insert("births", {"reference": NEW, "child": "Null; Ada"})
    job = NightJob(tmp_path, "births", "births", ("reference", "child"), quotes=False, reruns_every=1)
    job.run(books)
    job.run(books)
    first, again = (tmp_path / name for name in ("births-00001.csv", "births-00001-rerun.csv"))
    assert first.read_bytes() == again.read_bytes() == b"reference;child\r\nD1-000001;Null; Ada\r\n"
    printed = [(row["file"], row["line"], row["reference"]) for row in books.rows("SELECT * FROM printed")]
    assert [(first.name, 2, NEW), (again.name, 2, NEW)] == printed
    books.close()
