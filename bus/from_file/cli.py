"""`govbus publish`: events from a file or pipe, checked as a program's are."""

import asyncio
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from bus.draft import Draft, Receipt
from bus.errors import BusError, BusUnavailableError, ContractViolationError
from bus.from_file.lines import Line, LineError, lines_as_they_come
from bus.settings import Settings
from contracts import AGENCY_NAME, EVENT_NAME, FINDINGS, Catalog, ContractError, catalog_option, say, say_json

if TYPE_CHECKING:
    from bus.bus import Bus

FAILED = 1
WINDOW_EVENTS = 1_000
"""How many events may wait for the broker's answer."""
WRONG = (BusError, ContractError, LineError)


@click.command()
@click.argument("event", type=EVENT_NAME, metavar="EVENT")
@click.option(
    "--data", "file", type=click.File("rb"), required=True, metavar="FILE|-",
    help="Data of one event as JSON, or of many as JSON lines; - is stdin.",
)  # fmt: skip
@click.option("--agency", type=AGENCY_NAME, metavar="NAME", help="The agency; by default the event's own.")
@click.option("--version", help="Version of the contract, such as 1.0; by default the latest.")
@click.option("--service", metavar="NAME", help="The service whose transaction begins.")
@click.option("--transaction", metavar="ID", help="The transaction to continue, instead of a new one each.")
@click.option("--subject", metavar="TEXT", help="CloudEvents' subject: opaque, never personal.")
@click.option("--key", metavar="TEXT", help="Partition key; by default as the contract says. Never personal.")
@click.option("--id", "identity", metavar="ID", help="Id of the event; repeat it to publish the same again.")
@click.option("--system", default="main", show_default=True, help="Which of the agency's systems speaks.")
@click.option("--dry-run", is_flag=True, help="Check all events and send none; 100 if one is wrong.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one an event.")
@catalog_option
def publish(event: str, *, file: BinaryIO, dry_run: bool, as_json: bool, root: Path, **said: Any) -> int:
    """Publish events, each checked against its contract, and say what was sent.

    The first wrong event ends it: its line is named, and what was sent before it.
    """
    catalog = Catalog.open(root)
    contract = catalog.contract(event)
    agency, version = said["agency"] or contract.agency, said["version"] or contract.version().number
    options = {
        "key": said["key"], "id": said["identity"], "service": said["service"],
        "transaction": said["transaction"], "ce_subject": said["subject"],
    }  # fmt: skip
    sending = _Sending(file, event, version, options, system=said["system"], agency=agency, as_json=as_json)
    with file:
        if dry_run:
            return asyncio.run(sending.try_all(catalog))
        return asyncio.run(sending.send_all(catalog))


@dataclass(frozen=True, slots=True)
class _Sent:
    number: int
    future: "asyncio.Future[Receipt]"
    is_wrong: bool = False


class _Sending:
    """Publishes the lines of a file, or tries to."""

    def __init__(
        self,
        file: BinaryIO,
        event: str,
        version: str,
        options: dict[str, Any],
        *,
        system: str,
        agency: str,
        as_json: bool,
    ) -> None:
        self._file = file
        self._name = "FILE" if file.name in ("-", "<stdin>") else shlex.quote(str(file.name))
        self._event = event
        self._version = version
        self._system = system
        self._options = options
        self._agency = agency
        self._as_json = as_json
        self._as = f"as {agency}, version {version}"

    async def try_all(self, catalog: Catalog) -> int:
        from bus.testing import InMemoryBus  # noqa: PLC0415 - keeps the other commands quick

        good = wrong = 0
        async with InMemoryBus(self._agency, catalog=catalog) as bus:
            async for line in lines_as_they_come(self._file):
                try:
                    await self._submit(bus, line)
                    good += 1
                except WRONG as error:
                    wrong += 1
                    _tell(line.number, error)
        say(f"{good} of {good + wrong} would be sent {self._as}; nothing was sent", err=True)
        return FINDINGS if wrong else 0

    async def send_all(self, catalog: Catalog) -> int:
        from bus.bus import Bus  # noqa: PLC0415 - keeps `govbus --help` quick

        async with Bus(self._agency, settings=Settings(), catalog=catalog) as bus:
            return await self._send_each(bus)

    async def _send_each(self, bus: "Bus") -> int:
        account = _Account()
        sent: asyncio.Queue[_Sent | None] = asyncio.Queue(WINDOW_EVENTS)
        reading = asyncio.create_task(self._submit_each(bus, sent, account))
        try:
            while (one := await sent.get()) is not None:
                try:
                    receipt = await one.future
                except WRONG as error:
                    account.add_fault(one.number, error)
                else:
                    account.sent += 1
                    self._show(one.number, receipt)
            await reading
        finally:
            reading.cancel()
        if account.fault is None:
            say(f"{account.sent} sent {self._as}", err=True)
            return 0
        _tell(*account.fault)
        self._say_what_was_sent(account.fault[0], account)
        return FAILED

    async def _submit_each(
        self, bus: "Bus", sent: "asyncio.Queue[_Sent | None]", account: "_Account"
    ) -> None:
        """Submit line after line until one is wrong, or was not taken; None is the end."""
        try:
            async for line in lines_as_they_come(self._file):
                if account.fault is not None:
                    return
                await sent.put(one := self._sent(bus, line))
                if one.is_wrong:
                    return
        finally:
            await sent.put(None)

    def _sent(self, bus: "Bus", line: Line) -> "_Sent":
        try:
            return _Sent(line.number, self._submit(bus, line))
        except WRONG as error:
            wrong = asyncio.get_running_loop().create_future()
            wrong.set_exception(error)
            return _Sent(line.number, wrong, is_wrong=True)

    def _submit(self, bus: "Bus", line: Line) -> "asyncio.Future[Receipt]":
        if isinstance(line.data, LineError):
            raise line.data
        draft = Draft.made(line.data, **self._options)
        return bus.submit(self._event, draft, version=self._version, system=self._system)

    def _show(self, number: int, receipt: Receipt) -> None:
        place = f"{receipt.topic}/{receipt.partition}/{receipt.offset}"
        if self._as_json:
            facts = {**receipt._asdict(), "line": number, "time": receipt.broker_time.isoformat()}
            del facts["timestamp"]
            say_json(facts)
        else:
            say(f"{place}  id {receipt.id}  transaction {receipt.transaction}")

    def _say_what_was_sent(self, number: int, account: "_Account") -> None:
        """Say what was sent before a fault, and how to go on."""
        say(f"{account.sent} sent before it {self._as}", err=True)
        if account.unknown:
            shown = ", ".join(str(each) for each in account.unknown[:10])
            more = f" and {len(account.unknown) - 10} more" if len(account.unknown) > 10 else ""
            say(
                f"not known whether these lines were sent: {shown}{more}; `govbus tail {self._event} --from "
                "-10m` shows what was",
                err=True,
            )
        if account.sent:
            rest = f"tail -n +{number} {self._name} | govbus publish {self._event} --data -"
            say(f"to go on, with the same options: {rest}", err=True)


class _Account:
    """What became of what was sent."""

    def __init__(self) -> None:
        self.sent = 0
        self.fault: tuple[int, Exception] | None = None
        """Of the first line that was wrong or not taken."""
        self.unknown: list[int] = []

    def add_fault(self, number: int, error: Exception) -> None:
        self.fault = self.fault or (number, error)
        if isinstance(error, BusUnavailableError):
            self.unknown.append(number)


def _tell(number: int, error: Exception) -> None:
    head, *faults = str(error).split("\n")
    if isinstance(error, ContractViolationError):
        head = f"{len(error.violations)} violation(s) of {error.contract}"
    say(f"error: line {number}: {head}", *faults, err=True)
