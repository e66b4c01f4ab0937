"""What the commands log: one line a record, with time, level, process and logger, on stderr; JSON on request.

    2026-11-30T20:47:31.093Z WARNING govbus-monitor[17] govbus.outage: kafka: back after 41 s

`GOVBUS_LOG` names the level, and shows what the Kafka client says too; `GOVBUS_LOG_FORMAT=json` writes an
object a line. A program of an agency's own sets up its logging itself.
"""

import json
import logging
import os
import time
from collections.abc import Callable

from bus.errors import UsageError
from contracts import VisibleFilter

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("text", "json")
SELDOM_SECONDS = 600.0


def set_up_logs(process: str, *, serving: bool) -> None:
    """Log to stderr in the one format.

    Args:
        process: what the process is called in its lines; `OTEL_SERVICE_NAME` if that is set.
        serving: whether it runs until it is stopped, and so says what it does; others only warn.

    Raises:
        UsageError: `GOVBUS_LOG` or `GOVBUS_LOG_FORMAT` is none of those that there are.
    """
    level = _choice("GOVBUS_LOG", LEVELS, "INFO" if serving else "WARNING")
    name = os.environ.get("OTEL_SERVICE_NAME") or process
    as_json = _choice("GOVBUS_LOG_FORMAT", FORMATS, "text") == "json"
    handler = logging.StreamHandler()
    handler.addFilter(SeldomFilter())
    handler.addFilter(VisibleFilter())  # for what other libraries log
    handler.setFormatter(JsonFormatter(name) if as_json else LineFormatter(name))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # What the Kafka client says of an outage the bus says once itself.
    logging.getLogger("aiokafka").setLevel(level if "GOVBUS_LOG" in os.environ else logging.CRITICAL)


def _choice(variable: str, known: tuple[str, ...], default: str) -> str:
    found = os.environ.get(variable) or default
    for one in known:
        if found.lower() == one.lower():
            return one
    raise UsageError(f"Expected one of {', '.join(known)}, got another - at {variable}")


class SeldomFilter(logging.Filter):
    """Passes what OpenTelemetry says over and over, such as of a collector that is away, once in a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is news."""
        if not record.name.startswith("opentelemetry."):
            return True
        now, key = self._clock(), (record.name, str(record.msg))
        if self._until.get(key, now) > now:
            return False
        self._until[key] = now + SELDOM_SECONDS
        return True


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
