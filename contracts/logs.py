"""The loggers of the house. No value ends a log's line or begins one of its own."""

from __future__ import annotations

import logging
import traceback
from typing import Final

from contracts.addresses import with_shown_addresses
from contracts.visible_text import LONGEST, visible

_INDENT: Final = "  "


class VisibleFilter(logging.Filter):
    """Makes every record one line of visible text; the lines of a traceback, or of a stack, are indented.

    Of an address only what is no secret is shown; see `contracts/addresses.py`. The filter may stand at a
    logger or at a handler, and at both. Message and arguments stay apart, as tools that group records by
    their message need it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; every record passes."""
        # What is to be put into an address comes by the arguments.
        record.msg = visible(str(record.msg), LONGEST) if record.args else _visible(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_visible(argument) for argument in record.args)
        elif record.args:
            record.args = {name: _visible(argument) for name, argument in record.args.items()}
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            record.exc_text = _indented("".join(traceback.format_exception(*record.exc_info)))
        if record.stack_info:
            record.stack_info = _indented(record.stack_info)
        return True


def visible_logger(name: str) -> logging.Logger:
    """Return the logger of a name, whose records are visible text with every handler."""
    found = logging.getLogger(name)
    if not any(isinstance(each, VisibleFilter) for each in found.filters):
        found.addFilter(VisibleFilter())
    return found


def _visible(argument: object) -> object:
    return argument if isinstance(argument, int | float | None) else _shown(str(argument))


def _indented(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    return "\n".join(_INDENT + _shown(line.removeprefix(_INDENT)) for line in lines)


def _shown(text: str) -> str:
    return visible(with_shown_addresses(text), LONGEST)
