"""Tables of a catalogue."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table

from contracts.terminal import visible_console


def table(*columns: str) -> Table:
    """A plain table with a bold header; the first column holds names, which are never cut."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column == columns[0])
    return made


def print_blocks(*blocks: RenderableType) -> None:
    """Print texts and tables, with an empty line between them."""
    shown_on = visible_console()
    for index, block in enumerate(blocks):
        if index:
            shown_on.print()
        shown_on.print(block)
