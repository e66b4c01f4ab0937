"""`govbus tail`: events as they come, with personal data hidden."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bus.errors import AccessDeniedError
from bus.grants.rule import remedy
from bus.record import Record, TopicPartition
from bus.settings import Settings, login
from bus.tail.conditions import Condition
from bus.tail.looking import RecordView, lines
from bus.tail.tail import Begin, Viewer, audited, follow, masks_for, topics_for
from contracts import AGENCY_NAME, EVENT_NAME, Catalog, catalog_option, is_read, say, say_json

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"-([0-9]{1,5})([smhd])")


class BeginType(click.ParamType[Begin]):
    """Where to begin: `start`, `end`, a time, or a length of time before now such as `-10m`."""

    name = "begin"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Begin:
        """Read it; a time without a zone is UTC."""
        if isinstance(value, datetime) or value in ("start", "end"):
            return value  # type: ignore[no-any-return] # click has no type for it
        if ago := _AGO.fullmatch(value):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            what = "start, end, a time such as 2026-03-03T09:12, or -10m (s, m, h, d)"
            self.fail(f"Expected {what}, got another", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.command()
@click.argument("events", nargs=-1, required=True, type=EVENT_NAME, metavar="EVENT...")
@click.option(
    "--from", "begin", type=BeginType(), default="end", show_default=True, metavar="start|end|TIME|-10m",
    help="Begin at the first event, behind the last, at a time (UTC), or so long ago (s, m, h, d).",
)  # fmt: skip
@click.option(
    "--where", multiple=True, metavar="PATH=VALUE",
    help="Only events with this value, such as '$.reference=BRT-2026' or transaction=ID; repeatable.",
)  # fmt: skip
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many.")
@click.option("--no-follow", is_flag=True, help="End with what is there now.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, with all attributes.")
@click.option("--data", is_flag=True, help="Show personal data too; it is audited, and needs --why.")
@click.option(
    "--agency", type=AGENCY_NAME, metavar="NAME",
    help="Look as this agency, whose grants then count; by default GOVBUS_SASL_USERNAME.",
)  # fmt: skip
@click.option("--by", default=login, help="Your name in the audit; GOVBUS_OPERATOR or your login.")
@click.option("--why", default="", help="The reason, for the audit; no data.")
@catalog_option
def tail(
    events: tuple[str, ...],
    *,
    begin: Begin,
    where: tuple[str, ...],
    count: int | None,
    no_follow: bool,
    as_json: bool,
    data: bool,
    agency: str | None,
    by: str,
    why: str,
    root: Path,
) -> int:
    """Show events as they come, with key, time, transaction and version, until Ctrl-C.

    EVENT is `<agency>.<event>`, with all its major versions, or `<agency>.<event>.v<major>`. Personal data,
    and what no contract declares, is shown as ***. Nothing is left in the cluster: no group, no receipt.
    """
    settings, catalog, today = Settings(), Catalog.open(root), datetime.now(UTC).date()
    user = settings.sasl_username or ""
    viewer = Viewer(agency or (user if user in catalog.agencies else ""), data, by, why)
    viewer.require_sound(catalog)
    expected = topics_for(catalog, events, viewer, today)
    masks = masks_for(catalog, expected, viewer, today)
    conditions = [Condition.parse(text) for text in where]
    for condition in conditions:
        condition.require_shown(list(masks), masks)
    said = {"topics": sorted(expected), "where": [condition.name for condition in conditions]}
    reading = _Reading(
        viewer, begin, RecordView(expected, masks, conditions, data), said, count, as_json=as_json
    )
    try:
        asyncio.run(reading.run(settings, follows=not no_follow))
    except AccessDeniedError as error:
        subject = next((topic.rpartition(".v")[0] for topic in expected if f"`{topic}`" in str(error)), None)
        if subject is None:
            raise
        raise AccessDeniedError(f"{error}. {remedy(catalog, subject, viewer.agency)}") from error
    except (KeyboardInterrupt, BrokenPipeError):
        _close_output()
    return 0


class _Reading:
    """Writes what is to be shown, until so many are, nobody reads, or a signal comes."""

    def __init__(
        self,
        viewer: Viewer,
        begin: Begin,
        view: RecordView,
        said: Mapping[str, Any],
        count: int | None,
        *,
        as_json: bool,
    ) -> None:
        self._viewer = viewer
        self._begin = begin
        self._view = view
        self._said = said
        self._count = count
        self._as_json = as_json
        self._follows = True
        self._shown = self._read = 0
        self._has_stopped = False
        self._write: Any = None

    async def run(self, settings: Settings, *, follows: bool) -> None:
        self._follows = follows
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # on Windows Ctrl-C cancels this coroutine
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._stop)
        async with audited(settings, self._viewer, self._said) as self._write:
            try:
                await follow(settings, self._view.expected, self._begin, self, follows=follows)
            finally:
                await self._write("ended", {"shown": self._shown})
        some = f" of {self._read}" if self._read != self._shown else ""
        say(f"{self._shown}{some} shown", err=True)

    def _stop(self) -> None:
        self._has_stopped = True

    async def begun(self, begins: Mapping[TopicPartition, int]) -> None:
        await self._write("begun", {"offsets": [(*place, offset) for place, offset in begins.items()]})
        topics = ", ".join(sorted(self._view.expected))
        say(f"from {_where(self._begin)} of {topics}{_as(self._viewer, self._follows)}", err=True)

    def is_over(self) -> bool:
        is_enough = self._count is not None and self._shown >= self._count
        return self._has_stopped or is_enough or not is_read()

    def show(self, record: Record) -> None:
        self._read += 1
        facts = self._view.at(record)
        if facts is None:
            return
        self._shown += 1
        if self._as_json:
            say_json(facts)
        else:
            say(*lines(facts))


def _where(begin: Begin) -> str:
    return f"the {begin}" if isinstance(begin, str) else f"{begin.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _as(viewer: Viewer, follows: bool) -> str:
    who = f", as {viewer.agency}" if viewer.agency else ""
    what = ", with personal data" if viewer.data else ""
    return f"{who}{what}{', until Ctrl-C' if follows else ''}"


def _close_output() -> None:
    """Let nothing that is still buffered complain while Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
