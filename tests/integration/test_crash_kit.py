"""The crash kit on a real broker: the bus keeps its promises, and a subscriber that does not is caught."""

import asyncio
from pathlib import Path

import pytest

from bus import Settings
from bus.crash import country_trial, trial
from bus.crash.country_trial import CountryTrial, run
from bus.crash.faults import SHARED

KINDS = [
    ("kill after-handler", "at-least-once"),
    ("kill after-receipts", "at-least-once"),
    ("kill during-rebalance", "at-least-once"),
    ("slow-handler", "at-least-once"),
    ("kill inside-transaction", "exactly-once"),
    ("kill after-sends", "exactly-once"),
    ("kill after-offset-record", "exactly-once"),
    ("kill after-commit", "exactly-once"),
]
BROKEN = """
import asyncio, os, sys
from aiokafka import AIOKafkaConsumer

agency, opened, closed, journal, guarantee, fault = sys.argv[1:]

async def main():
    consumer = AIOKafkaConsumer(opened + ".v1", bootstrap_servers=os.environ["GOVBUS_BOOTSTRAP_SERVERS"],
        group_id="broken", group_instance_id=os.environ["GOVBUS_INSTANCE"], enable_auto_commit=False,
        auto_offset_reset="earliest", session_timeout_ms=10_000)
    await consumer.start()
    left = 300
    async for record in consumer:
        await consumer.commit()  # before it is handled
        left -= 1
        if not left and os.environ["GOVBUS_CRASH"]:
            os.kill(os.getpid(), 9)
        number = record.value.decode().partition('"number":')[2].rstrip("}")
        line = f"{1.0} {record.partition} {record.offset} {record.key.decode()} {number}\\n"
        with open(journal, "a") as file:
            file.write(line)

asyncio.run(main())
"""


@pytest.mark.parametrize(("fault", "guarantee"), KINDS)
def test_no_promise_is_broken(kafka: str, fault: str, guarantee: str) -> None:
    """Nothing lost, nothing overtaken, nothing seen twice; what comes again is one batch at most."""
    found = CountryTrial(Settings(bootstrap_servers=kafka), fault, seed=3, guarantee=guarantee)
    verdict = asyncio.run(run(found, SHARED[fault]))
    assert verdict.accepted == found.events
    assert not verdict.broken, verdict
    assert verdict.again <= trial.MAX_UNCOMMITTED


def test_a_subscriber_that_commits_too_early_is_caught(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event in its hand is lost, and the kit says so."""
    program = tmp_path / "broken.py"
    program.write_text(BROKEN)
    monkeypatch.setattr(country_trial, "CHILD", (str(program),))
    monkeypatch.setattr(trial, "PATIENCE_SECONDS", 12.0)
    fault, settings = "kill after-handler", Settings(bootstrap_servers=kafka)
    verdict = asyncio.run(run(CountryTrial(settings, fault, 3, guarantee="at-least-once"), SHARED[fault]))
    assert verdict.lost == 1
