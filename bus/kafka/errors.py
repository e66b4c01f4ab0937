"""Errors of aiokafka, mapped to ours in one table."""

from aiokafka import errors as kafka

from bus.errors import (
    AccessDeniedError,
    BusError,
    BusUnavailableError,
    EnvelopeError,
    FencedError,
    UsageError,
)

_FENCED = (
    "another process took over this transactional id, or the transaction took longer than "
    "GOVBUS_TRANSACTION_TIMEOUT_SECONDS"
)
TABLE: tuple[tuple[type[Exception], type[BusError], str], ...] = (
    (kafka.TopicAuthorizationFailedError, AccessDeniedError, "the cluster grants no access to this topic"),
    (kafka.GroupAuthorizationFailedError, AccessDeniedError, "the cluster grants no access to this group"),
    (kafka.ClusterAuthorizationFailedError, AccessDeniedError, "the cluster grants no such operation"),
    (kafka.SaslAuthenticationFailed, AccessDeniedError, "the cluster knows no such user and password"),
    (kafka.AuthenticationFailedError, AccessDeniedError, "the cluster knows no such user and password"),
    (
        kafka.UnsupportedSaslMechanismError,
        AccessDeniedError,
        "the cluster does not offer this SASL mechanism",
    ),
    (
        kafka.IllegalSaslStateError,
        UsageError,
        "the broker does not ask for SASL here, unlike GOVBUS_SECURITY_PROTOCOL",
    ),
    (
        kafka.MessageSizeTooLargeError,
        EnvelopeError,
        "the record is larger than the topic's max.message.bytes",
    ),
    (kafka.RecordListTooLargeError, EnvelopeError, "the batch is larger than the topic's max.message.bytes"),
    (kafka.ProducerFenced, FencedError, _FENCED),
    (kafka.InvalidProducerEpoch, FencedError, _FENCED),
    (kafka.TransactionalIdAuthorizationFailed, AccessDeniedError, "the cluster grants no such transactions"),
    (
        kafka.UnknownTopicOrPartitionError,
        BusUnavailableError,
        "the topic or partition is not there (any more)",
    ),
    (kafka.CommitFailedError, BusUnavailableError, "the group rebalanced before the commit"),
    (kafka.IllegalStateError, BusUnavailableError, "the partition is not held any more"),
    (kafka.KafkaTimeoutError, BusUnavailableError, "the broker did not answer in time"),
    (kafka.KafkaConnectionError, BusUnavailableError, "no broker answers"),
    (kafka.KafkaError, BusUnavailableError, "the broker reports an error"),
)


def translate(error: BaseException, where: str) -> BusError:
    """Return the bus' error for one of aiokafka's; `where` names the topic, group or address."""
    for theirs, ours, why in TABLE:
        if isinstance(error, theirs):
            return ours(f"{why} - {where} ({type(error).__name__})")
    return BusUnavailableError(f"the cluster could not be used - {where} ({type(error).__name__})")
