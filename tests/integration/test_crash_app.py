"""The crash kit on an agency's own program: a newcomer's is kept, one that breaks its promises is caught."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bus import UsageError
from bus.cli import run
from bus.crash import progress
from bus.crash.app_trial import AgencyApp
from bus.crash.report import total
from bus.crash.verdict import CrashVerdict
from tests.small_catalog import SmallCountry, case

README = Path(__file__).parents[2] / "bus" / "README.md"
NAMED = re.compile(r"^```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^\$ govbus (?P<line>check --crash --app .*)$", re.MULTILINE)

PROGRAM = """
import os
from bus import Bus, Event, RetryPolicy

bus = Bus({agency!r})

@bus.subscribe(
    {subject!r}, version=1, purpose="close-cases", name="count", retry=RetryPolicy((0.1,), jitter=0)
)
async def count(event: Event) -> None:
    {does}
"""
COMMITS_AHEAD = """
import sys
from bus.deliver.offsets import OffsetTracker

if "pytest" not in sys.modules:  # only in the process under the fault
    take = OffsetTracker.take
    OffsetTracker.take = lambda self: {place: offset + 3 for place, offset in take(self).items()}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder of one's own, as a newcomer is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("GOVBUS_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("GOVBUS_CATALOG", "reference")  # as the page says


def written(country: SmallCountry, name: str, does: str = "pass", more: str = "") -> AgencyApp:
    """Write a program of the south, and events of the north; return it ready for a trial."""
    program = PROGRAM.format(agency=country.south, subject=country.opened, does=does)
    Path(f"{name}.py").write_text(program + more)
    lines = [{"subject": country.opened, "data": case(n), "key": f"k{n % 7}"} for n in range(50)]
    Path("events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return AgencyApp(f"{name}:bus", events=Path("events.jsonl"), count=240)


@pytest.fixture
def country(country: SmallCountry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallCountry:
    """The small country, where the environment names its catalogue."""
    monkeypatch.setenv("GOVBUS_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setattr(progress, "QUIET_SECONDS", 2.0)
    return country


def verdict_of(app: AgencyApp, fault: str) -> CrashVerdict:
    """Return the verdict on one run."""
    return total([one.verdict for one in asyncio.run(app.run(fault, seed=1))])


def test_what_the_readme_shows_a_newcomer_works(tmp_path: Path) -> None:
    """Its files, written down as they are, pass under pytest; its command exits with 0."""
    readme = README.read_text("utf-8")
    for found in NAMED.finditer(readme):
        (tmp_path / found["name"]).write_text(found["text"])
    assert {"health_bus.py", "conftest.py", "test_health.py"} <= {path.name for path in tmp_path.iterdir()}
    ran = done([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"])
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout
    (line,) = SHOWN.findall(readme)
    assert line == 'check --crash --app health_bus:bus --point "kill after-handler"'


def done(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command here to its end."""
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_without_a_program_a_sample_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Under the guarantee that was chosen, whatever catalogue and registry the environment names."""
    line = [
        "check",
        "--crash",
        "--guarantee",
        "exactly-once",
        "--count",
        "240",
        "--point",
        "kill after-sends",
    ]
    assert run(line) == 0
    assert re.search(
        r"^kill after-sends +exactly-once +1 +240 +0 +0 +0 ", capsys.readouterr().out, re.MULTILINE
    )


def test_a_program_that_commits_ahead_of_its_work_is_caught(country: SmallCountry) -> None:
    """What it had not handled when it was killed never comes again: three events of each partition."""
    verdict = verdict_of(written(country, "ahead", more=COMMITS_AHEAD), "kill after-commit")
    assert (verdict.accepted, verdict.lost, verdict.broken) == (240, 9, True)
    # `govbus reconcile` finds them on its own, each with its place.
    told = f"{country.south}/count at {country.topic}/"
    read_past = [one for one in verdict.differences if one.startswith(told) and "read past" in one]
    assert len(read_past) == 9, verdict.differences


@pytest.mark.sampled(0)
def test_what_a_handler_refuses_is_told_apart_from_a_loss(
    country: SmallCountry, capsys: pytest.CaptureFixture[str]
) -> None:
    """One event is a dead letter, the others of its key wait behind it; no promise is broken: 0."""
    written(country, "refusing", 'assert event.key != "k3"')
    assert checked("refusing", "kill after-handler") == 0
    (found,) = [json.loads(line) for line in Path("runs.jsonl").read_text().splitlines()]
    waiting = len([n for n in range(240) if n % 50 % 7 == 3]) - 1
    assert (found["accepted"], found["dead_letters"], found["waiting"]) == (240, 1, waiting)
    assert "for example in a database, is not checked" in capsys.readouterr().out


@pytest.mark.sampled(0)
def test_a_process_that_ends_by_itself_is_a_finding(
    country: SmallCountry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last lines are shown, its logs are kept, and the exit code is 100."""
    written(country, "ending", 'event.offset == 0 and (print("out of paper", flush=True), os._exit(3))')
    assert checked("ending", "kill after-commit") == 100
    output = capsys.readouterr().err
    assert "A PROCESS ENDED" in output
    assert "catalogue: " in output
    assert "ended by itself with 3\nout of paper" in output
    (found,) = [json.loads(line) for line in Path("runs.jsonl").read_text().splitlines()]
    assert "out of paper" in (Path(found["logs"]) / "one.log").read_text()


def checked(name: str, fault: str) -> int:
    """Run the command and return its exit code."""
    said = f"--app {name}:bus --events events.jsonl --count 240 --json runs.jsonl --point"
    return run(["check", "--crash", *said.split(), fault])


def test_a_bus_with_servers_of_its_own_does_not_run(country: SmallCountry) -> None:
    """A crash run must not reach the real cluster."""
    Path("own.py").write_text(
        "from bus import Bus, Settings\n"
        f'bus = Bus("{country.south}", settings=Settings(bootstrap_servers="kafka.example:9092"))\n'
    )
    ran = done([sys.executable, "-m", "bus.crash.program", "own:bus"])
    assert ran.returncode == 1
    assert "must not reach the real cluster" in ran.stderr


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import nothing_of_this_name", "can be imported"),
        ("bus = 1", "names a bus"),
        ("from bus import Bus\nbus = Bus('health')", "with subscriptions"),
    ],
)
def test_what_is_no_program_is_refused_at_once(
    program: str, message: str, request: pytest.FixtureRequest
) -> None:
    """Before a broker is started."""
    name = f"useless_{request.node.callspec.indices['program']}"
    Path(f"{name}.py").write_text(program)
    with pytest.raises(UsageError, match=message):
        AgencyApp(f"{name}:bus")


def test_a_contract_without_examples_asks_for_events(country: SmallCountry) -> None:
    """The message names the folder and the option."""
    written(country, "empty")
    with pytest.raises(UsageError, match="--events FILE"):
        AgencyApp("empty:bus")


def test_a_line_that_is_no_event_is_named(country: SmallCountry) -> None:
    """File and line, no data."""
    written(country, "wrong")
    Path("wrong.jsonl").write_text('{"subject": "a.b", "data": 1}\n{"data": 2}\n')
    with pytest.raises(UsageError, match=r"wrong\.jsonl:2"):
        AgencyApp("wrong:bus", events=Path("wrong.jsonl"))


def test_a_fault_that_cannot_happen_to_a_program_is_left_out(country: SmallCountry) -> None:
    """Transactions are for subscriptions that have them."""
    app = written(country, "least")
    assert "exactly-once" in app.why_not("kill after-sends")
    assert app.why_not("kill after-receipts") == ""
    assert "known are" in app.why_not("kill nobody")
