"""What every command writes: lines, tables, and documents of a format of their own.

Law of this file: it is the only one that writes to the terminal, and everything it writes is visible text;
see `contracts/visible_text.py`.
"""

from __future__ import annotations

import os
import select
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click

from contracts.visible_text import LONGEST, visible, visible_in_json, visible_json

if TYPE_CHECKING:
    from rich.console import Console

WIDTH: Final = 200
"""Columns where the output is not a terminal and COLUMNS is not set: wide, so that nothing is cut."""


def say(*lines: str, err: bool = False, longest: int | None = LONGEST) -> None:
    """Write lines for a person to read.

    Args:
        lines: Each is one line, whatever is in it.
        err: To stderr instead of stdout.
        longest: Characters of a line that are written; None for all.
    """
    for line in lines:
        _write(visible(line, longest), err=err)


def say_json(value: Any, indent: int | None = None) -> None:
    """Write a value, or JSON that another library wrote, as JSON.

    Args:
        value: A JSON value, or JSON as bytes.
        indent: Spaces of each level of a value; one line by default.
    """
    is_written = isinstance(value, bytes)
    _write(visible_in_json(value.decode()) if is_written else visible_json(value, indent))


def say_document(text: str, *, newline: bool = True) -> None:
    """Write a document whose format has line breaks, such as XML or YAML; its writer escapes what it quotes.

    Args:
        text: The document.
        newline: Whether a line break follows it.
    """
    _write(text, newline=newline)


def visible_console(*, err: bool = False) -> Console:
    """What draws tables: in the width of the terminal, without markup, each text on lines of its own cell.

    Args:
        err: On stderr instead of stdout.
    """
    kind = _console_type()
    made = kind(stderr=err, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = int(os.environ.get("COLUMNS", WIDTH))
    return made


def is_read() -> bool:
    """Whether somebody may still read stdout: of a pipe whose reader has ended it is known before a write."""
    if not hasattr(select, "poll"):  # on Windows a write tells
        return True
    try:
        looked = select.poll()
        looked.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # it is no file of the system
        return True
    return not any(found & select.POLLERR for _, found in looked.poll(0))


def _write(text: str, *, err: bool = False, newline: bool = True) -> None:
    stream = sys.stderr if err else sys.stdout
    coding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(text.encode(coding, "backslashreplace").decode(coding), err=err, nl=newline)


@cache
def _console_type() -> type[Console]:
    from rich.console import Console  # noqa: PLC0415 - slow to load, and most commands draw nothing
    from rich.text import Text  # noqa: PLC0415

    class VisibleConsole(Console):
        """A console whose every text is one line of visible characters."""

        def render_str(self, text: str, **options: Any) -> Text:
            """Return a table's cell, or a line, that was given as plain text."""
            return super().render_str(visible(text, LONGEST), **options)

        def render(self, renderable: Any, options: Any = None) -> Any:
            """Draw something; all of rich passes here, cells of tables too."""
            if isinstance(renderable, Text) and visible(renderable.plain, LONGEST) != renderable.plain:
                parts, renderable = list(renderable.render(self)), renderable.blank_copy()
                for part in parts:
                    renderable.append(visible(part.text, LONGEST), part.style)
            return super().render(renderable, options)

    return VisibleConsole
