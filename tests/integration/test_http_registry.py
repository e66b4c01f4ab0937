"""A stock Confluent consumer reads what the bus publishes, by the HTTP registry, on a real Kafka."""

import time
from typing import Any

from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.registries import served
from tests.small_catalog import case
from tests.worlds import KafkaWorld

PATIENCE_SECONDS = 120.0


async def test_a_stock_consumer_reads_an_event(kafka_world: KafkaWorld, kafka: str) -> None:
    """Consumer and deserializer know two addresses and nothing else; the header names the schema."""
    country = kafka_world.country
    async with kafka_world.bus(country.north) as bus:
        await bus.publish(country.opened, case(), service="one-case", version="1.0")
    message = _first_message(kafka, country.topic)
    with (
        served(country.catalog) as port,
        SchemaRegistryClient({"url": f"http://127.0.0.1:{port}"}) as client,
    ):
        deserialize: Any = JSONDeserializer(None, schema_registry_client=client)
        context = SerializationContext(message.topic(), MessageField.VALUE, message.headers())
        assert deserialize(message.value(), context) == case()


def _first_message(bootstrap_servers: str, topic: str) -> Any:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"{topic}.stock",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                return message
        raise AssertionError(f"no record in {topic}")
    finally:
        consumer.close()
