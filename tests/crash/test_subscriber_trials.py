"""The project's own subscriber under faults: it keeps its promises, and one that does not is found out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bus import Settings
from bus.crash import processes
from bus.crash.verdict import Accepted, Handling
from tests.crash.subscriber_trial import SHARED_BROKER_FAULTS, SubscriberTrial, judge_with_reader

FAULTS = [
    ("kill after-read", "at-least-once"),
    ("kill after-handler", "at-least-once"),
    ("kill after-publish", "at-least-once"),
    ("kill after-receipts", "at-least-once"),
    ("kill during-rebalance", "at-least-once"),
    ("twin-instances", "at-least-once"),
    ("slow-handler", "at-least-once"),
    ("kill inside-transaction", "exactly-once"),
    ("kill after-sends", "exactly-once"),
    ("kill after-commit", "exactly-once"),
    ("kill after-offset-record", "exactly-once"),
    ("slow-rebalance", "at-least-once"),
    ("slow-rebalance", "exactly-once"),
    ("twin-instances", "exactly-once"),
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


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("fault", "guarantee"), FAULTS)
def test_no_promise_is_broken(kafka: str, fault: str, guarantee: str) -> None:
    """Nothing lost, nothing overtaken, nothing seen twice; what comes again is one batch at most."""
    trial = SubscriberTrial(Settings(bootstrap_servers=kafka), fault, seed=3, guarantee=guarantee)
    verdict = asyncio.run(trial.verdict(SHARED_BROKER_FAULTS[fault]))
    assert verdict.accepted == trial.events
    assert not verdict.broken, verdict
    assert verdict.again <= (0 if fault == "slow-rebalance" else processes.MAX_UNCOMMITTED)


def test_a_subscriber_that_commits_too_early_is_found_out(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event that it had in hand is lost, and the verdict says so."""
    program = tmp_path / "broken.py"
    program.write_text(BROKEN)
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 12.0)
    fault, settings = "kill after-handler", Settings(bootstrap_servers=kafka)
    trial = SubscriberTrial(settings, fault, 3, guarantee="at-least-once", program=(str(program),))
    assert asyncio.run(trial.verdict(SHARED_BROKER_FAULTS[fault])).lost == 1


@pytest.mark.parametrize(
    ("published", "lost", "twice"),
    [((0, 1, 2, 3, 4, 5), 0, 0), ((0, 1, 2, 3, 4), 1, 0), ((0, 1, 2, 3, 4, 5, 5), 0, 1)],
)
def test_a_reader_of_the_results_sees_each_once(published: tuple[int, ...], lost: int, twice: int) -> None:
    """What the reader misses is lost, and what it sees again is twice, however often it was handled."""
    accepted = [Accepted((0, number), "a", number) for number in range(6)]
    handlings = [Handling(100.0 + number, (0, number), "a", number) for number in range(6)]
    verdict = judge_with_reader(accepted, handlings, published)
    assert verdict == replace(judge_with_reader(accepted, handlings), lost=lost, twice=twice)
    assert verdict.broken == bool(lost or twice)
