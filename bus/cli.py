"""The command `govbus`: it finds the commands of all rooms, and holds those of this room.

Every command exits with 0 when clean, 100 on findings, 1 when the tool failed and 2 on wrong usage. A failure
is one line on stderr. A room loads when one of its commands runs, so `govbus --help` stays quick.
"""

import ast
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points, version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.errors import UsageError
from bus.known_variables import warn_of_unknown
from bus.process.log_lines import FORMATS
from bus.process.logs import set_up_logs
from bus.rooms import room_files, stranger
from contracts import (
    ContractError,
    LazyGroup,
    catalog_option,
    env_file_variables,
    said_catalog,
    say,
    unopened_catalog_option,
    visible_logger,
)

if TYPE_CHECKING:
    from bus.embedded.kafka import EmbeddedKafka
    from bus.settings import Settings
    from contracts import Catalog

COMMANDS = "govbus.commands"
TELEMETRY = "govbus.telemetry"
EXPORTING = (("connect", "run"),)
"""The commands that publish and deliver until stopped, and leave their telemetry to the frame."""
SERVING = (*EXPORTING, ("run",), ("monitor",), ("console",), ("contracts", "serve"))
"""The commands that run until stopped, and are watched by their log."""

FAILED = 1
INTERRUPTED = 130
LOOK_SECONDS = 0.5


class Rooms(LazyGroup):
    """The commands that installed packages bring through the entry-point group `govbus.commands`."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all commands, in order."""
        return sorted(entry_points(group=COMMANDS).names)

    def get_command(self, _context: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command.

        Raises:
            click.ClickException: Its module does not load, or holds something else under that name.
        """
        for point in entry_points(group=COMMANDS, name=cmd_name):
            try:
                command = point.load()
            except (ImportError, AttributeError) as error:
                msg = f"`govbus {cmd_name}` does not load - {error} - reinstall the package that brings it"
                raise click.ClickException(msg) from error
            if isinstance(command, click.Command):
                return command
            msg = f"`govbus {cmd_name}` does not run - {point.value} is no click command - mend its package"
            raise click.ClickException(msg)
        return None

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the first line of its docstring, read without loading its module."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(point.name, summary(point)) for point in sorted(entry_points(group=COMMANDS))]
            )


def summary(point: EntryPoint) -> str:
    """Return the first line of the docstring of what an entry point names, or nothing when it has none."""
    path, finder = None, None
    for part in _lineage(point.module):
        finder = PathFinder.find_spec(part, path)
        if finder is None:
            return ""
        path = finder.submodule_search_locations
    if finder is None or finder.origin is None:
        return ""
    for node in ast.parse(Path(finder.origin).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == point.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _lineage(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _set_level(_context: click.Context, _option: click.Parameter, count: int) -> None:
    if count:
        os.environ["GOVBUS_LOG"] = "INFO" if count == 1 else "DEBUG"


def _set_format(_context: click.Context, _option: click.Parameter, form: str | None) -> None:
    if form:
        os.environ["GOVBUS_LOG_FORMAT"] = form


@click.group(cls=Rooms, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("govbus"), prog_name="govbus")
@click.option(
    "-v", "verbose", count=True, expose_value=False, callback=_set_level,
    help="Log what is done, as GOVBUS_LOG=INFO; -vv as GOVBUS_LOG=DEBUG.",
)  # fmt: skip
@click.option(
    "--log-format", type=click.Choice(FORMATS), expose_value=False, callback=_set_format,
    help="Log lines of text, or each an object in JSON; as GOVBUS_LOG_FORMAT.",
)  # fmt: skip
def govbus() -> None:
    """An event bus for governments: contracts, delivery and account over Apache Kafka."""


def _take_options(arguments: list[str]) -> list[str]:
    """Let the options before the command hold for the logs, which begin before it; return the rest."""
    parser = govbus.make_parser(context := click.Context(govbus, ignore_unknown_options=True))
    parser.allow_interspersed_args = False
    found, rest, _ = parser.parse_args(list(arguments))
    if rest[:1] and not rest[0].startswith("-") and not {"help", "version"} & found.keys():
        for option in govbus.get_params(context):
            option.handle_parse_result(context, found, [])
        return rest
    return arguments


def main() -> None:
    """Run the command line of this process and exit."""
    arguments = sys.argv[1:]
    with suppress(click.UsageError):  # which the command line itself reports
        arguments = _take_options(arguments)
    serving = _is_one_of(SERVING, arguments)
    try:
        for name, value in env_file_variables().items():
            os.environ.setdefault(name, value)
        set_up_logs(process_name(arguments), serving=serving)
    except (UsageError, ContractError) as error:
        sys.exit(_failed(str(error)))
    warn_of_unknown()
    sys.exit(run(arguments))


def process_name(arguments: Sequence[str]) -> str:
    """Return what the process of a command line is called in its log."""
    return f"govbus-{arguments[0]}" if _is_one_of((*SERVING, ("demo",)), arguments) else "govbus"


def _is_one_of(commands: tuple[tuple[str, ...], ...], arguments: Sequence[str]) -> bool:
    return any(tuple(arguments[: len(names)]) == names for names in commands)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code.

    Args:
        arguments: What follows `govbus` on the line.
    """
    if fault := stranger(room_files()):
        return _failed(fault)
    try:
        with _telemetry(arguments):
            code = govbus.main(arguments, prog_name="govbus", standalone_mode=False)
    except click.UsageError as error:
        error.show(said := StringIO())
        say(*said.getvalue().rstrip("\n").split("\n"), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _failed(error.format_message(), arguments)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away; without this Python complains once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if os.environ.get("GOVBUS_TRACEBACK"):
            raise
        return _failed(_sentence(error), arguments)
    return code if isinstance(code, int) else 0


def _telemetry(arguments: list[str]) -> ExitStack:
    """Set up what the environment asks to export; without such a variable the SDK isn't even loaded."""
    asked = any(name.startswith("OTEL_") and "_EXPORTER" in name for name in os.environ)
    with ExitStack() as stack:
        if asked and _is_one_of(EXPORTING, arguments) and not {"-h", "--help"} & set(arguments):
            for point in entry_points(group=TELEMETRY):
                stack.enter_context(point.load()(f"govbus-{arguments[0]}"))
        return stack.pop_all()


def _failed(sentence: str, arguments: Sequence[str] = ()) -> int:
    if _is_one_of(SERVING, arguments):  # it is looked for in the log, by its time
        visible_logger("govbus").error("%s", sentence)
    else:
        say(f"error: {sentence}", err=True)
    return FAILED


def _sentence(error: Exception) -> str:
    if hasattr(error, "retriable") or isinstance(error, OSError):
        return str(error)
    # An error that nobody foresaw may quote somebody's data.
    return f"internal fault - {type(error).__name__} - set GOVBUS_TRACEBACK=1 to see where, and report it"


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Keep events in this folder.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Listen on this port instead of a free one.")
@click.option("--nodes", type=click.IntRange(1, 9), default=1, help="Number of nodes in the cluster.")
@click.option(
    "--sasl",
    is_flag=False,
    flag_value="secrets",
    metavar="[DIR]",
    type=click.Path(path_type=Path, file_okay=False),
    help="Require SCRAM-SHA-512, deny what no ACL allows, make a user for each agency, and write its "
    "variables to a file in this folder, `secrets` if none is named.",
)
@click.option(
    "--tls",
    type=click.Path(path_type=Path, file_okay=False),
    help="Encrypt, deny what no ACL allows, and write a certificate for each agency to this folder.",
)
@unopened_catalog_option
@click.option("--no-topics", is_flag=True, help="Do not create the catalogue's topics.")
def up(
    *,
    data: Path | None,
    port: int | None,
    nodes: int,
    sasl: Path | None,
    tls: Path | None,
    catalog: str | None,
    no_topics: bool,
) -> None:
    """Run an Apache Kafka for development until stopped."""
    from bus.embedded.kafka import EmbeddedKafka  # noqa: PLC0415 - keeps `govbus --help` quick
    from contracts import Catalog  # noqa: PLC0415

    needed = not no_topics or tls is not None or sasl is not None
    root = said_catalog(catalog) if needed else None
    found = Catalog.open(root) if root else None
    say("starting Apache Kafka", err=True)
    with EmbeddedKafka(data, nodes=nodes, port=port, sasl=sasl is not None, tls=tls) as kafka:
        wait = _until_stopped(kafka)
        environment = kafka.environment()
        if found and not no_topics:
            _apply(environment, found)
        if root and found and not no_topics and kafka.admin_username:
            _grant(environment, found, root)
        if found and tls is not None:
            _issue(kafka, found)
        steps = _OPEN_STEPS
        users = sasl.absolute() if sasl is not None else None
        if found and users is not None:
            environment = _make_users(users, found, environment)
            steps = _USERS_STEPS
        for name, value in environment.items():
            say(f"{name}={value}")
        kept = f"kept in {data}" if data else "gone when it stops; `--data DIR` keeps them"
        logs = ", ".join(str(file) for file in kafka.log_files)
        said = {
            "servers": kafka.bootstrap_servers,
            "folder": sasl and sasl.absolute(),
            "log": logs,
            "kept": kept,
        }
        say(*(line.format(**said) for line in (steps + _LAST_STEPS).split("\n")))
        wait()


def _grant(variables: dict[str, str], catalog: "Catalog", root: Path) -> None:
    """Give every agency the rights that the catalogue grants: what none grants is denied here."""
    from bus.cluster.rollout import Author, Rollout  # noqa: PLC0415 - keeps `govbus --help` quick

    say("giving the rights that the catalogue grants", err=True)
    rollout = Rollout(root, settings=_settings(variables), catalog=catalog)
    plan = asyncio.run(rollout.apply(datetime.now(UTC).date(), Author("govbus up")))
    if plan.refusals:
        say(
            f"note: {len(plan.refusals)} changes need your word, so no right was given - "
            "`govbus contracts plan` shows them",
            err=True,
        )


def _make_users(folder: Path, catalog: "Catalog", variables: dict[str, str]) -> dict[str, str]:
    """Write a file of variables for each agency, the monitor and the administrator; return what names it."""
    from bus.cluster.desired import MONITOR  # noqa: PLC0415 - keeps `govbus --help` quick
    from bus.cluster.users import make_users, write_variables  # noqa: PLC0415

    own = ("GOVBUS_SASL_USERNAME", "GOVBUS_SASL_PASSWORD", "GOVBUS_SSL_CERTFILE", "GOVBUS_SSL_KEYFILE")
    shared = {name: value for name, value in variables.items() if name not in own}
    asyncio.run(make_users(_settings(variables), folder, (*catalog.agencies, MONITOR), shared))
    write_variables(folder / "admin.env", variables)
    return {
        "GOVBUS_BOOTSTRAP_SERVERS": variables["GOVBUS_BOOTSTRAP_SERVERS"],
        "GOVBUS_ENV_FILE": str(folder / "admin.env"),
    }


def _issue(kafka: "EmbeddedKafka", catalog: "Catalog") -> None:
    from bus.cluster.desired import MONITOR  # noqa: PLC0415 - keeps `govbus --help` quick

    for name in (*catalog.agencies, MONITOR):
        kafka.certificate(name)


_OPEN_STEPS = """
Next, in the terminal of each agency, set the above:
  export GOVBUS_BOOTSTRAP_SERVERS={servers}
Then start its program, or `govbus connect run FILE`, `govbus monitor` and
`govbus console`.
"""
_USERS_STEPS = """
Next, in the terminal of each agency, name its file instead:
  export GOVBUS_ENV_FILE={folder}/AGENCY.env
Then start its program, or `govbus connect run FILE`, and with
govbus-monitor.env `govbus monitor`. The files are readable by you alone.
"""
_LAST_STEPS = """
Events: {kept}.
Log: {log}
Ctrl-C stops it."""


def _until_stopped(kafka: "EmbeddedKafka") -> Callable[[], None]:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())

    def wait() -> None:
        # A cluster goes on without one of its nodes, as its user may want to see.
        while not stopped.wait(LOOK_SECONDS):
            if not any(kafka.pids):
                msg = f"Apache Kafka stopped by itself - see {kafka.log_files[0]} - start it again"
                raise click.ClickException(msg)
        say("stopping Apache Kafka", err=True)

    return wait


@click.group()
def topics() -> None:
    """Create the topics of a catalogue."""


@topics.command("apply")
@catalog_option
def apply_command(root: Path) -> None:
    """Create every topic that the catalogue needs and the cluster lacks."""
    from contracts import Catalog  # noqa: PLC0415 - keeps `govbus --help` quick

    for topic in _apply({}, Catalog.open(root)):
        say(f"created {topic}")
    say("every topic of the catalogue exists")


def _apply(variables: dict[str, str], catalog: "Catalog") -> list[str]:
    from bus import apply_topics  # noqa: PLC0415 - keeps `govbus --help` quick

    return asyncio.run(apply_topics(_settings(variables), catalog))


def _settings(variables: dict[str, str]) -> "Settings":
    """Return the settings of this process, with these variables instead of its own."""
    from bus.settings import Settings  # noqa: PLC0415 - keeps `govbus --help` quick

    named = {name.removeprefix("GOVBUS_").lower(): value for name, value in variables.items()}
    return Settings.model_validate({**Settings().model_dump(), **named})
