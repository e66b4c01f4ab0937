"""Topics: names, settings, and the partition of a key, the same as every Kafka client's."""

import pytest
from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st
from murmurhash2 import murmurhash2

from bus.cluster.desired import OPERATORS_TOPICS
from bus.topics import (
    MAX_EVENT_BYTES,
    MURMUR2_SEED,
    audit_topic,
    checkpoints_topic,
    dead_letter_topic,
    group_of,
    murmur2,
    parked_topic,
    partition_of,
    receipts_topic,
    topic_of,
    topics_of,
)
from contracts import Catalog


@given(st.binary(max_size=64))
def test_murmur2_is_kafkas(data: bytes) -> None:
    """Keys go where any other client would send them, with the wheel and without."""
    assert murmur2(data, MURMUR2_SEED) == murmurhash2(data, MURMUR2_SEED) == theirs(data) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)  # fmt: skip
def test_murmur2_gives_the_numbers_of_kafkas_own_test(key: bytes, expected: int) -> None:
    """The table of `UtilsTest.testMurmur2` in Apache Kafka."""
    assert murmur2(key, MURMUR2_SEED) == murmurhash2(key, MURMUR2_SEED) == expected & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 100))
def test_a_key_has_one_partition(key: bytes, partitions: int) -> None:
    """Always the same, always there."""
    assert partition_of(key, partitions) in range(partitions)
    assert partition_of(key, partitions) == (theirs(key) & 0x7FFFFFFF) % partitions


def test_names_follow_the_design() -> None:
    """`<agency>.<event>.v1`, `<agency>.dead-letters`, `<agency>.<subscription>`."""
    assert topic_of("health.record-opened", 1) == "health.record-opened.v1"
    assert dead_letter_topic("health") == "health.dead-letters"
    assert group_of("health", "openers") == "health.openers"


def test_every_topic_of_a_catalogue_is_on_the_brokers_clock() -> None:
    """What is a state is compacted; each but the checkpoints has room for the largest event."""
    catalog = Catalog.open()
    specs = {spec.name: spec for spec in topics_of(catalog)}
    versions = [version for contract in catalog.contracts.values() for version in contract.versions]
    expected = {topic_of(version.contract.subject, version.major) for version in versions}
    expected |= {dead_letter_topic(agency) for agency in catalog.agencies}
    parked = {parked_topic(agency) for agency in catalog.agencies}
    audits = {audit_topic(agency) for agency in catalog.agencies}
    receipts = {receipts_topic(agency) for agency in catalog.agencies}
    checkpoints = {checkpoints_topic(agency) for agency in catalog.agencies}
    assert set(specs) == expected | parked | audits | receipts | checkpoints
    assert {specs[name].config["retention.ms"] for name in audits} == {"-1"}
    assert {specs[name].config["cleanup.policy"] for name in parked} == {"compact"}
    assert {spec.config.get("message.timestamp.type") for spec in (*specs.values(), *OPERATORS_TOPICS)} == {
        "LogAppendTime"
    }
    assert {specs.pop(name).config["cleanup.policy"] for name in checkpoints} == {"compact"}
    assert all(int(spec.config["max.message.bytes"]) > MAX_EVENT_BYTES for spec in specs.values())
    assert {specs[name].partitions for name in receipts} == {4}


def test_what_a_topic_keeps_is_not_left_to_the_brokers_defaults() -> None:
    """A limit of bytes that a broker gives to topics without one would remove events before their time."""
    for spec in (*topics_of(Catalog.open()), *OPERATORS_TOPICS):
        if spec.config.get("cleanup.policy") != "compact":
            assert (spec.config["cleanup.policy"], spec.config["retention.bytes"]) == ("delete", "-1")
            assert "retention.ms" in spec.config
