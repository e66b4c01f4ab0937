"""The office of one legacy system: HTTP on its own port, a counter for clerks and an intake for agencies.

An office may be slow, and may close in the middle of a call: then the port refuses connections until the
office opens again. The port stays reserved meanwhile, so that no other program gets it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

__all__ = ["Answer", "Office", "OfficeFaults"]

Answer = Callable[[str, Mapping[str, str], str | None], bool]


@dataclass(frozen=True, slots=True)
class OfficeFaults:
    """What goes wrong at an office.

    Attributes:
        slow_seconds: How long the intake takes for each call.
        closes_after_calls: The number of the intake call during which the office closes; None: it never does.
        closed_seconds: How long it stays closed.
        loses_after_calls: The number of the intake call whose paper is lost; for tests of the account.
        doubles_after_calls: The number of the call whose paper is worked on twice; for tests of the account.
    """

    slow_seconds: float = 0.0
    closes_after_calls: int | None = None
    closed_seconds: float = 0.0
    loses_after_calls: int | None = None
    doubles_after_calls: int | None = None


class Office:
    """Serves `POST /counter/<form>` for clerks and `POST /intake/<form>` for other agencies.

    Args:
        intake: Called with the form's name, its fields and the idempotency key; returns whether it is new.
        counter: Called likewise with what a clerk enters.
        faults: What goes wrong.
    """

    def __init__(self, *, intake: Answer, counter: Answer, faults: OfficeFaults) -> None:
        self._intake = intake
        self._counter = counter
        self._faults = faults
        self._calls = 0
        self._reserved = _bound_socket(0)
        self.port: int = self._reserved.getsockname()[1]
        self._runner: web.AppRunner | None = None
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/counter/{form}", self._serve_counter)
        app.router.add_post("/intake/{form}", self._serve_intake)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, _bound_socket(self.port)).start()

    async def close(self) -> None:
        """Refuse connections from now on and hang up on the open ones."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _serve_counter(self, request: web.Request) -> web.Response:
        return await self._take(request, self._counter)

    async def _serve_intake(self, request: web.Request) -> web.Response:
        self._calls += 1
        call = self._calls
        await asyncio.sleep(self._faults.slow_seconds)
        response = await self._take(request, self._intake)
        if call == self._faults.closes_after_calls:
            self._closing = asyncio.ensure_future(self._close_for(self._faults.closed_seconds))
            await asyncio.sleep(self._faults.closed_seconds)  # hung up on before this answer goes out
        return response

    async def _take(self, request: web.Request, answer: Answer) -> web.Response:
        fields = await _fields(request)
        if not fields.get("reference"):
            return web.json_response({"accepted": False, "why": "no reference"}, status=422)
        new = answer(request.match_info["form"], fields, request.headers.get("Idempotency-Key"))
        return web.json_response({"accepted": True, "new": new}, status=201 if new else 200)

    async def _close_for(self, seconds: float) -> None:
        await self.close()
        await asyncio.sleep(seconds)
        await self.open()


async def _fields(request: web.Request) -> dict[str, str]:
    if request.content_type == "application/json":
        body = await request.json()
        return {name: "" if value is None else str(value) for name, value in body.items()}
    return {name: str(value) for name, value in (await request.post()).items()}


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # a reserved, deaf socket beside the open one
    bound.bind(("127.0.0.1", port))
    return bound
