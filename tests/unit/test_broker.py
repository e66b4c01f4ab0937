"""The broker of the tests is there, whatever Docker does."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ADDRESS, BROKER


def test_a_container_that_cannot_start_is_replaced_and_the_run_says_why() -> None:
    """No daemon answers: one line names the reason, and the embedded Kafka serves."""
    environment = {name: value for name, value in os.environ.items() if name != ADDRESS}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", __file__],
        cwd=Path(__file__).parents[2],
        env={**environment, BROKER: "container", "DOCKER_HOST": "tcp://127.0.0.1:1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    (told,) = [line for line in run.stdout.splitlines() if line.startswith("broker: ")]
    assert told.startswith("broker: embedded Kafka, since no container of ")
    assert "DockerException" in told
