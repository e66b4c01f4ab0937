"""Other languages take part: what their SDKs publish is handled, what the bus publishes they read."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.backends.clients import CLIENTS, Client
from tests.deliveries import collect
from tests.integration.conftest import country, kafka_world
from tests.small_catalog import case
from tests.worlds import KafkaWorld

__all__ = ["country", "kafka_world"]
pytestmark = pytest.mark.backends

TRACE = "00-ab42124a3c573678d4d8b21ba52df3bf-d21f7bc17caa5aba-01"
SENT = {
    "specversion": "1.0", "id": "client-1", "source": "urn:example:registry/7?x=ö".replace("ö", "%C3%B6"),
    "subject": "case/Zoë 01", "time": "2026-03-01T12:00:00.25Z", "datacontenttype": "application/json",
    "correlationid": "t-1", "traceparent": TRACE, "shoesize": "44", "partitionkey": "Zoë-7",
    "data": case(7, reference="case-Zoë-7", half=0.5),
}  # fmt: skip


@pytest.fixture(params=CLIENTS, scope="module")
def client(request: pytest.FixtureRequest) -> Client:
    """A program of others; skipped where what it needs is missing."""
    found: Client = CLIENTS[request.param]()
    return found


@pytest.mark.parametrize("mode", ["binary", "structured"])
async def test_what_they_publish_is_handled(kafka_world: KafkaWorld, client: Client, mode: str) -> None:
    """Each attribute, the data, the trace, and the partition of the key are as the bus has them."""
    sent = {**SENT, "type": f"{kafka_world.country.opened}.v1"}
    topic = kafka_world.country.topic
    await asyncio.to_thread(client.send, kafka_world.bootstrap_servers, topic, mode, sent)
    (event,) = await collect(kafka_world, 1)
    attributes = {name: value.decode() for name, value in event.attributes.items()}
    attributes.pop("ce_datacontenttype", None)  # which the JavaScript SDK sends beside `content-type`
    wanted = {f"ce_{name}": value for name, value in sent.items() if name not in {"data", "datacontenttype"}}
    assert {**attributes, "ce_time": None} == {**wanted, "ce_time": None, "content-type": "application/json"}
    assert event.time == datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
    assert (event.traceparent, event.transaction) == (TRACE, "t-1")
    assert event.data == sent["data"]
    async with kafka_world.bus(kafka_world.country.north) as north:
        receipt = await north.publish(kafka_world.country.opened, case(), key="Zoë-7", version="1.0")
    assert event.partition == receipt.partition


async def test_what_the_bus_publishes_they_read(kafka_world: KafkaWorld, client: Client) -> None:
    """Each attribute and the data are as they were given."""
    moment = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
    async with kafka_world.bus(kafka_world.country.north) as north:
        receipt = await north.publish(
            kafka_world.country.opened, SENT["data"], version="1.0", key="Zoë-7", time=moment,
            ce_subject="case/Zoë 01", transaction="t-1",
        )  # fmt: skip
    found = await asyncio.to_thread(client.receive, kafka_world.bootstrap_servers, kafka_world.country.topic)
    assert found["data"] == SENT["data"]
    wanted: dict[str, Any] = {
        "specversion": "1.0", "id": receipt.id, "subject": "case/Zoë 01",
        "source": f"urn:govbus:{kafka_world.country.north}:main",
        "type": f"{kafka_world.country.opened}.v1", "datacontenttype": "application/json",
        "dataschema": f"urn:govbus:contract:{kafka_world.country.opened}:1.0",
        "dataclassification": "internal", "correlationid": "t-1", "partitionkey": "Zoë-7",
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert datetime.fromisoformat(found["time"]) == moment
    assert datetime.fromisoformat(found["recordedtime"]) >= moment
