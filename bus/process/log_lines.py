"""The lines of a log: of text, or each an object in JSON.

Law of this file: it needs the standard library alone, so that a program that loads nothing of the bus can log
in the same form.
"""

import json
import logging
import os
import time

FORMATS = ("text", "json")


def formatter_of(form: str, process: str) -> logging.Formatter:
    """Return the formatter of one of `FORMATS`."""
    return JsonFormatter(process) if form == "json" else LineFormatter(process)


class LineFormatter(logging.Formatter):
    """A line of text a record; a traceback follows it, indented.

    Args:
        process: the name of the process.
    """

    converter = staticmethod(time.gmtime)

    def __init__(self, process: str) -> None:
        super().__init__(
            "{asctime}.{msecs:03.0f}Z {levelname} " + f"{process}[{os.getpid()}] " + "{name}: {message}",
            "%Y-%m-%dT%H:%M:%S",
            style="{",
        )


class JsonFormatter(logging.Formatter):
    """A JSON object a line.

    Args:
        process: the name of the process.
    """

    converter = staticmethod(time.gmtime)

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a record."""
        seconds = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        found = {
            "time": f"{seconds}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "process": self._process,
            "pid": os.getpid(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            found["error"] = record.exc_text
        return json.dumps(found, ensure_ascii=False)
