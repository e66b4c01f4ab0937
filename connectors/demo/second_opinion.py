"""Asks the monitor, as an operator would: with `govbus transactions`, on its database.

The answer is put beside the account for the reader; it decides nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

__all__ = ["MOST", "completed_transactions"]

MOST = 10_000
PROGRAM = "import sys; from connectors.demo.nursery import govbus; sys.exit(govbus(sys.argv[1:]))"
ASKED = ("transactions", "list", "--json", "--state", "completed", "--limit", str(MOST))


async def completed_transactions(database: str, run: str) -> int | None:
    """Return how many transactions of a run the monitor has as completed; None when it can't say.

    Args:
        database: The SQLAlchemy URL of the monitor's database; a password in it stays off the command line.
        run: What their ids begin with.
    """
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", PROGRAM, *ASKED,
        env={**os.environ, "GOVBUS_DATABASE": database},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer, _ = await asking.communicate()
    except asyncio.CancelledError:
        asking.kill()
        raise
    if asking.returncode:
        return None
    found = [transaction["id"] for transaction in json.loads(answer)]
    mine = sum(id_.startswith(run) for id_ in found)
    return mine if mine < MOST else None
