"""One run of the kit's own subscriber: events are published, a fault strikes, and the books are compared."""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bus.bus import Bus
from bus.crash import trial as trials
from bus.crash.country import Country
from bus.crash.trial import Fault, Trial, publish_surely, strike_while_publishing
from bus.crash.verdict import Accepted, Handled, Verdict, judge
from bus.draft import Draft
from bus.kafka.admin import apply_topics
from bus.kafka.consumer import open_consumer

KEYS = 24
CHILD = ("-m", "bus.crash.child")
"""The subscriber that is killed, as Python's arguments."""
QUIET_POLLS = 4


@dataclass(slots=True)
class CountryTrial(Trial):
    """A run under one guarantee, `at-least-once` or `exactly-once`."""

    guarantee: str = field(kw_only=True)
    country: Country = field(init=False)
    accepted: list[Accepted] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """Where the children write down what they have handled."""
        return self.folder / "journal"

    def command(self) -> list[str]:
        """Run the subscriber of this folder."""
        country = self.country
        arguments = [country.south, country.opened, country.closed, str(self.journal)]
        return [*CHILD, *arguments, self.guarantee, self.fault]

    def environment(self) -> dict[str, str]:
        """Tell where the catalogue is."""
        return {"GOVBUS_CATALOG": str(self.country.folder)}

    def count_handled(self) -> int:
        """Count what the children have written down."""
        return len(self.handled())

    def has_settled(self) -> bool:
        """Whether each accepted event is in the journal."""
        return {one.place for one in self.accepted} <= {one.place for one in self.handled()}

    def handled(self) -> list[Handled]:
        """Return what the children have written down."""
        if not self.journal.exists():
            return []
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return [
            Handled(float(at), (int(partition), int(offset)), key, int(number))
            for at, partition, offset, key, number in (line for line in lines if len(line) == 5)
        ]

    async def publish(self) -> None:
        """Publish in bursts."""
        country = self.country
        async with Bus(country.north, settings=self.settings, catalog=country.catalog) as bus:
            async for numbers in self.bursts(self.events):
                drafts = [
                    Draft({"reference": key, "number": n}, key=key, id=f"case-{n}")
                    for n in numbers
                    if (key := f"key-{n % KEYS}")
                ]
                receipts = await publish_surely(bus, country.opened, drafts)
                self.accepted += [
                    Accepted((receipt.partition, receipt.offset), draft.key or "", draft.data["number"])
                    for receipt, draft in zip(receipts, drafts, strict=True)
                ]


async def run(trial: CountryTrial, strike: Fault) -> Verdict:
    """Publish while a fault strikes, let everybody finish, and judge."""
    with tempfile.TemporaryDirectory(prefix="govbus-crash-") as folder:
        trial.folder = Path(folder)
        trial.country = Country(trial.folder / "catalog")
        await apply_topics(trial.settings, trial.country.catalog)
        try:
            await strike_while_publishing(trial, strike)
            published = await _published(trial) if trial.guarantee == "exactly-once" else None
        finally:
            await trial.end()
        verdict = judge(
            trial.accepted,
            trial.handled(),
            published=published,
            restarted_at=trial.restarted_at,
            struck=trial.struck,
            ended=trial.ended,
        )
        return verdict.with_logs(trial.keep()) if verdict.broken else verdict


async def _published(trial: CountryTrial) -> list[int]:
    """Return the numbers that a reader of committed records sees, once no more come."""
    found: list[int] = []
    topic, group = f"{trial.country.closed}.v1", f"{trial.country.south}.count"
    async with open_consumer(trial.settings, group=group, topics=[topic]) as consumer:
        quiet, deadline = 0, time.monotonic() + trials.PATIENCE_SECONDS
        while time.monotonic() < deadline and (len(set(found)) < len(trial.accepted) or quiet < QUIET_POLLS):
            batches = await consumer.poll(0.25, 10_000)
            quiet = 0 if batches else quiet + 1
            found += [
                orjson.loads(record.value or b"{}")["number"]
                for records in batches.values()
                for record in records
            ]
    return found
