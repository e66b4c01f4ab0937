"""Tables on the terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH: Final = 160
"""Characters in a line where the output is not a terminal."""


def table(*columns: str) -> Table:
    """A plain table with a bold header."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def add_row(to: Table, *cells: str) -> None:
    """Add a row in which no text is taken for markup."""
    to.add_row(*(Text(cell) for cell in cells))


def print_blocks(*blocks: RenderableType, width: int = WIDTH) -> None:
    """Print texts and tables, with an empty line between them."""
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=width)
    for index, block in enumerate(blocks):
        if index:
            console.print()
        console.print(block)
