"""The processes of one program: all stop together, and one that is killed comes back."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bus.run.workers import Workers
from bus.settings import Settings
from tests.worlds import until

PROGRAM = Path("program.py")
STARTED = Path("started")

SERVING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("stopped", flush=True), sys.exit(0)))
name = f"{os.getpid()} {os.environ.get('GOVBUS_INSTANCE')} {os.environ.get('GOVBUS_HEALTH_PORT')}"
with open("started", "a") as file:
    file.write(name + "\\n")
while True:
    time.sleep(3600)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOVBUS_INSTANCE", raising=False)
    monkeypatch.setattr("bus.run.workers.PAUSE_SECONDS", 0.01)


def workers(program: str, count: int = 2, **settings: object) -> Workers:
    """The workers of a program."""
    PROGRAM.write_text(program)
    found = Settings.model_validate({"stop_timeout_seconds": 20, **settings})
    return Workers([sys.executable, "program.py"], count, found)


async def started(count: int) -> list[list[str]]:
    """Wait until so many workers have started; return what each wrote of itself."""
    await until(lambda: len(lines()) >= count)
    return [line.split() for line in lines()]


def repaired() -> None:
    """Write the program that serves."""
    PROGRAM.write_text(SERVING)


def lines() -> list[str]:
    """What they have written."""
    return STARTED.read_text().splitlines() if STARTED.exists() else []


async def test_a_signal_stops_all_of_them() -> None:
    """Each ends by itself, as by a signal of its own; the exit code is 0."""
    running = asyncio.create_task(workers(SERVING, instance="health", health_port=8000).run())
    rows = await started(2)
    assert {(row[1], row[2]) for row in rows} == {("health-1", "8000"), ("health-2", "8001")}
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    for row in rows:
        with pytest.raises(ProcessLookupError):
            os.kill(int(row[0]), 0)


async def test_one_that_is_killed_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    """The others go on meanwhile."""
    running = asyncio.create_task(workers(SERVING).run())
    first, second = await started(2)
    os.kill(int(first[0]), signal.SIGKILL)
    rows = await started(3)
    assert rows[2][0] not in (first[0], second[0])
    os.kill(int(second[0]), 0)
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 0
    assert "was killed by signal 9, and is started again" in caplog.text


async def test_one_that_ends_by_itself_ends_all_with_its_code() -> None:
    """What it met, the others would meet too."""
    program = SERVING.replace("while True:", "if name.split()[1] == 'a-2': sys.exit(7)\nwhile True:")
    assert await workers(program, instance="a").run() == 7


async def test_one_that_does_not_stop_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    """After the limits of its own, and some more."""
    stubborn = SERVING.replace('(print("stopped", flush=True), sys.exit(0))', "None")
    found = workers(stubborn, 1)
    found._grace = 0.2
    running = asyncio.create_task(found.run())
    await started(1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert "is killed" in caplog.text


async def test_a_change_of_a_file_starts_it_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Also after it has failed, which is waited out."""
    running = asyncio.create_task(workers(SERVING, 1).run(reload=True))
    await started(1)

    def failed() -> bool:
        # The watch begins some time after the program: what is written before it is no change.
        PROGRAM.write_text("open('started', 'a').write('exit\\n'); raise SystemExit(3)")
        return "exit" in lines()

    await until(failed)
    await until(lambda: "ended with 3" in caplog.text)
    count = len(lines())
    repaired()
    await started(count + 1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
