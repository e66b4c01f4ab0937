"""`govbus deadletters`: events that could not be handled, and what an operator does about them."""

import asyncio
import base64
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
import orjson

from bus.dead_letters.operations import DeadLetters, Filter, Operator, in_source_order
from bus.dead_letters.stored import StoredDeadLetter
from bus.errors import UsageError
from bus.kafka.transport import KafkaTransport
from bus.settings import Settings, login
from contracts import AGENCY_NAME, FINDINGS, Catalog, said_catalog, say, say_json, visible_console

_WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])
_STATES = click.Choice(["open", "redriven", "discarded"])


@click.group()
def deadletters() -> None:
    """List, inspect, redrive or discard what could not be handled."""


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that select letters."""
    options = [
        click.argument("letters", nargs=-1, metavar="[AGENCY/OFFSET]..."),
        click.option("--agency", type=AGENCY_NAME, metavar="NAME", help="Needed unless letters are named."),
        click.option("--subscription", help="Only of this subscription."),
        click.option("--reason", help="Only with this reason, such as `handler-failed`."),
        click.option("--key", help="Only of this partition key."),
        click.option("--state", type=_STATES, help="Only in this state."),
        click.option("--since", type=_WHEN, help="Only written at or after this time (UTC)."),
        click.option("--until", type=_WHEN, help="Only written before this time (UTC)."),
    ]

    @wraps(command)
    def filled(letters: tuple[str, ...], agency: str | None, **options: Any) -> Any:
        names = {"subscription", "reason", "key", "state", "since", "until"}
        asked = {name: options.pop(name) for name in names}
        for name in ("since", "until"):
            asked[name] = _utc(asked[name])
        return command(_agency(letters, agency), Filter(names=frozenset(letters), **asked), **options)

    for option in reversed(options):
        filled = option(filled)
    return filled


def _utc(when: datetime | None) -> datetime | None:
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def _agency(names: Sequence[str], agency: str | None) -> str:
    found = {agency} if agency else {name.rpartition("/")[0] for name in names}
    if len(found) != 1 or "" in found:
        raise click.UsageError("Expected one agency - at `--agency`, or letters named AGENCY/OFFSET")
    return str(found.pop())


@asynccontextmanager
async def _opened(agency: str) -> AsyncIterator[DeadLetters]:
    settings = Settings()
    catalog = Catalog.open(said_catalog())
    if agency not in catalog.agencies:
        raise UsageError(f"Expected an agency of the catalogue, got `{agency}` - at `--agency`")
    transport = KafkaTransport(settings)
    await transport.start()
    try:
        checks = settings.grants == "check"
        async with DeadLetters(transport, agency, catalog, checks_grants=checks) as letters:
            yield letters
    finally:
        await transport.stop()


def _chosen(agency: str, chosen: Filter) -> list[tuple[StoredDeadLetter, bytes | None]]:
    """Return letters, and what the agency may see of the bytes of each."""

    async def read() -> list[tuple[StoredDeadLetter, bytes | None]]:
        async with _opened(agency) as opened:
            letters = [letter for letter in await opened.read() if chosen.takes(letter)]
            return [(letter, opened.shown(letter)) for letter in letters]

    return asyncio.run(read())


@deadletters.command("list")
@_filters
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def list_command(agency: str, chosen: Filter, as_json: bool) -> int:
    """List dead letters, newest last. Exits with 100 if any is open."""
    letters = [letter for letter, _ in _chosen(agency, chosen)]
    for letter in letters if as_json else ():
        say_json(_facts(letter))
    if not as_json:
        _show_table(agency, letters)
    return FINDINGS if any(letter.state == "open" for letter in letters) else 0


def _show_table(agency: str, letters: Sequence[StoredDeadLetter]) -> None:
    from rich.table import Table  # noqa: PLC0415 - keeps `govbus --help` quick

    if not letters:
        say(f"no dead letters of {agency} match")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("LETTER", "SET ASIDE (UTC)", "SUBSCRIPTION", "REASON", "TRIED", "STATE"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        state = "open, its key is held" if letter.held else letter.state
        table.add_row(
            letter.name, f"{letter.set_aside_at:%Y-%m-%d %H:%M:%S}", letter.subscription or "(a source)",
            letter.why.get("reason", "?"), letter.why.get("attempts", ""), state,
        )  # fmt: skip
    visible_console().print(table)
    held = sum(letter.held for letter in letters)
    if held:
        say(f"{held} held: later events of those keys wait until the letter is redriven or discarded")


@deadletters.command("show")
@click.argument("letter", metavar="AGENCY/OFFSET")
@click.option("--data", is_flag=True, help="Show the data too, as far as it is granted; it may be personal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_command(letter: str, data: bool, as_json: bool) -> int:
    """Show one dead letter: place, reason, and what was done since."""
    found = _chosen(_agency([letter], None), Filter(names=frozenset({letter})))
    if not found:
        raise UsageError(f"Expected an existing dead letter, found none - `{letter}`")
    ((stored, value),) = found
    facts = _facts(stored)
    if data:
        facts["data"] = (value or b"").decode(errors="backslashreplace")
        if value is None and stored.value is not None:
            say("the agency is granted nothing of what is in it", err=True)
    if as_json:
        say_json(facts)
        return 0
    for name, value in facts.items():
        if name == "acts":
            for act in value:
                say(f"{act['what']:<14}{act['at']} by {act['by']}: {act['why']}")
        elif name == "data":
            say(f"{name:<14}{value}", longest=None)
        elif value not in ("", None):
            say(f"{name:<14}{value}")
    return 0


def _facts(letter: StoredDeadLetter) -> dict[str, Any]:
    """Return the facts about a letter, without its data, key or own headers."""
    return {
        "letter": letter.name, "state": letter.state, "held": letter.held,
        "set_aside_at": letter.set_aside_at.isoformat(timespec="milliseconds"), **letter.why,
        "size_bytes": len(letter.value or b""),
        "acts": [
            {"what": act.what, "by": act.by, "why": act.why, "at": act.at, "edited": act.edited,
             "hashes": act.hashes}
            for act in letter.acts
        ],
    }  # fmt: skip


def _acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an act."""

    @wraps(command)
    def filled(by: str, why: str, **options: Any) -> Any:
        return command(operator=Operator(by, why), **options)

    for option in (
        click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing."),
        click.option("--why", required=True, help="The reason, for the audit; no data."),
        click.option("--by", default=login, help="Your name in the audit; GOVBUS_OPERATOR or your login."),
    ):
        filled = option(filled)
    return filled


@deadletters.command()
@_acting
@_filters
@click.option(
    "--edit",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON file with corrected data for one event, as `show --data` shows it; the original is kept.",
)
def redrive(agency: str, chosen: Filter, edit: Path | None, operator: Operator, dry_run: bool) -> int:
    """Give events back, in order, to the subscription that failed. No other one sees them."""
    edited = None if edit is None else edit.read_bytes()

    async def act(opened: DeadLetters, letter: StoredDeadLetter) -> None:
        await opened.redrive(letter, operator, edited)

    if edit is not None and len(chosen.names) != 1:
        raise click.UsageError("Expected one letter by its name - with `--edit`")
    return _act_on(agency, chosen, "redriven", act, dry_run=dry_run)


@deadletters.command()
@_acting
@_filters
def discard(agency: str, chosen: Filter, operator: Operator, dry_run: bool) -> int:
    """Discard events; later events of a held key go on."""

    async def act(opened: DeadLetters, letter: StoredDeadLetter) -> None:
        await opened.discard(letter, operator)

    return _act_on(agency, chosen, "discarded", act, dry_run=dry_run)


def _act_on(agency: str, chosen: Filter, what: str, act: Any, *, dry_run: bool) -> int:
    if chosen == Filter():
        raise click.UsageError("Expected letters by name, or a filter - to act on all give `--state open`")

    async def run() -> int:
        async with _opened(agency) as opened:
            letters = [letter for letter in await opened.read() if chosen.takes(letter)]
            letters = [letter for letter in in_source_order(letters) if letter.state == "open"]
            for (subscription, reason), count in sorted(_counts(letters).items()):
                say(f"{count} of {subscription or '(a source)'}, {reason}", err=True)
            for letter in () if dry_run else letters:
                await act(opened, letter)
            said = f"{len(letters)} would be {what}" if dry_run else f"{len(letters)} {what}"
            say(said if letters else "no open dead letters fit")
            return 0

    return asyncio.run(run())


def _counts(letters: Iterable[StoredDeadLetter]) -> Counter[tuple[str, str]]:
    return Counter((letter.subscription, letter.why.get("reason", "?")) for letter in letters)


@deadletters.command()
@_filters
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A file that does not exist yet."
)
def export(agency: str, chosen: Filter, output: Path) -> int:
    """Write dead letters as JSON lines, with the bytes of each record, or the granted fields as JSON."""
    letters = _chosen(agency, chosen)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as lines:
        for letter, value in letters:
            lines.write(orjson.dumps({**_facts(letter), **_bytes(letter, value)}) + b"\n")
    say(f"{len(letters)} written; the file holds the events' data, readable by you alone: {output}")
    return 0


def _bytes(letter: StoredDeadLetter, value: bytes | None) -> dict[str, Any]:
    def text(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    return {
        "key_base64": text(letter.key),
        "value_base64": text(value),
        "headers_base64": [(name, text(value)) for name, value in letter.headers],
    }
