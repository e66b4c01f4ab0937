"""Every command logs in one format."""

import json
import logging
import re
import subprocess
import sys

import pytest

from bus.cli import process_name
from bus.errors import UsageError
from bus.process.log_lines import JsonFormatter, LineFormatter
from bus.process.logs import SeldomFilter, set_up_logs

PROGRAM = """
import logging, warnings
from bus.process.logs import set_up_logs
set_up_logs("govbus-monitor", serving={serving})
logging.getLogger("govbus.monitor").info("reading")
logging.getLogger("govbus.monitor").warning("a\\nb %s", "c\\x1b[31m")
logging.getLogger("aiokafka.conn").error("Unable connect to node")
warnings.warn("old")
try:
    raise ValueError("x")
except ValueError:
    logging.getLogger("uvicorn.error").exception("failed")
"""
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) govbus-monitor\[\d+\] ([\w.]+): (.*)")


def said(*, serving: bool, **environment: str) -> list[str]:
    """Return the lines that a program with such logs writes to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(serving=serving)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr.splitlines()


def test_a_line_has_time_level_process_and_logger() -> None:
    """No value ends a line; what other libraries log, warnings and tracebacks have the same form."""
    lines = said(serving=True)
    found = [match.groups() for line in lines if (match := LINE.fullmatch(line))]
    assert found[0] == ("INFO", "govbus.monitor", "reading")
    assert found[1] == ("WARNING", "govbus.monitor", r"a\nb c\x1b[31m")
    assert ("ERROR", "uvicorn.error", "failed") in found
    assert "py.warnings" in {name for _, name, _ in found}
    assert "aiokafka.conn" not in {name for _, name, _ in found}
    assert all(LINE.fullmatch(line) or line.startswith("  ") for line in lines)


def test_a_command_that_ends_by_itself_only_warns() -> None:
    """Its output is its own; `GOVBUS_LOG` shows more, the Kafka client's lines too."""
    assert not any("reading" in line for line in said(serving=False))
    lines = said(serving=False, GOVBUS_LOG="debug")
    assert any("reading" in line for line in lines)
    assert any("Unable connect" in line for line in lines)


def test_json_is_an_object_a_line() -> None:
    """For a store of logs; the service's own name stands for the process."""
    lines = [
        json.loads(line)
        for line in said(serving=True, GOVBUS_LOG_FORMAT="json", OTEL_SERVICE_NAME="govbus-tax")
    ]
    assert {"time", "level", "process", "pid", "logger", "message"} <= set(lines[0])
    assert {line["process"] for line in lines} == {"govbus-tax"}
    assert "ValueError" in lines[-1]["error"]


@pytest.mark.parametrize("variable", ["GOVBUS_LOG", "GOVBUS_LOG_FORMAT"])
def test_a_level_or_format_that_does_not_exist_is_named(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error is no silence."""
    monkeypatch.setenv(variable, "loud")
    with pytest.raises(UsageError, match=f"{variable}$"):
        set_up_logs("govbus", serving=True)


def test_a_moment_is_the_same_in_both_forms() -> None:
    """UTC to the millisecond."""
    record = logging.makeLogRecord({"created": 0.5, "msecs": 500.0, "msg": "x", "levelname": "INFO"})
    assert LineFormatter("p").format(record).startswith("1970-01-01T00:00:00.500Z INFO p[")
    assert json.loads(JsonFormatter("p").format(record))["time"] == "1970-01-01T00:00:00.500Z"


def test_a_collector_that_is_away_is_said_seldom() -> None:
    """The exporter says it every few seconds; whatever the house says passes."""
    now = [0.0]
    seldom = SeldomFilter(lambda: now[0])
    lost = logging.makeLogRecord({"name": "opentelemetry.sdk.metrics", "msg": "Failed to export %s"})
    ours = logging.makeLogRecord({"name": "govbus.outage", "msg": "away"})
    passed = []
    for now[0] in (0.0, 10.0, 599.0, 601.0, 611.0):
        passed.append((seldom.filter(lost), seldom.filter(ours)))
    assert [one for one, _ in passed] == [True, False, False, True, False]
    assert all(other for _, other in passed)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["monitor", "--metrics-port", "9464"], "govbus-monitor"),
        (["contracts", "serve"], "govbus-contracts"),
        (["connect", "run"], "govbus-connect"),
        (["demo", "--duration", "3"], "govbus-demo"),
        (["connect", "list"], "govbus"),
        ([], "govbus"),
    ],
)
def test_what_runs_until_stopped_is_named_in_its_log(arguments: list[str], expected: str) -> None:
    """So the lines of several processes can be told apart."""
    assert process_name(arguments) == expected


def test_a_program_logs_so_where_it_is_asked_to() -> None:
    """By the same variables as a command, unless it has set up logs of its own."""
    program = (
        "import logging, sys; from bus.process.logs import set_up_asked_logs; {own}\n"
        "set_up_asked_logs('health'); logging.getLogger('govbus.bus').info('started')"
    )
    own = "logging.basicConfig(format='own %(message)s', level='INFO')"
    for variables, before, expected in (
        ({}, "", ""),
        ({"GOVBUS_LOG": "info"}, "", " INFO health["),
        ({"GOVBUS_LOG_FORMAT": "json"}, "", '"message": "started"'),
        ({"GOVBUS_LOG": "info"}, own, "own started"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program.format(own=before)],
            env=variables, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert expected in done.stderr
        assert bool(done.stderr) == bool(expected)


@pytest.mark.parametrize("options", [["-vv"], ["--log-format", "json"], ["-v", "-v", "--log-format=json"]])
def test_options_before_a_command_hold_for_its_logs(options: list[str]) -> None:
    """Also for those of what runs before it, and for the processes that it starts."""
    done = subprocess.run(
        [sys.executable, "-m", "bus", *options, "run", "no_module_of_this_name:bus"],
        env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    is_json = any("json" in option for option in options)
    assert done.stderr.startswith("{") is is_json
    assert "no_module_of_this_name" in done.stderr
