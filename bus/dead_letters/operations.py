"""Reading an agency's dead letters, and acting on them.

Law of this file: an act is one transaction. Who acts and why, what follows for the event, and the letter's
state are written together, or nothing is. One operator of an agency acts at a time: a newer one fences the
older, then reads what was done, so that nothing is done to a letter twice.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Self

import orjson
from uuid_utils import uuid7

from bus.batch_limits import UNREAD, unread
from bus.dead_letters.shown import shown_value, whole_value
from bus.dead_letters.stored import (
    STATES,
    Act,
    StoredDeadLetter,
    What,
    discard_receipt,
    hashes_of,
    read_letters,
    redriven_row,
    released_row,
    write_act,
)
from bus.errors import BusUnavailableError, ContractViolationError, FencedError, UsageError
from bus.receipts.receipts import encode_receipts, partition_of_transaction
from bus.record import StoredRecord
from bus.table import deliver
from bus.topics import REPLAY, audit_topic, dead_letter_topic, parked_topic, receipts_topic
from bus.transport import Sender, Transactional, Transport
from contracts import AmbiguousJsonError, Catalog, ContractError, read_event_json


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and why, for the audit. Neither may contain event data."""

    by: str
    why: str


class DeadLetters:
    """The dead letters of one agency; whoever acts on them leaves this as a context.

    Args:
        transport: a started connection with the agency's rights.
        agency: the agency.
        catalog: the contracts that edited data must keep, and what the agency is granted.
        checks_grants: whether the agency sees what it is granted alone.
    """

    def __init__(
        self, transport: Transport, agency: str, catalog: Catalog, *, checks_grants: bool = True
    ) -> None:
        self._transport = transport
        self._agency = agency
        self._catalog = catalog
        self._checks_grants = checks_grants
        self._topic = dead_letter_topic(agency)
        self._writer = str(uuid7())
        self._held: Transactional | None = None
        self._acts: dict[int, Act] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._let_go()

    async def read(self) -> list[StoredDeadLetter]:
        """Return all letters, oldest first.

        Raises:
            BusError: they cannot be read.
        """
        return read_letters(self._agency, await self._transport.read_all(self._topic))

    def shown(self, letter: StoredDeadLetter) -> bytes | None:
        """Return what the agency may see of a letter's bytes; None if that is nothing."""
        return shown_value(letter, self._catalog, _today()) if self._checks_grants else letter.value

    async def redrive(
        self, letter: StoredDeadLetter, operator: Operator, edited: bytes | None = None
    ) -> None:
        """Give an event back to the subscription that failed, ahead of all that waits behind it.

        Args:
            letter: the letter.
            operator: who acts, and why.
            edited: corrected data; with the fields that the agency does not see it must keep the contract.

        Raises:
            UsageError: it is no event of a live subscription, its bytes no longer exist, an operator has
                acted on it, or the edited data has fields that are not granted.
            ContractViolationError: the edited data breaks the contract; nothing was done.
            FencedError: another operator acts now; nothing was done.
            BusError: it could not be written; repeat it.
        """
        if REPLAY in letter.subscription:
            raise UsageError(
                f"Expected an event of a live subscription, got one of a replay - {letter.name}. That "
                "replay is over: correct the handler, and replay the window under a new id"
            )
        if edited is not None and self._checks_grants:
            edited = whole_value(letter, edited, self._catalog, _today())
        event = letter.event(edited) or await self._original(letter)
        if edited is not None:
            self._require_valid(letter, edited)
        row = redriven_row(letter, event, self._writer)
        assert row is not None  # noqa: S101 - an event has a home
        act = self._act("redrive", letter, operator, edited)
        async with self._acting(act, letter, edited) as sender:
            await deliver(
                sender, parked_topic(self._agency), row.key, row.value, list(row.headers), partition=0
            )

    async def discard(self, letter: StoredDeadLetter, operator: Operator) -> None:
        """Discard an event; later events of a held key go on.

        Raises:
            UsageError: an operator has acted on it.
            FencedError: another operator acts now; nothing was done.
            BusError: it could not be written; repeat it.
        """
        act = self._act("discard", letter, operator, None)
        row = released_row(letter, self._writer)
        receipt = discard_receipt(letter, self._transport.clock.now_us())
        partition = partition_of_transaction(receipt.transaction)
        async with self._acting(act, letter, None) as sender:
            if row is not None:
                parked = parked_topic(self._agency)
                await deliver(sender, parked, row.key, None, list(row.headers), partition=0)
            topic = receipts_topic(self._agency)
            await deliver(sender, topic, None, encode_receipts([receipt]), partition=partition)

    @asynccontextmanager
    async def _acting(
        self, act: Act, letter: StoredDeadLetter, edited: bytes | None
    ) -> AsyncIterator[Sender]:
        """Write the act, and what the block sends, together."""
        try:
            held = await self._hold()
            if (done := self._acts.get(letter.offset)) is not None:
                raise UsageError(
                    f"Expected an open letter, got one that was {STATES[done.what]} by `{done.by}` at "
                    f"{done.at} - {letter.name}"
                )
            await held.begin()
            await self._audit(held, act, letter)
            yield held
            record = write_act(act, edited)
            await deliver(held, self._topic, record.key, record.value, list(record.headers), partition=0)
            await held.commit("", {})
        except FencedError as error:
            await self._let_go()
            raise FencedError(
                f"Expected one operator at a time, got another, who acts on the dead letters of "
                f"`{self._agency}` now - {letter.name}. Nothing was done to it: look at its state, then "
                "repeat"
            ) from error
        except BaseException:
            await self._let_go()
            raise
        self._acts[letter.offset] = act

    async def _hold(self) -> Transactional:
        """Fence other operators, then read what they have done."""
        if self._held is None:
            self._held = self._transport.transactional(f"{self._agency}.dead-letters")
            await self._held.start()
            self._acts = {letter.offset: letter.acts[-1] for letter in await self.read() if letter.acts}
        return self._held

    async def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            try:
                await held.abort()
            finally:
                await held.stop()

    async def _original(self, letter: StoredDeadLetter) -> StoredRecord:
        """Read an event from its own topic, if it was too large for the dead letters."""
        home, offset = letter.home(), letter.why.get("offset", "")
        if home is None or not offset.isdecimal():
            raise UsageError(
                f"Expected an event of a subscription, got a dead letter of a source - {letter.name}. "
                "Correct it in its source; the connector reads it again"
            )
        ids = await self._transport.topic_ids([home.partition.topic])
        if ids.get(home.partition.topic) != letter.topic_id:
            raise UsageError(
                "Expected the topic that the event was read from, got one that was made since - "
                f"{letter.name}. The letter does not hold the event, which is gone with its topic: discard it"
            )
        try:
            found = await self._transport.fetch(home.partition, int(offset))
        except BusUnavailableError as error:
            raise UsageError(
                f"Expected the event in its own topic, found none - {letter.name}. It has expired, or "
                f"this agency may no longer read it ({error})"
            ) from error
        if (why := unread(found.headers)) is not None:
            raise UsageError(f"{UNREAD[why]} - {letter.name}. No program of the bus reads it: discard it")
        return StoredRecord(
            *home.partition, found.offset, found.timestamp, found.key, found.value, tuple(found.headers)
        )

    def _require_valid(self, letter: StoredDeadLetter, edited: bytes) -> None:
        subject, _, major = letter.why.get("topic", "").rpartition(".v")
        try:
            version = self._catalog.contract(subject).version(int(major))
            data = read_event_json(edited)
        except AmbiguousJsonError as error:
            raise UsageError(f"{error.fault} - {letter.name}") from None
        except (ContractError, ValueError) as error:
            raise UsageError(
                f"Expected JSON for a contract of the catalogue, got other data - {letter.name} "
                f"({type(error).__name__})"
            ) from None
        violations = version.reader.violations(data)
        if violations:
            raise ContractViolationError(f"{subject} {version.number}", violations)

    def _act(self, what: What, letter: StoredDeadLetter, operator: Operator, edited: bytes | None) -> Act:
        if not operator.by.strip() or not operator.why.strip():
            raise UsageError("Expected who acts and why, got nothing - at `by` and `why`")
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        hashes = hashes_of(letter, edited)
        return Act(what, letter.offset, operator.by, operator.why, at, edited is not None, hashes)

    async def _audit(self, sender: Sender, act: Act, letter: StoredDeadLetter) -> None:
        said = {
            "act": f"dead-letter-{act.what}", "agency": self._agency, "letter": letter.name, "by": act.by,
            "why": act.why, "at": act.at, "edited": act.edited, "hashes": act.hashes,
            "subscription": letter.subscription, "reason": letter.why.get("reason", ""),
        }  # fmt: skip
        await deliver(sender, audit_topic(self._agency), letter.name.encode(), orjson.dumps(said))


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects letters; None selects all."""

    names: frozenset[str] = frozenset()
    subscription: str | None = None
    reason: str | None = None
    key: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, letter: StoredDeadLetter) -> bool:
        """Whether a letter is selected."""
        return (
            (not self.names or letter.name in self.names)
            and self.subscription in (None, letter.subscription)
            and self.reason in (None, letter.why.get("reason"))
            and (self.key is None or self.key.encode() == letter.key)
            and self.state in (None, letter.state)
            and (self.since is None or letter.set_aside_at >= self.since)
            and (self.until is None or letter.set_aside_at < self.until)
        )


def in_source_order(letters: Sequence[StoredDeadLetter]) -> list[StoredDeadLetter]:
    """Return letters in the order in which their events were published."""

    def place(letter: StoredDeadLetter) -> tuple[str, str, int, int]:
        where = letter.why
        partition, offset = where.get("partition", ""), where.get("offset", "")
        return (
            letter.subscription,
            where.get("topic", ""),
            int(partition) if partition.isdecimal() else -1,
            int(offset) if offset.isdecimal() else -1,
        )

    return sorted(letters, key=place)
