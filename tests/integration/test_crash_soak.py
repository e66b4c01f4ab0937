"""A short soak: events flow, a broker or its nodes fail, and the journals agree."""

import re
import subprocess
import sys

import pytest


def check(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `govbus check`."""
    return subprocess.run(
        [sys.executable, "-m", "bus", "check", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.sampled(0)
@pytest.mark.parametrize("nodes", ["1", "3"])
def test_nothing_is_lost_while_events_flow(nodes: str) -> None:
    """Neither by the subscription under faults nor by the one left alone."""
    run = check("--soak", "0.5", "--rate", "200", "--nodes", nodes)
    assert run.returncode == 0, run.stdout + run.stderr
    found = re.findall(r"accepted (\d+), lost (\d+), out of order (\d+)", run.stdout)
    assert len(found) == 2
    for accepted, lost, wrong in found:
        assert int(accepted) > 2_000
        assert (lost, wrong) == ("0", "0")
    assert "faults: " in run.stdout
    assert "offsets and receipts of the last 60 s: they add up" in run.stdout
    assert "memory of the subscription left alone: too short to tell" in run.stdout


@pytest.mark.parametrize("arguments", [(), ("--crash", "--soak", "1")])
def test_crash_or_soak_is_required(arguments: tuple[str, ...]) -> None:
    """The message names both."""
    run = check(*arguments)
    assert run.returncode == 2
    assert "either `--crash` or `--soak MINUTES`" in run.stderr
