"""The clerks of the start systems: each enters one case after the other, at a steady pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp

from connectors.demo.cases import Case

__all__ = ["enter_all"]

AGAIN_SECONDS = 0.5


async def enter_all(cases: Sequence[Case], ports: Mapping[str, int], rate: float) -> None:
    """Enter every case; when an office is closed its clerk waits, and the others go on.

    Args:
        cases: What to enter, in this order.
        ports: The port of each agency's office.
        rate: Cases per second of all clerks together.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    due = {case.reference: start + number / rate for number, case in enumerate(cases)}

    async def clerk(agency: str, session: aiohttp.ClientSession) -> None:
        for case in (case for case in cases if case.agency == agency):
            await asyncio.sleep(due[case.reference] - loop.time())
            await _enter(session, f"http://127.0.0.1:{ports[agency]}/counter/{case.form}", case)

    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        await asyncio.gather(*(clerk(agency, session) for agency in sorted({case.agency for case in cases})))


async def _enter(session: aiohttp.ClientSession, url: str, case: Case) -> None:
    while True:
        try:
            async with session.post(url, data=dict(case.fields)) as answer:
                if answer.ok:
                    return
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(AGAIN_SECONDS)
