"""Programs of others that publish and read CloudEvents: four SDKs, each over a Kafka client, and kcat.

Each of the SDKs' programs knows `send BOOTSTRAP TOPIC binary|structured`, with an event as JSON on stdin, and
`receive BOOTSTRAP TOPIC`, which prints the first event of a topic as JSON.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.installed import installed, npm_packages, program, run

HERE = Path(__file__).parent
Event = dict[str, Any]


class Client(NamedTuple):
    """Publishes an event in a mode, and reads the first one of a topic."""

    send: Callable[[str, str, str, Event], None]
    receive: Callable[[str, str], Event]


def python() -> Client:
    """The Python SDK, and confluent-kafka."""
    return _sdk(sys.executable, "-m", "tests.backends.round_trip")


def javascript() -> Client:
    """The JavaScript SDK, and KafkaJS."""
    node = program("node", "nodejs")
    packages = npm_packages("javascript", [HERE / "javascript" / "package.json"])
    return _sdk(
        node,
        str(HERE / "javascript" / "round_trip.js"),
        environment={"NODE_PATH": str(packages / "node_modules")},
    )


def java() -> Client:
    """The Java SDK, and Kafka's own client."""
    maven, java = program("mvn", "maven"), program("java", "openjdk-17-jdk-headless")

    def install(folder: Path) -> None:
        run(maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", folder=folder)

    jars = installed("java", [HERE / "java" / "pom.xml"], install) / "jars"
    return _sdk(java, "-cp", f"{jars}/*", str(HERE / "java" / "RoundTrip.java"))


def go() -> Client:
    """The Go SDK, and sarama."""
    compiler = program("go", "golang-go")

    def install(folder: Path) -> None:
        run(compiler, "build", "-o", "round_trip", ".", folder=folder)

    return _sdk(str(installed("go", sorted((HERE / "go").iterdir()), install) / "round_trip"))


def kcat() -> Client:
    """Kcat, which knows records and headers alone."""
    kcat = program("kcat", "kcat")

    def send(bootstrap: str, topic: str, mode: str, event: Event) -> None:
        if mode == "structured":
            headers, value = {"content-type": "application/cloudevents+json"}, json.dumps(event)
        else:
            headers = {f"ce_{name}": str(value) for name, value in event.items() if name != "data"}
            headers["content-type"] = headers.pop("ce_datacontenttype")
            value = json.dumps(event["data"])
        words = [word for name, text in headers.items() for word in ("-H", f"{name}={text}")]
        # By default librdkafka chooses other partitions than Kafka's own clients.
        run(
            kcat, "-P", "-b", bootstrap, "-t", topic, "-k", event["partitionkey"], "-X",
            "topic.partitioner=murmur2_random", *words, given=value,
        )  # fmt: skip

    def receive(bootstrap: str, topic: str) -> Event:
        text = run(kcat, "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-c", "1", "-q", "-J")
        record = json.loads(text)
        headers = dict(zip(record["headers"][::2], record["headers"][1::2], strict=True))
        event = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        return {**event, "datacontenttype": headers["content-type"], "data": json.loads(record["payload"])}

    return Client(send, receive)


def _sdk(*words: str, environment: Mapping[str, str] = MappingProxyType({})) -> Client:
    def send(bootstrap: str, topic: str, mode: str, event: Event) -> None:
        run(*words, "send", bootstrap, topic, mode, given=json.dumps(event), environment=environment)

    def receive(bootstrap: str, topic: str) -> Event:
        found: Event = json.loads(run(*words, "receive", bootstrap, topic, environment=environment))
        return found

    return Client(send, receive)


CLIENTS: Mapping[str, Callable[[], Client]] = {
    made.__name__: made for made in (python, javascript, java, go, kcat)
}
