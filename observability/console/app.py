"""The web server of the console.

Law of this file: it only reads the store. Every page is complete without script; the script fetches the page
again and replaces what changed. A page that shows what the script has already is not made again: it asks by
the `ETag` of what it has (RFC 9110, section 13.1.2), and now and then without it, since ages go on.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bus import HealthWatch
from contracts import visible
from observability import formats
from observability.console import pages
from observability.database.store import Store
from observability.errors import StoreError
from observability.readiness import StoreReadiness

INTERVAL_SECONDS = 2.0
"""How often a visible page updates itself."""

Clock = Callable[[], datetime]


class Console:
    """The handlers of each address, over one store."""

    def __init__(self, store: Store, clock: Clock, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._store = store
        self._clock = clock
        self._watch = HealthWatch(StoreReadiness(store, clock).checks)
        self._templates = _environment(interval_seconds)

    def overview(self, request: Request) -> Response:
        """Return the overview."""
        return self._unless_known(request, self._overview)

    def _overview(self, _request: Request) -> Response:
        return self._page("overview.html", pages.overview(self._store, self._clock()))

    def service(self, request: Request) -> Response:
        """Return the page of one service."""
        return self._unless_known(request, self._service)

    def _service(self, request: Request) -> Response:
        page = pages.service_page(self._store, request.path_params["name"], self._clock())
        return self._missing("service") if page is None else self._page("service.html", page)

    def transaction(self, request: Request) -> Response:
        """Return the page of one transaction."""
        return self._unless_known(request, self._transaction)

    def _transaction(self, request: Request) -> Response:
        page = pages.transaction_page(self._store, request.path_params["id"], self._clock())
        return self._missing("transaction") if page is None else self._page("transaction.html", page)

    def find(self, request: Request) -> Response:
        """Redirect to the transaction whose id was entered."""
        wanted = request.query_params.get("id", "").strip()
        if not wanted:
            return RedirectResponse(request.url_for("overview").path, status_code=303)
        return RedirectResponse(request.url_for("transaction", id=wanted).path, status_code=303)

    async def alive(self, _request: Request) -> Response:
        """Return 200: the console answers."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _request: Request) -> Response:
        """Return 200 if the database answers and a monitor keeps it complete, else 503 with what is wrong."""
        report = await self._watch.look()
        return JSONResponse(report.as_json(), report.status)

    def not_found(self, _request: Request, _error: Exception) -> Response:
        """Return 404 for an unknown address."""
        return self._missing("page")

    def failed(self, _request: Request, _error: Exception) -> Response:
        """Return 503 if the store cannot be read."""
        return self._page("failed.html", None, status_code=503)

    def _unless_known(self, request: Request, make: Callable[[Request], Response]) -> Response:
        """Make a page, or return 304 if nothing of it has changed but ages."""
        tag = f'W/"{pages.mark(self._store, self._clock())}"'  # first, so that nothing later is missed
        known = request.headers.get("if-none-match") == tag
        response = Response(status_code=304) if known else make(request)
        response.headers["etag"] = tag
        return response

    def _missing(self, what: str) -> Response:
        return self._page("missing.html", what, status_code=404)

    def _page(self, template: str, page: object, status_code: int = 200) -> Response:
        html = self._templates.get_template(template).render(page=page)
        return HTMLResponse(html, status_code=status_code)


class _Text(Convertor[str]):
    """A part of an address that may be anything, line breaks too: agencies choose the ids."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _Text())


def application(
    store: Store,
    *,
    clock: Clock | None = None,
    interval_seconds: float = INTERVAL_SECONDS,
) -> Starlette:
    """Return the console as an ASGI application.

    Args:
        store: what the pages show.
        clock: the current time; that of the store if absent.
        interval_seconds: how often a visible page updates itself.
    """
    console = Console(store, clock or store.now, interval_seconds)
    return Starlette(
        routes=[
            Route("/", console.overview, name="overview"),
            Route("/services/{name}", console.service, name="service"),
            Route("/transactions", console.find, name="find"),
            Route("/transactions/{id:text}", console.transaction, name="transaction"),
            Route("/livez", console.alive, name="alive"),
            Route("/healthz", console.ready, name="health"),
            Route("/readyz", console.ready, name="ready"),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static"),
        ],
        exception_handlers={
            404: console.not_found,
            SQLAlchemyError: console.failed,
            StoreError: console.failed,
        },
    )


def _environment(interval_seconds: float) -> Environment:
    environment = Environment(
        loader=PackageLoader("observability.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("clock", "count", "duration", "iso", "number", "share", "skew"):
        environment.filters[name] = getattr(formats, name)
    environment.globals["address"] = _address
    environment.globals["interval_ms"] = int(interval_seconds * 1000)
    environment.globals["skew_alarm_ms"] = pages.SKEW_ALARM_MS
    return environment


def _visible(value: object) -> object:
    """Return text of a receipt so that nothing in it hides, or reorders what stands beside it."""
    return visible(value) if type(value) is str else value  # markup of the page's own is another type


def _address(kind: str, name: str) -> str:
    return f"/{kind}/{quote(name, safe='')}"
