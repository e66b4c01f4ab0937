"""CloudEvents over Kafka by the Python SDK and confluent-kafka.

python -m tests.backends.round_trip send BOOTSTRAP TOPIC binary|structured   an event comes on stdin as JSON
python -m tests.backends.round_trip receive BOOTSTRAP TOPIC    the first event goes to stdout as JSON
"""

import sys
import uuid

from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Consumer, Producer


def send(bootstrap: str, topic: str, mode: str) -> None:
    """Publish the event on stdin."""
    event = JSONFormat().read(None, sys.stdin.buffer.read())
    message = to_structured_event(event) if mode == "structured" else to_binary_event(event)
    # By default librdkafka chooses other partitions than Kafka's own clients.
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True}
    )
    faults = []
    producer.produce(
        topic,
        message.value,
        message.key,
        headers=list(message.headers.items()),
        on_delivery=lambda fault, _: faults.append(fault),
    )
    producer.flush()
    if faults != [None]:
        raise SystemExit(f"not delivered: {faults}")


def receive(bootstrap: str, topic: str) -> None:
    """Print the first event."""
    group = f"python-{uuid.uuid4()}"
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    record = None
    while record is None or record.error():
        record = consumer.poll(1.0)
    found = dict(record.headers() or ()).items()
    headers = {name: value for name, value in found if isinstance(value, bytes)}
    event = from_kafka_event(KafkaMessage(headers, record.key(), record.value() or b""))
    consumer.close()
    sys.stdout.buffer.write(JSONFormat().write(event))


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(*sys.argv[2:])
    else:
        receive(*sys.argv[2:])
