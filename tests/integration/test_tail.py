"""`govbus tail` on a real broker: what is seen, and that nothing is left behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import orjson
import pytest
from confluent_kafka import admin as librdkafka

from bus import apply_topics
from bus.cli import run
from bus.topics import audit_topic
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld


@pytest.fixture
def world(country: SmallCountry, kafka: str, monkeypatch: pytest.MonkeyPatch) -> KafkaWorld:
    """The small country, in which the padding of a case is personal, as the commands find it."""
    country.mark_personal("$.padding")
    found = KafkaWorld(country, kafka)
    asyncio.run(apply_topics(found.settings(), country.catalog))
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("GOVBUS_CATALOG", str(country.folder))
    return found


async def publish(world: KafkaWorld, *numbers: int) -> None:
    """Publish cases with a person's name in them."""
    async with world.bus(world.country.north) as bus:
        for number in numbers:
            data = case(number, padding="Ada Lovelace")
            await bus.publish(world.country.opened, data, version="1.0", service="one-case")


def shown(output: str) -> list[dict[str, Any]]:
    """Return the lines of `--json`."""
    return [orjson.loads(line) for line in output.splitlines()]


def traces(world: KafkaWorld) -> tuple[Any, ...]:
    """Return the groups of the cluster, and what the country's own topics hold."""
    kafka: Any = librdkafka
    client = kafka.AdminClient({"bootstrap.servers": world.bootstrap_servers})
    groups = {group.group_id for group in client.list_consumer_groups().result(timeout=30).valid}
    country = world.country
    own = [f"{agency}.{kind}" for agency in (country.north, country.south) for kind in ("receipts", "audit")]
    return groups, [len(asyncio.run(world.records(topic))) for topic in own]


def test_events_are_seen_and_nothing_is_left_behind(
    world: KafkaWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of three events those that fit; what others have written stops nothing, and ends no line."""
    asyncio.run(publish(world, 1, 2, 3))
    asyncio.run(
        world.append(world.country.topic, b"\x1b[2J\nAda", headers=[("x", None), ("x\u202e", b"\xff")])
    )
    before = traces(world)
    where = [world.country.opened, "--from", "start", "--no-follow"]
    assert run(["tail", *where, "--json"]) == 0
    out, err = capsys.readouterr()
    found = shown(out)
    assert [one["data"]["number"] for one in found if "data" in one] == [1, 2, 3]
    assert [one["reason"] for one in found if "fault" in one] == ["malformed-envelope"]
    assert found[0]["service"] == "one-case"
    assert "4 shown" in err
    assert run(["tail", *where, "--where", "$.number=2"]) == 0
    two, err = capsys.readouterr()
    assert '"number": 2' in two
    assert '"number": 1' not in two
    assert "1 of 4 shown" in err
    assert run(["tail", *where, "-n", "2", "--json"]) == 0
    assert len(shown(capsys.readouterr().out)) == 2
    assert run(["tail", world.country.opened, "--no-follow"]) == 0
    assert capsys.readouterr().out == ""
    assert "Ada" not in out + two
    assert not {"\x1b", "\u202e"} & {*out, *two}
    assert traces(world) == before


def test_who_sees_personal_data_stands_in_the_audit_before(
    world: KafkaWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who, why, which topics, from where; no value. Nobody else's grant is used."""
    asyncio.run(publish(world, 1))
    country = world.country
    country.withdraw()
    where = ["tail", country.opened, "--from", "-1h", "--no-follow", "--data", "--by", "mae"]
    assert run([*where, "--agency", country.north]) == 1
    assert run([*where, "--agency", country.south, "--why", "look"]) == 1
    refused = capsys.readouterr()
    assert refused.out == ""
    assert f"--agency {country.south}`; once it is approved" in refused.err
    assert asyncio.run(world.records(audit_topic(country.north))) == []
    condition = ["--where", "$.padding=Ada Lovelace"]
    assert run([*where, "--agency", country.north, "--why", "look", *condition]) == 0
    assert "Ada Lovelace" in capsys.readouterr().out
    begun, ended = [
        orjson.loads(record.value or b"") for record in asyncio.run(world.records(audit_topic(country.north)))
    ]
    assert (begun["act"], begun["by"], begun["why"], begun["topics"]) == (
        "tail-begun", "mae", "look", [country.topic],
    )  # fmt: skip
    assert begun["where"] == ["$.padding"]
    assert (ended["act"], ended["shown"]) == ("tail-ended", 1)
    assert "Ada" not in str([begun, ended])


def test_a_topic_that_is_not_there_is_told(world: KafkaWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """And is not made."""
    country = world.country
    own = country.folder / "agencies" / country.north
    shutil.copytree(own / "case-opened", own / "case-lost")
    contract = own / "case-lost" / "contract.yaml"
    contract.write_text(contract.read_text().replace(country.opened, f"{country.north}.case-lost"))
    assert run(["tail", f"{country.north}.case-lost", "--no-follow"]) == 1
    assert "Run `govbus topics apply`" in capsys.readouterr().err


def test_a_look_ends_cleanly(world: KafkaWorld) -> None:
    """They show what comes; Ctrl-C and the end of who reads its output end them with 0, and no complaint."""
    with tail(world) as stopped, tail(world) as piped:
        asyncio.run(publish(world, 7))
        for process in (stopped, piped):
            assert world.country.topic in line(process.stdout)
        assert piped.stdout is not None
        piped.stdout.close()
        stopped.send_signal(signal.SIGINT)
        assert [process.wait(60) for process in (stopped, piped)] == [0, 0]
        assert "Traceback" not in (piped.stderr.read() if piped.stderr else "")


@contextmanager
def tail(world: KafkaWorld) -> Iterator[subprocess.Popen[str]]:
    """Look at opened cases, from when this returns."""
    command = [sys.executable, "-m", "bus", "tail", world.country.opened]
    process = subprocess.Popen(
        command, env=os.environ.copy(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        while "from the end" not in line(process.stderr):
            pass
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def line(stream: IO[str] | None) -> str:
    """Return the next line, which must come."""
    assert stream is not None
    found = stream.readline()
    assert found, "it has ended"
    return found
