"""Nodes of the tests start from an archive of Kafka's classes, which halves what a start costs.

The archive is made once a checkout, by a node that is put to use and stopped; Java ignores one that does not
fit.
"""

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bus.embedded.jars import KAFKA_VERSION
from bus.embedded.kafka import EmbeddedKafka

OPTIONS = "JDK_JAVA_OPTIONS"
"""The environment variable that Java's launcher reads, in every process of a run."""
STOP_SECONDS = 120.0
TOPIC = "archive"


def use_class_archive(folder: Path, *, make: bool) -> None:
    """Name the archive in a folder to every Java that this process and its children start.

    Args:
        folder: where it is kept.
        make: whether to make one where there is none.

    Raises:
        EmbeddedKafkaError: no node can be started to make it.
    """
    archive = folder / f"kafka-{KAFKA_VERSION}.jsa"
    if OPTIONS in os.environ:
        return
    if make and not archive.exists():
        _make(archive)
    if archive.exists():
        os.environ[OPTIONS] = f"-Xshare:auto -Xlog:disable -XX:SharedArchiveFile={archive}"


def _make(archive: Path) -> None:
    archive.parent.mkdir(exist_ok=True)
    made = archive.with_name(f"{uuid4()}.new")
    os.environ[OPTIONS] = f"-Xlog:disable -XX:ArchiveClassesAtExit={made}"
    try:
        with tempfile.TemporaryDirectory() as folder, EmbeddedKafka(Path(folder) / "node") as node:
            asyncio.run(_put_to_use(node.bootstrap_servers))
            (pid,) = node.pids
            if pid is not None:
                os.kill(pid, signal.SIGTERM)
                asyncio.run(_wait_until_stopped(node))
    finally:
        del os.environ[OPTIONS]
    if made.exists():
        made.replace(archive)


async def _wait_until_stopped(node: EmbeddedKafka) -> None:
    async with asyncio.timeout(STOP_SECONDS):
        while node.is_running:  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(0.05)


async def _put_to_use(bootstrap_servers: str) -> None:
    """Load the classes of a topic, of a transaction and of a group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=TOPIC)
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap_servers, group_id=TOPIC, auto_offset_reset="earliest"
    )
    try:
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
        await producer.start()
        async with producer.transaction():
            await producer.send_and_wait(TOPIC, b"value")
        await consumer.start()
        await consumer.getone()
    finally:
        await consumer.stop()
        await producer.stop()
        await admin.close()
