"""The crash points: an armed process dies at the call that was chosen, and at no other."""

import subprocess
import sys

import pytest

from bus.crash_points import POINTS


@pytest.mark.parametrize("point", sorted(POINTS))
def test_an_armed_process_dies_at_the_chosen_call(point: str) -> None:
    """Not before, and at no other point."""
    program = f"""
from bus.crash_points import POINTS, crash_point
for name in POINTS:
    if name != {point!r}:
        for _ in range(9):
            crash_point(name)
for passing in range(1, 9):
    print(passing, flush=True)
    crash_point({point!r})
"""
    child = subprocess.run(
        [sys.executable, "-c", program],
        env={"GOVBUS_CRASH": f"{point}:3:SIGKILL"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout.split()) == (-9, ["1", "2", "3"])
