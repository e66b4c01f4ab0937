"""`govbus publish` on a real broker: what is sent, and what is said of it."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import PublishReceipt, apply_topics
from bus.cli import run
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, receipts


@pytest.fixture
def world(country: SmallCountry, kafka: str, monkeypatch: pytest.MonkeyPatch) -> KafkaWorld:
    """The small country, as the commands find it."""
    found = KafkaWorld(country, kafka)
    asyncio.run(apply_topics(found.settings(), country.catalog))
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("GOVBUS_CATALOG", str(country.folder))
    return found


def data(world: KafkaWorld) -> list[Any]:
    """Return the data of what lies in the topic of opened cases."""
    found = [orjson.loads(record.value or b"") for record in asyncio.run(world.records(world.country.topic))]
    return sorted(found, key=lambda one: one["number"])


def published(world: KafkaWorld) -> list[PublishReceipt]:
    """Return the receipts of what was published, or refused."""
    return [row for row in asyncio.run(receipts(world)) if isinstance(row, PublishReceipt)]


def test_lines_are_sent_until_one_is_wrong(
    world: KafkaWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with every violation, and what was sent before it; nothing behind it is sent."""
    file = tmp_path / "some cases.jsonl"
    wrong = {"reference": "Ada", "number": "Lovelace"}
    file.write_bytes(b"\n".join(orjson.dumps(one) for one in (case(1), case(2), wrong, case(4))))
    event = world.country.opened
    assert run(["publish", event, "--data", str(file), "--dry-run"]) == 100
    assert "3 of 4 would be sent" in capsys.readouterr().err
    assert data(world) == []
    assert published(world) == []
    assert run(["publish", event, "--data", str(file), "--json"]) == 1
    out, err = capsys.readouterr()
    lines = [orjson.loads(line) for line in out.splitlines()]
    assert [(line["line"], line["topic"]) for line in lines] == [(n, world.country.topic) for n in (1, 2)]
    assert data(world) == [case(1), case(2)]
    assert "error: line 3: 2 violation(s)" in err
    assert f"2 sent before it as {world.country.north}, version 1.1" in err
    assert f"tail -n +3 '{file}' | govbus publish {event} --data -" in err
    assert "Ada" not in out + err
    assert sorted(one.outcome for one in published(world)) == ["published", "published", "refused"]


def test_an_event_is_sent_with_what_is_said_of_it(
    world: KafkaWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Service, transaction, version and id; one of another agency, or an unknown service, is refused."""
    file, event = tmp_path / "case.json", world.country.opened
    file.write_bytes(orjson.dumps(case(7), option=orjson.OPT_INDENT_2))
    said = ["--service", "one-case", "--transaction", "t-7", "--id", "e-7", "--version", "1.0"]
    assert run(["publish", event, "--data", str(file), *said]) == 0
    assert "id e-7  transaction t-7" in capsys.readouterr().out
    (receipt,) = published(world)
    assert (receipt.transaction, receipt.service, receipt.event_id) == ("t-7", "one-case", "e-7")
    for wrong in (["--agency", world.country.south], ["--service", "one-cas"], ["--version", "9.9"]):
        assert run(["publish", event, "--data", str(file), *wrong]) == 1
        assert "error: " in capsys.readouterr().err
    assert data(world) == [case(7)]
