"""What the commands log: one line a record, with time, level, process and logger, on stderr; JSON on request.

    2026-11-30T20:47:31.093Z WARNING govbus-monitor[17] govbus.outage: kafka: back after 41 s

`GOVBUS_LOG` names the level; at `DEBUG` it shows what the Kafka client says, too. `GOVBUS_LOG_FORMAT=json`
writes an object a line. Where one of them is set, a program of an agency's own logs so too, unless it has set
up its logging itself.
"""

import logging
import os
import time
from collections.abc import Callable

from bus.errors import UsageError
from bus.process.log_lines import FORMATS, formatter_of
from contracts import VisibleFilter

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
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
    form = _choice("GOVBUS_LOG_FORMAT", FORMATS, "text")
    handler = logging.StreamHandler()
    handler.addFilter(SeldomFilter())
    handler.addFilter(VisibleFilter())  # for what other libraries log
    handler.setFormatter(formatter_of(form, name))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # What the Kafka client says of an outage the bus says once itself.
    logging.getLogger("aiokafka").setLevel(level if level == "DEBUG" else logging.CRITICAL)


def set_up_asked_logs(process: str) -> None:
    """Log in the one format where the environment asks for it, and the program has no logging of its own.

    Args:
        process: what the process is called in its lines.

    Raises:
        UsageError: `GOVBUS_LOG` or `GOVBUS_LOG_FORMAT` is none of those that there are.
    """
    asked = os.environ.get("GOVBUS_LOG") or os.environ.get("GOVBUS_LOG_FORMAT")
    if asked and not logging.getLogger().handlers:
        set_up_logs(process, serving=True)


def _choice(variable: str, known: tuple[str, ...], default: str) -> str:
    found = os.environ.get(variable) or default
    for one in known:
        if found.lower() == one.lower():
            return one
    raise UsageError(f"Expected one of {', '.join(known)}, got another - at {variable}")


class SeldomFilter(logging.Filter):
    """Passes what a client says over and over, of a collector or a broker that is away, once in a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is news."""
        if not record.name.startswith(("opentelemetry.", "aiokafka.")) or record.levelno == logging.DEBUG:
            return True
        now, key = self._clock(), (record.name, str(record.msg))
        if self._until.get(key, now) > now:
            return False
        self._until[key] = now + SELDOM_SECONDS
        return True
