"""Errors of aiokafka and codes of Kafka, mapped to ours in one table.

Law of this file: what Kafka refuses for good is told as that, since an outage is waited out and repeated.
aiokafka 0.14 takes every code that it lacks for an unknown one; Kafka's own table says what each is
(`org.apache.kafka.common.protocol.Errors`).
"""

from typing import NamedTuple

from aiokafka import errors as kafka

from bus.errors import (
    AccessDeniedError,
    BusError,
    BusUnavailableError,
    ClusterSettingsError,
    EnvelopeError,
    FencedError,
    TopicLimitError,
    UsageError,
)

LACKING = (
    (13, "NetworkException", True),
    (74, "FencedLeaderEpoch", True),
    (75, "UnknownLeaderEpoch", True),
    (76, "UnsupportedCompressionType", False),
    (78, "OffsetNotAvailable", True),
    (81, "GroupMaxSizeReached", False),
    (82, "FencedInstanceId", False),
    (87, "InvalidRecord", False),
    (88, "UnstableOffsetCommit", True),
    (89, "ThrottlingQuotaExceeded", True),
    (90, "FencedProducer", False),
    (100, "UnknownTopicId", True),
    (103, "InconsistentTopicId", True),
    (105, "TransactionalIdNotFound", False),
    (120, "TransactionAbortable", False),
)
"""Codes that aiokafka lacks and that the bus may hear, and whether a client may repeat the request."""
for code, name, is_retriable in LACKING:
    described = {"errno": code, "message": name, "retriable": is_retriable}
    kafka.kafka_errors.setdefault(code, type(name, (kafka.BrokerResponseError,), described))

_FENCED = (
    "another process took over this transactional id, or the transaction took longer than "
    "GOVBUS_TRANSACTION_TIMEOUT_SECONDS"
)


class Told(NamedTuple):
    """What one of their errors is told as."""

    theirs: type[Exception]
    ours: type[BusError]
    why: str
    unwritten: bool = False
    """Whether a broker says it before it writes anything of a batch."""
    of_record: bool = False
    """Whether it may be about some records of a batch alone."""


TABLE = (
    Told(
        kafka.TopicAuthorizationFailedError,
        AccessDeniedError,
        "the cluster grants no access to this topic",
        unwritten=True,
    ),
    Told(
        kafka.GroupAuthorizationFailedError, AccessDeniedError, "the cluster grants no access to this group"
    ),
    Told(
        kafka.ClusterAuthorizationFailedError,
        AccessDeniedError,
        "the cluster grants no such operation",
        unwritten=True,
    ),
    Told(
        kafka.TransactionalIdAuthorizationFailed,
        AccessDeniedError,
        "the cluster grants no such transactions",
        unwritten=True,
    ),
    Told(kafka.SaslAuthenticationFailed, AccessDeniedError, "the cluster knows no such user and password"),
    Told(kafka.AuthenticationFailedError, AccessDeniedError, "the cluster knows no such user and password"),
    Told(
        kafka.UnsupportedSaslMechanismError,
        AccessDeniedError,
        "the cluster does not offer this SASL mechanism",
    ),
    Told(
        kafka.IllegalSaslStateError,
        UsageError,
        "the broker does not ask for SASL here, unlike GOVBUS_SECURITY_PROTOCOL",
    ),
    Told(kafka.SecurityDisabled, UsageError, "the cluster has no authorizer, so it keeps no access rules"),
    Told(
        kafka.MessageSizeTooLargeError,
        TopicLimitError,
        "the record is larger than the topic's max.message.bytes",
        unwritten=True,
        of_record=True,
    ),
    Told(
        kafka.RecordListTooLargeError,
        TopicLimitError,
        "the batch is larger than the topic's max.message.bytes",
        unwritten=True,
        of_record=True,
    ),
    Told(
        kafka.for_code(87),
        EnvelopeError,
        "the broker takes no such record: a compacted topic, for example, takes none without a key",
        unwritten=True,
        of_record=True,
    ),
    Told(
        kafka.InvalidTimestampError,
        EnvelopeError,
        "the record's time is outside of what the topic takes (message.timestamp.before.max.ms and after)",
        unwritten=True,
        of_record=True,
    ),
    Told(kafka.CorruptRecordException, BusUnavailableError, "the batch arrived damaged", unwritten=True),
    Told(
        kafka.InvalidTopicError,
        ClusterSettingsError,
        "the cluster takes nothing under such a name",
        unwritten=True,
    ),
    Told(
        kafka.PolicyViolationError,
        ClusterSettingsError,
        "a policy of the cluster does not allow it",
        unwritten=True,
    ),
    Told(
        kafka.UnsupportedForMessageFormatError,
        ClusterSettingsError,
        "the topic keeps a message format without headers",
        unwritten=True,
    ),
    Told(
        kafka.for_code(76),
        ClusterSettingsError,
        "the broker does not take this compression - at GOVBUS_COMPRESSION",
        unwritten=True,
    ),
    Told(
        kafka.UnsupportedVersionError,
        ClusterSettingsError,
        "the brokers are too old for this",
        unwritten=True,
    ),
    Told(
        kafka.InvalidRequestError, ClusterSettingsError, "the broker cannot use the request", unwritten=True
    ),
    Told(
        kafka.InvalidRequiredAcksError,
        ClusterSettingsError,
        "the broker cannot use the request",
        unwritten=True,
    ),
    Told(
        kafka.InvalidTransactionTimeout,
        UsageError,
        "GOVBUS_TRANSACTION_TIMEOUT_SECONDS is above the brokers' transaction.max.timeout.ms",
    ),
    Told(kafka.InvalidGroupIdError, UsageError, "the cluster takes no such name of a group"),
    Told(
        kafka.InconsistentGroupProtocolError,
        UsageError,
        "another kind of consumer reads in this group: give each a group of its own",
    ),
    Told(
        kafka.InvalidSessionTimeoutError,
        UsageError,
        "the session is outside of the brokers' group.min.session.timeout.ms and group.max",
    ),
    Told(
        kafka.OffsetMetadataTooLargeError,
        UsageError,
        "the mark of a commit is larger than the brokers' offset.metadata.max.bytes",
    ),
    Told(
        kafka.InvalidCommitOffsetSizeError,
        UsageError,
        "the commit is larger than the brokers' offsets topic takes",
    ),
    Told(kafka.ProducerFenced, FencedError, _FENCED),
    Told(kafka.InvalidProducerEpoch, FencedError, _FENCED),
    Told(kafka.for_code(90), FencedError, _FENCED),
    Told(
        kafka.UnknownTopicOrPartitionError,
        BusUnavailableError,
        "the topic or partition is not there (any more)",
    ),
    Told(kafka.CommitFailedError, BusUnavailableError, "the group rebalanced before the commit"),
    Told(kafka.IllegalStateError, BusUnavailableError, "the partition is not held any more"),
    Told(kafka.KafkaTimeoutError, BusUnavailableError, "the broker did not answer in time"),
    Told(kafka.KafkaConnectionError, BusUnavailableError, "no broker answers"),
    Told(kafka.KafkaError, BusUnavailableError, "the broker reports an error"),
)
REFUSALS = tuple(told.theirs for told in TABLE if told.unwritten)
"""What a broker says before it writes anything of a batch."""
OF_RECORDS = tuple(told.theirs for told in TABLE if told.of_record)
"""What it says of a batch of which it may take the other records."""


def translate(error: BaseException, where: str) -> BusError:
    """Return the bus' error for one of aiokafka's; `where` names the topic, group or address."""
    while type(error) is kafka.KafkaError and isinstance(error.__cause__, Exception):
        error = error.__cause__  # aiokafka wraps what ends its tasks
    for told in TABLE:
        if isinstance(error, told.theirs):
            return told.ours(f"{told.why} - {where} ({type(error).__name__})")
    return BusUnavailableError(f"the cluster could not be used - {where} ({type(error).__name__})")
