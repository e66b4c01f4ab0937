"""The demo country, run for real: its account adds up, it can fail, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.ports import held_port

LIMIT_SECONDS = 300.0
GONE_SECONDS = 120.0

TAMPERED = """
import sys
from pathlib import Path
from connectors.demo.cli import run
from connectors.demo.legacy.office import OfficeFaults
from connectors.demo.options import DemoOptions

faults = {"tax": OfficeFaults(loses_after_calls=1), "municipality": OfficeFaults(doubles_after_calls=1)}
sys.exit(run(DemoOptions(transactions=9, faults=False, stays=False, stall_seconds=45.0, office_faults=faults,
                         port=int(sys.argv[1]), json_file=Path(sys.argv[2]))))
"""

PARENT = """
import asyncio, json, sys, time
from pathlib import Path
from connectors.demo import legacy
from connectors.demo.processes import DemoProcesses

folder = Path(sys.argv[1])
config = folder / "legacy.json"
config.write_text(json.dumps({"folder": str(folder), "seed": 1, "first_number": 1, "faults": {}}))
with DemoProcesses(folder) as processes:
    processes.start("legacy-systems", str(Path(legacy.__path__[0]) / "__main__.py"), str(config))
    asyncio.run(processes.wait_for(folder / "ports.json"))
    print((folder / "ports.json").read_text(), flush=True)
    time.sleep(600)
"""


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def finished(command: list[str], kafka: str | None = None) -> subprocess.CompletedProcess[str]:
    """A program run to its end, with what it said; with a cluster that stands already, or its own."""
    environment = {name: value for name, value in os.environ.items() if name != "GOVBUS_BOOTSTRAP_SERVERS"}
    if kafka is not None:
        environment["GOVBUS_BOOTSTRAP_SERVERS"] = kafka
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False, env=environment
    )


def report(done: subprocess.CompletedProcess[str], file: Path) -> Any:
    """The JSON a run wrote, or a failure that shows what the run said instead."""
    assert file.exists(), f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(file.read_text())


def test_every_case_is_accounted_for_although_things_go_wrong(tmp_path: Path) -> None:
    """Bad input, a slow office and a closed one: nothing is lost, nothing is handled twice."""
    file = tmp_path / "demo.json"
    govbus = str(Path(sys.executable).with_name("govbus"))
    options = ["--transactions", "24", "--exit", "--json", str(file)]
    with held_port() as port:
        done = finished([govbus, "demo", *options, "--port", str(port)])
    found = report(done, file)
    assert found["clean"], found["findings"]
    assert done.returncode == 0
    assert done.stdout.rstrip("\n").split("\n")[-1] == found["summary"]
    turned_away = found["refused"] + found["dead_lettered"]
    assert found["accepted"] == found["completed"] + turned_away + found["lost"] == 24
    assert (found["lost"], found["handled_twice"]) == (0, 0)
    assert turned_away == 7
    assert found["monitor_completed"] == found["completed"]
    assert (found["monitor_stuck"], found["monitor_open"]) == (1, 0), "turned away unseen by the monitor"
    assert found["first_completed_seconds"] > 0


@pytest.mark.sampled(0)
def test_a_fine_day_in_a_standing_cluster_completes_every_case(kafka: str, tmp_path: Path) -> None:
    """Every service has its times and hops, whatever the cluster held before."""
    file = tmp_path / "demo.json"
    govbus = str(Path(sys.executable).with_name("govbus"))
    options = ["--transactions", "9", "--no-faults", "--exit", "--json", str(file)]
    with held_port() as port:
        done = finished([govbus, "demo", *options, "--port", str(port)], kafka)
    found = report(done, file)
    assert found["summary"] == "accepted 9, completed 9, refused 0, dead-lettered 0, 0 lost, 0 handled twice"
    assert found["dead_letters"] == []
    for service in found["services"]:
        assert 0 < service["took"]["p50"] <= service["took"]["p95"] <= service["took"]["p99"]
        assert [service["accepted"], service["completed"]] == [3, 3]
        assert all(hop["took"]["count"] == 3 for hop in service["hops"])


@pytest.mark.sampled(0)
def test_a_lost_and_a_doubled_effect_are_found(kafka: str, tmp_path: Path) -> None:
    """One office mislays a paper and another works on one twice; the bus does not know, the books do."""
    file = tmp_path / "demo.json"
    with held_port() as port:
        done = finished([sys.executable, "-c", TAMPERED, str(port), str(file)], kafka)
    found = report(done, file)
    assert done.returncode == 100
    assert [found["lost"], found["handled_twice"], found["completed"]] == [1, 1, 8]
    doubled = found["findings"]["handled_twice"]
    assert [effect["subject"] for effect in doubled] == ["municipality.business-permit-issued"]
    assert "1 lost, 1 handled twice" in done.stdout.rstrip("\n").split("\n")[-1]


def test_a_taken_port_is_said_in_one_line() -> None:
    """Nothing is started, and the line says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = finished([str(Path(sys.executable).with_name("govbus")), "demo", "--port", port])
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.startswith("error: ") and "--port" in line for line in done.stderr.splitlines()] == [True]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that can't be caught")
def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The parent gets no chance to stop anything; its legacy systems and its folder are gone all the same."""
    folder = tmp_path / "demo"
    folder.mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert parent.stdout is not None
    with parent.stdout as said:
        port = json.loads(said.readline())["tax"]
        assert listens(port)
        parent.kill()
        parent.wait()
    until = time.monotonic() + GONE_SECONDS
    while listens(port) or folder.exists():
        assert time.monotonic() < until, "the child still listens, or its folder is still there"
        time.sleep(0.1)
