"""Many rows at once, by position: SQLAlchemy takes longer over names than SQLite over the rows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert


def insert_rows(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows.

    Args:
        connection: of the write.
        table: where to.
        names: of the columns, in the order of the values.
        rows: the values; none is fine.
    """
    if not rows:
        return
    if connection.dialect.paramstyle != "qmark":  # PostgreSQL takes the rows by name
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({columns}) VALUES ({marks})",  # noqa: S608 - names of our own tables
        list(rows),
    )
