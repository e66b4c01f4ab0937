"""The demo's processes end with it, and the demo notices when one ends by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from connectors.demo import processes as module
from connectors.demo.guard import KEPT
from connectors.demo.options import DemoError
from connectors.demo.processes import DemoProcesses

STUBBORN = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1]).touch()
time.sleep(600)
"""


async def test_a_process_that_ignores_the_request_to_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left when the block ends."""
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    with DemoProcesses(tmp_path) as processes:
        processes.start("stubborn", "-c", STUBBORN, str(tmp_path / "ready"))
        await processes.wait_for(tmp_path / "ready")
        stubborn = processes._running["stubborn"]
    assert stubborn.returncode == -9
    assert processes._guard.returncode in (-15, -9)  # the first where it was stopped before it was ready


async def test_a_process_that_ends_by_itself_ends_the_demo(tmp_path: Path) -> None:
    """The message has its name, its last line and the logs, which are kept."""
    with DemoProcesses(tmp_path) as processes:
        processes.start("tax", "-c", "import sys; print('no ink\\n'); sys.exit(3)")
        with pytest.raises(DemoError, match=rf"tax ended with 3 - no ink - see the logs in {tmp_path}"):
            await processes.wait_for(tmp_path / "never")
    assert (tmp_path / KEPT).exists()


async def test_the_output_of_a_command_is_returned_unless_it_fails(tmp_path: Path) -> None:
    """The variables are added to those of the demo."""
    program = "import os, sys; print(os.environ['WORD']); sys.exit(os.environ['WORD'] != 'yes')"
    with DemoProcesses(tmp_path) as processes:
        assert await processes.output("-c", program, environment={"WORD": "yes"}) == b"yes\n"
        assert await processes.output("-c", program, environment={"WORD": "no"}) is None


async def test_a_process_that_is_never_ready_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait has a limit."""
    monkeypatch.setattr(module, "READY_SECONDS", 0.1)
    began = time.monotonic()
    with DemoProcesses(tmp_path) as processes, pytest.raises(DemoError, match="did not start"):
        await processes.wait_for(tmp_path / "never")
    assert time.monotonic() - began < 30
