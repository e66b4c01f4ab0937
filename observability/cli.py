"""The commands `govbus transactions`, `govbus monitor` and `govbus console`.

Exit codes: 0 success, 1 failure, 2 wrong usage, 100 transactions found that match `--fail-on`.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import orjson

from bus import Outage, Settings, waited_out
from contracts import (
    FINDINGS,
    Catalog,
    Environment,
    catalog_option,
    collect_rarely,
    listening_options,
    logged_catalog_option,
    say,
    say_json,
    visible_console,
    visible_logger,
)
from observability.clock import BrokerNow
from observability.database.schema import database_file, with_password
from observability.database.store import Store
from observability.errors import StoreError
from observability.evidence.silence import SILENT_AFTER_SECONDS, Addressee
from observability.formats import clock
from observability.terminal import gone_places, listing, marks_of, refusals, waiting, waterfall
from observability.views import State, TransactionView

_log = visible_logger(__name__)

SHORTEST_START = 4
"""Characters of an id that may stand for all of it, as in git."""
SHOWN_IDS = 10
"""How many transactions are listed whose ids begin alike."""
KEEP_AT_LEAST_DAYS = 31
"""Kafka keeps receipts for 30 days: what is deleted must not come again."""

KEEP_DAYS = 400
"""How long the receipts of what has ended are kept by default: a year, and a month to compare it with."""

Command = TypeVar("Command", bound=Callable[..., Any])


def default_database() -> str:
    """Return the URL of the database in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME")
    folder = Path(state) / "govbus" if state else Path.home() / ".local" / "state" / "govbus"
    if os.name == "nt":
        folder = Path(click.get_app_dir("govbus"))
    return f"sqlite:///{folder / 'monitor.db'}"


def _database_url(given: str | None) -> str:
    """Return the URL of the database, with the password that the environment has for it."""
    environment = Environment()
    url = given or environment.get("GOVBUS_DATABASE") or default_database()
    password = environment.get("GOVBUS_DATABASE_PASSWORD")
    return with_password(url, password) if password else url


def _database_options(command: Command) -> Command:
    database = click.option(
        "--database",
        metavar="URL",
        help="URL of the monitor's database; by default GOVBUS_DATABASE, or a file in your state folder.",
    )
    silent = click.option(
        "--silent-after",
        envvar="GOVBUS_SILENT_AFTER_SECONDS",
        type=click.FloatRange(min=1.0),
        default=SILENT_AFTER_SECONDS,
        show_default=True,
        help="Seconds after which an agency that receives nothing is silent.",
    )
    return database(silent(command))


@contextmanager
def _open_store(database: str | None, catalog: Catalog, silent_after: float) -> Iterator[Store]:
    url = _database_url(database)
    file = database_file(url)
    if file is not None and not file.exists():
        raise StoreError.missing(str(file))
    with _make_store(url, catalog, silent_after) as store:
        yield store


def _make_store(url: str, catalog: Catalog, silent_after: float, **options: Any) -> Store:
    grants = frozenset(Addressee(grant.consumer, grant.subject) for grant in catalog.subscriptions.values())
    return Store(url, catalog.services, grants=grants, silent_after_seconds=silent_after, **options)


def _print_json(value: object) -> None:
    say_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))


def _kept_for(context: click.Context, option: click.Parameter, given: str) -> timedelta | None:
    if given == "forever":
        return None
    days = click.IntRange(KEEP_AT_LEAST_DAYS, 100_000)(given, option, context)
    return timedelta(days=days)


@click.group()
def transactions() -> None:
    """Show where transactions are and how long they took."""


@transactions.command("list")
@click.option(
    "--state",
    type=click.Choice(get_args(State)),
    help="Show only this state; `open` shows all that are not completed.",
)
@click.option("--service", help="Show only this service.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Show at most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--fail-on", type=click.Choice(("late", "stuck", "agency-silent")), help="Exit with 100 if there is any."
)
@_database_options
@catalog_option
@click.pass_context
def list_command(
    context: click.Context,
    *,
    state: Any,
    service: str | None,
    limit: int,
    as_json: bool,
    fail_on: Any,
    database: str | None,
    root: Path,
    silent_after: float,
) -> None:
    """List transactions, newest first; late, stuck or agency-silent ones oldest first."""
    catalog = Catalog.open(root)
    with _open_store(database, catalog, silent_after) as store:
        found = store.transactions(state, service, limit)
        halted = [place for place in store.gone_places() if place.halted]
        failed = bool(fail_on and store.transactions(fail_on, service, 1))
    if as_json:
        _print_json(found)
    elif not found:
        say("no transactions found", err=True)
    else:
        shown_on = visible_console()
        shown_on.print(listing(found, shown_on.width), soft_wrap=True)
        if any(view.waits_for for view in found):
            shown_on.print()
            shown_on.print(waiting(found), soft_wrap=True)
    if halted and not as_json:
        shown_on = visible_console()
        shown_on.print()
        shown_on.print(gone_places(halted), soft_wrap=True)
    if failed:
        context.exit(FINDINGS)


@transactions.command("show")
@click.argument("transaction_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_database_options
@catalog_option
def show_command(
    transaction_id: str, as_json: bool, database: str | None, root: Path, silent_after: float
) -> None:
    """Show one transaction as a waterfall of events and deliveries.

    ID may be cut, to at least 4 characters, as long as it is one transaction's.
    """
    catalog = Catalog.open(root)
    with _open_store(database, catalog, silent_after) as store:
        view = _found(store, transaction_id)
    if as_json:
        _print_json(view)
        return
    shown_on = visible_console()
    width = shown_on.width if shown_on.is_terminal else min(shown_on.width, 100)
    service = catalog.services.get(view.service or "")
    title = service.title if service else None
    shown_on.print(waterfall(view, width, marks_of(shown_on), title), soft_wrap=True)


def _found(store: Store, start: str) -> TransactionView:
    """Return the transaction of an id, or of its beginning."""
    if (view := store.transaction(start)) is not None:
        return view
    ids = store.transaction_ids(start, SHOWN_IDS + 1) if len(start) >= SHORTEST_START else ()
    if len(ids) > 1:
        rows = [view for id_ in ids[:SHOWN_IDS] if (view := store.transaction(id_)) is not None]
        listed = [f"{view.id}  {clock(view.started)}  {view.service or '-'}" for view in rows]
        more = f"  and more than {SHOWN_IDS}" if len(ids) > SHOWN_IDS else ""
        say(f"`{start}` is the beginning of several transactions:", *(f"  {row}" for row in listed), err=True)
        if more:
            say(more, err=True)
        raise click.ClickException("Expected the id of one transaction, got that of several - at `ID`")
    view = store.transaction(ids[0]) if ids else None
    if view is None:
        few = f" of at least {SHORTEST_START} characters" if len(start) < SHORTEST_START else ""
        raise click.ClickException(
            f"no transaction `{start}` - no receipt names an id{few} that begins so - see "
            "`govbus transactions list`"
        )
    return view


@transactions.command("gone-places")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Show at most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_database_options
@catalog_option
def gone_places_command(
    *, limit: int, as_json: bool, database: str | None, root: Path, silent_after: float
) -> None:
    """List where subscriptions lost their place, what they missed, and which wait for an operator."""
    with _open_store(database, Catalog.open(root), silent_after) as store:
        found = store.gone_places(limit)
    if as_json:
        _print_json(found)
    elif not found:
        say("no subscription has lost its place", err=True)
    else:
        visible_console().print(gone_places(found), soft_wrap=True)


@transactions.command("not-believed")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_database_options
@catalog_option
def not_believed_command(*, as_json: bool, database: str | None, root: Path, silent_after: float) -> None:
    """List receipts that are not believed, or not checked yet, by the agency that wrote them and why."""
    with _open_store(database, Catalog.open(root), silent_after) as store:
        found = (*store.refusals(), *store.not_checked())
    if as_json:
        _print_json(found)
    elif not found:
        say("every receipt is believed", err=True)
    else:
        visible_console().print(refusals(found), soft_wrap=True)


@click.command()
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65_535),
    help="Serve Prometheus metrics on 127.0.0.1.",
)
@click.option(
    "--keep-days",
    envvar="GOVBUS_RECEIPTS_KEEP_DAYS",
    metavar="DAYS",
    default=str(KEEP_DAYS),
    callback=_kept_for,
    show_default=True,
    help="Days after which receipts of what has ended are deleted, with all counts kept; or `forever`.",
)
@_database_options
@logged_catalog_option
def monitor(
    *,
    metrics_port: int | None,
    keep_days: timedelta | None,
    database: str | None,
    root: Path,
    silent_after: float,
) -> None:
    """Read receipts from Kafka into the database until stopped."""
    # These load an SDK or a client that the other commands do not need.
    from observability.metrics import METER, derive  # noqa: PLC0415
    from observability.monitor import watch  # noqa: PLC0415
    from observability.providers import set_up  # noqa: PLC0415

    catalog, clock = Catalog.open(root), BrokerNow()
    url = _database_url(database)
    with set_up("govbus-monitor", metrics_port=metrics_port) as telemetry:
        meter = telemetry.meter_provider.get_meter(METER)

        def opened(store: Store) -> None:
            derive(meter, store, catalog.agencies, clock=clock)
            _log.info("reading receipts into %s", database_file(url) or "the database")

        if metrics_port is not None:
            _log.info("metrics: http://127.0.0.1:%d/metrics", metrics_port)
        make = partial(_make_store, url, catalog, silent_after, keep=keep_days, clock=clock)
        collect_rarely(keep_loaded=True)
        asyncio.run(watch(Settings(), make, opened, clock))


@click.command()
@listening_options(8900)
@_database_options
@logged_catalog_option
def console(
    *,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    database: str | None,
    root: Path,
    silent_after: float,
) -> None:
    """Serve the web pages for operators until stopped."""
    from contracts import serve_web  # noqa: PLC0415 - loads the web server
    from observability.console.app import application  # noqa: PLC0415

    catalog = Catalog.open(root)
    opened = partial(asyncio.to_thread, _make_store, _database_url(database), catalog, silent_after)
    with asyncio.run(waited_out(opened, Outage("the monitor's database"))) as store:
        serve_web(application(store), host, port, (host, *hosts), "console")
