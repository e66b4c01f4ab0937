"""The registry as an ASGI application. Requests are limited; internal errors are not exposed."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.catalog import Catalog
from contracts.logs import visible_logger
from contracts.publish.http_registry import errors
from contracts.publish.http_registry.holdings import Holdings
from contracts.publish.http_registry.request import MAX_BODY_BYTES, RegistryRequest, path_words, query_of
from contracts.publish.http_registry.routes import answer_for

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
HEALTH: Final = (["livez"], ["healthz"], ["readyz"])
"""Where the registry answers for its health: it needs nothing but the catalogue, which it has read."""
AT_ONCE: Final = 4
"""Requests with a schema that are processed at the same time; others wait."""

_log = visible_logger(__name__)


class RegistryApp:
    """Answers requests about one catalogue.

    Args:
        catalog: The catalogue.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._holdings = Holdings(catalog)
        self._working = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            status, value = 200, await self._answer(request)
        except errors.RegistryError as error:
            status, value = error.status, {"error_code": error.code, "message": str(error)}
        except ClientDisconnect:
            return
        except Exception:  # noqa: BLE001 - an error must not affect other requests
            _log.exception("the registry failed on a request")
            status, value = 500, {"error_code": 50001, "message": "The registry failed; see its log"}
        content = b"" if request.method == "HEAD" else json.dumps(value).encode()
        await Response(content, status, media_type=MEDIA_TYPE)(scope, receive, send)

    async def _answer(self, request: Request) -> Any:
        words = path_words(request.scope["raw_path"])
        query = query_of(request.scope["query_string"])
        if not words:
            return {}
        if words in HEALTH and request.method in {"GET", "HEAD"}:
            return {"status": "ready", "checks": {"catalogue": "ok"}}
        answer, own = answer_for("GET" if request.method == "HEAD" else request.method, words)
        if request.method != "POST":
            return answer(self._holdings, RegistryRequest(own, query))
        body = await self._body(request)
        async with self._working:
            return await run_in_threadpool(answer, self._holdings, RegistryRequest(own, query, body))

    async def _body(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise errors.too_large(MAX_BODY_BYTES)
            chunks.append(chunk)
        return b"".join(chunks)
