"""One command, four exit codes, one line when it fails."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import EntryPoint
from io import StringIO
from multiprocessing import get_context
from pathlib import Path

import click
import pytest

from bus import cli
from bus.errors import BusUnavailableError
from bus.rooms import ROOMS, room_files, stranger

FINDINGS = 100


def _brought(monkeypatch: pytest.MonkeyPatch, body: object) -> None:
    """Make `govbus tried` the given command."""
    point = EntryPoint("tried", "somewhere:command", cli.COMMANDS)
    monkeypatch.setattr(cli, "entry_points", lambda **_asked: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda _point: body)


def _failing(error: Exception) -> click.Command:
    @click.command()
    def tried() -> None:
        """Fail."""
        raise error

    return tried


def test_a_clean_command_exits_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it returns."""
    _brought(monkeypatch, click.Command("tried", callback=lambda: "done"))
    assert cli.run(["tried"]) == 0


def test_findings_exit_with_100(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command says so through click's context."""
    _brought(monkeypatch, click.Command("tried", callback=lambda: click.get_current_context().exit(FINDINGS)))
    assert cli.run(["tried"]) == FINDINGS


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["up", "--no-such-option"], ["up", "--port", "x"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Click says what was wrong, on stderr."""
    assert cli.run(arguments) == 2
    assert "Error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            BusUnavailableError("no broker - nobody answered - start one"),
            "no broker - nobody answered - start one",
        ),
        (click.ClickException("no file - it is gone - name another"), "no file - it is gone - name another"),
        (FileNotFoundError("no such file"), "no such file"),
        (
            KeyError("Ada Lovelace"),
            "internal fault - KeyError - set GOVBUS_TRACEBACK=1 to see where, and report it",
        ),
    ],
)
def test_a_failure_is_one_line_and_exits_with_1(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, and nothing of an unforeseen error's text: it may be somebody's data."""
    monkeypatch.delenv("GOVBUS_TRACEBACK", raising=False)
    _brought(monkeypatch, _failing(error))
    assert cli.run(["tried"]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"error: {line}\n"
    assert captured.out == ""


def test_the_traceback_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """`GOVBUS_TRACEBACK` is for whoever mends the fault."""
    monkeypatch.setenv("GOVBUS_TRACEBACK", "1")
    _brought(monkeypatch, _failing(KeyError("x")))
    with pytest.raises(KeyError):
        cli.run(["tried"])


def test_a_command_that_does_not_load_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken package of somebody else does not look like a fault of the bus."""
    point = EntryPoint("tried", "no_such_module:command", cli.COMMANDS)
    monkeypatch.setattr(cli, "entry_points", lambda **_asked: [point])
    assert cli.run(["tried"]) == 1
    expected = (
        "error: `govbus tried` does not load - No module named 'no_such_module'"
        " - reinstall the package that brings it\n"
    )
    assert capsys.readouterr().err == expected


def test_what_is_no_command_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An entry point to something else is refused before it runs."""
    _brought(monkeypatch, "a string")
    assert cli.run(["tried"]) == 1
    assert "somewhere:command is no click command" in capsys.readouterr().err


def test_help_reads_the_first_lines_without_loading(capsys: pytest.CaptureFixture[str]) -> None:
    """A module's docstrings are read from its source."""
    assert cli.run(["--help"]) == 0
    assert "Run an Apache Kafka for development until stopped." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bus.cli:up", "Run an Apache Kafka for development until stopped."),
        ("bus.cli:nothing", ""),
        ("bus.no_such_module:up", ""),
        ("no_such_package.cli:up", ""),
        ("sys:up", ""),
    ],
)
def test_a_summary_is_the_first_line_of_the_docstring(value: str, expected: str) -> None:
    """Where there is none the help has none, and nothing fails."""
    assert cli.summary(EntryPoint("tried", value, cli.COMMANDS)) == expected


def test_help_is_quick() -> None:
    """It loads none of the rooms that it lists."""
    program = (
        "import sys; from bus.cli import run; run(['--help']);"
        "print([name for name in ('connectors', 'observability') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def _telemetry(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what the frame asks of whoever sets up telemetry, and in which order the command runs."""
    noted: list[str] = []

    @contextmanager
    def set_up(service_name: str) -> Iterator[None]:
        noted.append(service_name)
        yield
        noted.append("shut down")

    @click.command()
    def run() -> None:
        """Run."""
        noted.append("ran")

    loaded = {cli.COMMANDS: click.Group("connect", [run]), cli.TELEMETRY: set_up}
    point = EntryPoint("connect", "somewhere:something", "")
    monkeypatch.setattr(
        cli, "entry_points", lambda group, **_named: [EntryPoint(point.name, point.value, group)]
    )
    monkeypatch.setattr(EntryPoint, "load", lambda found: loaded[found.group])
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    return noted


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("OTEL_TRACES_EXPORTER", ["govbus-connect", "ran", "shut down"]),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ["govbus-connect", "ran", "shut down"]),
        ("OTEL_SERVICE_NAME", ["ran"]),
        ("GOVBUS_LOG", ["ran"]),
    ],
)
def test_telemetry_is_set_up_where_the_environment_asks_for_an_export(
    variable: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Around the command, so that the last batch leaves; without a wish nothing loads."""
    noted = _telemetry(monkeypatch)
    monkeypatch.setenv(variable, "something")
    assert cli.run(["connect", "run"]) == 0
    assert noted == expected


def test_help_sets_nothing_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does a command that ends by itself."""
    noted = _telemetry(monkeypatch)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    assert cli.run(["connect", "run", "--help"]) == 0
    assert noted == []


def test_the_four_rooms_are_ours() -> None:
    """They load from one parent here."""
    assert tuple(room_files()) == ROOMS
    assert stranger(room_files()) is None


def test_a_room_from_elsewhere_is_named() -> None:
    """Another distribution's `contracts` is noticed before it is used."""
    files = {**room_files(), "contracts": "/elsewhere/contracts/__init__.py"}
    fault = stranger(files)
    assert fault is not None
    assert fault.startswith(
        "the package `contracts` loads from /elsewhere/contracts/__init__.py, but govbus from"
    )


def test_a_room_without_a_file_is_named() -> None:
    """A stray folder of the same name is a package without a file."""
    fault = stranger({**room_files(), "connectors": None})
    assert fault is not None
    assert fault.startswith("the package `connectors` has no file of its own")


def _ran(program: str, folder: Path, *options: str, **variables: str) -> str:
    """Return what a program that fails says, run in a folder."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_that_hides_a_room_is_named_by_the_command(room: str, tmp_path: Path) -> None:
    """Where `PYTHONPATH` leads to it, and where a program beside it is run."""
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text("")
    (tmp_path / "program.py").write_text("from bus import Bus")
    named = f"the package `{room}` loads from {tmp_path / room}"
    called = "import sys; sys.argv = ['govbus', *sys.argv[1:]]; from govbus import main; main()"
    assert _ran(called, tmp_path, PYTHONPATH=str(tmp_path)).startswith(f"error: {named}")
    # The installed command does not look in its folder by itself: -P.
    runs = called.replace("*sys.argv[1:]", "'run', 'program:bus'")
    assert named in _ran(runs, tmp_path, "-P")


def test_a_folder_that_hides_a_room_is_named_to_a_program(tmp_path: Path) -> None:
    """Beside a folder `contracts` no bus can be imported; the error says why."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "__init__.py").write_text("")
    said = _ran("from bus import Bus", tmp_path)
    assert said.splitlines()[-1].startswith(
        f"ImportError: the package `contracts` loads from {tmp_path / 'contracts'}"
    )


def test_the_command_refuses_to_start_with_a_stranger(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with one line before any command runs."""
    monkeypatch.setattr(cli, "room_files", lambda: {**room_files(), "observability": None})
    assert cli.run(["--help"]) == 1
    assert capsys.readouterr().err.startswith("error: the package `observability` has no file of its own")


def _commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command, at every level, with the words that lead to it."""
    waiting: list[tuple[tuple[str, ...], click.Command]] = [((), cli.govbus)]
    while waiting:
        path, command = waiting.pop()
        yield path, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            found = {name: command.get_command(context, name) for name in command.list_commands(context)}
            waiting += [((*path, name), each) for name, each in found.items() if each is not None]


def _said(*arguments: str) -> tuple[int, str]:
    """Return the exit code of a command line, and what it says."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        code = cli.run([*arguments])
    return code, out.getvalue()


def _answers() -> list[tuple[tuple[str, ...], str | None, list[tuple[int, str]]]]:
    """Return of every command its words, one of its own commands, and what is said to `-h` and two slips."""
    found = []
    for path, command in _commands():
        slips = [["-h"], ["--hepl"]]
        name = None
        if isinstance(command, click.Group):
            name = command.list_commands(click.Context(command))[0]
            slips.append([f"{name}x"])
        found.append((path, name, [_said(*path, *slip) for slip in slips]))
    return found


def test_every_command_answers_h_and_says_what_may_be_meant() -> None:
    """Of commands and of options, at every level.

    In a process of its own: click keeps the help option of a command's first use, which in another test may
    have been without `govbus` above it.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        answers = fresh.submit(_answers).result()
    for path, name, said in answers:
        assert [code for code, _ in said] == [0, 2, 2][: len(said)]
        assert f"Usage: govbus {' '.join(path)}".strip() in said[0][1]
        assert "'--help'" in said[1][1]
        if name is not None:
            assert f"'{name}'" in said[2][1].partition("Did you mean")[2]
    assert len(answers) > 60


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("govbus repl", "replay"), ("govbus contracts prov", "prove"),
        ("govbus tail health.record-o", "health.record-opened"), ("govbus tail --agency hea", "health"),
        ("govbus deadletters list --sta", "--state"),
    ],
)  # fmt: skip
def test_a_shell_completes_commands_options_and_names(
    line: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Click asks for it by a variable; names come from the catalogue."""
    monkeypatch.setenv("_GOVBUS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    monkeypatch.setenv("GOVBUS_CATALOG", "reference")
    with pytest.raises(SystemExit):
        cli.run([])
    captured = capsys.readouterr()
    assert captured.out == f"plain,{expected}\n"
    assert captured.err == ""
