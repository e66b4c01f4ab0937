"""Errors of the embedded Kafka.

BusError > EmbeddedKafkaError
    JarError        a jar could not be fetched, or is not the one in the lock
    JavaError       no Java that can run Kafka
    NodeError       the node did not start, or its folder or port is taken
"""

from bus.errors import BusError
from bus.outcome import Reason


class EmbeddedKafkaError(BusError):
    """The embedded Kafka failed; the message says what failed, why, and how to fix it."""

    reason = Reason.BUS_UNAVAILABLE


class JarError(EmbeddedKafkaError):
    """A jar of Kafka could not be fetched, or its SHA-256 is not the one in the lock."""


class JavaError(EmbeddedKafkaError):
    """No Java was found that can run Kafka."""


class NodeError(EmbeddedKafkaError):
    """The node did not start, or another process uses its folder or port."""
