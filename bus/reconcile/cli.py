"""`govbus reconcile`: does everything about an event add up?"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import click

from bus import envelope
from bus.clock_watch import learn_time
from bus.errors import BusError
from bus.kafka.transport import KafkaTransport
from bus.reconcile.account import EventAccount, account
from bus.reconcile.evidence import EvidenceReader
from bus.settings import Settings
from bus.topics import CLOCK_TOPIC, receipts_topic
from contracts import Catalog, ContractError, catalog_option, say, say_json, visible_console

ADDS_UP, DIFFERS, CANNOT = 0, 1, 2
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("reconcile")
@click.argument("event")
@click.option("--day", type=_DAY, help="The day, in UTC, on the broker's clock.")
@click.option("--from", "since", type=_DAY, help="The first day, instead of `--day`.")
@click.option("--to", "until", type=_DAY, help="The last day; with `--from`.")
@click.option("--agency", help="Only what this agency publishes and receives; all agencies if absent.")
@click.option(
    "--settled",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Leave out what is younger than so many seconds: its receipt may be on its way.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@catalog_option
def reconcile(
    *,
    event: str,
    day: datetime | None,
    since: datetime | None,
    until: datetime | None,
    agency: str | None,
    settled: float,
    as_json: bool,
    root: Path,
) -> int:
    """Compare the rows, offsets and receipts of an event, and what became of it for each subscriber.

    EVENT is `<agency>.<event>`, optionally followed by `.v<major>`. Exits with 0 if everything adds up, 1 if
    something does not, each with its place, and 2 if it could not be found out.
    """
    days = _days(day, since, until)
    try:
        found = asyncio.run(_account(root, event, days, agency, timedelta(seconds=settled)))
    except (BusError, ContractError, OSError) as error:
        say(f"error: {error}", err=True)
        return CANNOT
    if as_json:
        say_json({"event": event, "from": str(days[0]), "to": str(days[1]), **found.as_json()}, 2)
    else:
        _show(found)
    return DIFFERS if found.differences else ADDS_UP


def _days(day: datetime | None, since: datetime | None, until: datetime | None) -> tuple[date, date]:
    given = (day, day) if day is not None and since is None and until is None else (since, until)
    if given[0] is None or given[1] is None or given[0] > given[1]:
        raise click.UsageError("Expected a day - at `--day`, or the first and the last - at `--from`, `--to`")
    return given[0].date(), given[1].date()


async def _account(
    root: Path, event: str, days: tuple[date, date], agency: str | None, settled: timedelta
) -> EventAccount:
    settings = Settings()
    catalog = Catalog.open(root)
    transport = KafkaTransport(settings)
    reader = EvidenceReader(transport, catalog, event, days, agency=agency)
    topic = CLOCK_TOPIC if agency is None else receipts_topic(agency)  # each may write there
    await transport.start()
    try:
        await learn_time(transport, topic)
        now = envelope.moment_of(transport.clock.now_us())
        return account(await reader.read(latest=now - settled))
    finally:
        await transport.stop()


def _show(found: EventAccount) -> None:
    _table(
        ("TOPIC", "OFFSETS", "EVENTS", "WITHOUT EVENT", "RECEIPTS", "COPIES"),
        [(one.topic, one.offsets, one.events, one.others, one.receipts, one.copies) for one in found.topics],
    )
    _table(
        ("SOURCE", "ROWS", "PUBLISHED", "SET ASIDE", "SKIPPED", "REPEATED"),
        [
            (one.connector, one.rows, one.published, one.set_aside, one.skipped, one.repeated)
            for one in found.sources
        ],
    )
    _table(
        ("SUBSCRIBER", "EVENTS", "HANDLED", "PARKED", "DEAD", "NOT YET READ", "LOST"),
        [
            (one.subscription, one.events, one.handled, one.parked, one.dead, one.not_yet_read, one.lost)
            for one in found.subscribers
        ],
    )
    for row in found.set_aside:
        say(f"set aside: {row.connector} {row.origin} {row.reason}, dead letter {row.letter}")
    for one in found.differences:
        say(f"difference: {one}")
    say("everything adds up" if not found.differences else f"{len(found.differences)} differences")


def _table(headings: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    from rich.table import Table  # noqa: PLC0415 - keeps `govbus --help` quick

    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="left" if heading == headings[0] else "right")
    for row in rows:
        table.add_row(*map(str, row))
    visible_console().print(table)
