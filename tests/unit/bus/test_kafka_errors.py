"""What Kafka refuses for good is told as that, and what may be repeated as an outage."""

import pytest
from aiokafka import errors as kafka

from bus import AccessDeniedError, FencedError, RefusedError, UsageError
from bus.kafka.errors import OF_RECORDS, REFUSALS, translate

RETRIABLE = {
    2, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84, 88, 89, 100,
    103, 106, 122, 123, 133,
}  # fmt: skip
"""Codes whose exception is a `RetriableException` in Kafka's own client, 4.4.0, which knows `LAST` codes."""
LAST = 136
END_BY_THEMSELVES = {
    -1: "nobody knows what became of the request",
    1: "the subscription is told where it begins, and goes on",
    8: "a broker is away",
    22: "the member joins again",
    25: "the member joins again",
    27: "the member joins again",
    45: "the producer takes another id",
    46: "the broker has the batch",
    48: "the transaction is aborted, and begins anew",
    49: "the id begins anew",
    52: "the coordinator has moved",
    59: "the producer takes another id",
    79: "the member joins with its id",
    81: "until another member leaves",
    82: "the membership ends with an error of its own",
    105: "the id begins anew",
    120: "the transaction is aborted, and begins anew",
}
"""Codes that Kafka's client does not repeat by itself, and that whoever waits and tries again gets past."""
NOT_HEARD = {
    4, 11, *range(36, 41), 55, 57, *range(60, 70), 73, 77, *range(85, 87), *range(91, 100), 101, 102, 104,
    *range(107, 120), 121, *range(124, 133), 134, 135, 136,
}  # fmt: skip
"""Codes between brokers, and of requests that the bus does not send, or whose codes it reads one by one."""
HEARD = sorted({*range(-1, LAST + 1)} - {0} - NOT_HEARD)


@pytest.mark.parametrize("code", HEARD)
def test_a_code_is_told_as_kafka_means_it(code: int) -> None:
    """None that is final is waited out."""
    told = translate(kafka.for_code(code)(), "a test")
    assert told.retriable == (code in RETRIABLE or code in END_BY_THEMSELVES), told


@pytest.mark.parametrize("theirs", REFUSALS)
def test_what_is_refused_for_good_is_no_outage(theirs: type[Exception]) -> None:
    """But for a batch that arrived damaged, which may be sent again."""
    assert translate(theirs(), "a test").retriable == (theirs is kafka.CorruptRecordException)


def test_what_is_about_single_records_refuses_their_events() -> None:
    """Their publishers hear of it as of what the bus itself refuses."""
    assert {kafka.for_code(code) for code in (10, 18, 32, 87)} == set(OF_RECORDS)
    reasons = {code: str(translate(kafka.for_code(code)(), "a test").reason) for code in (10, 18, 32, 87)}
    assert all(isinstance(translate(theirs(), "a test"), RefusedError) for theirs in OF_RECORDS)
    assert reasons == {10: "too-large", 18: "too-large", 32: "malformed-envelope", 87: "malformed-envelope"}


def test_the_cause_is_told_where_a_task_of_the_client_has_ended() -> None:
    """Not that it has."""
    ended = kafka.KafkaError("Unexpected error during batch delivery")
    ended.__cause__ = kafka.ClusterAuthorizationFailedError()
    assert isinstance(translate(ended, "a test"), AccessDeniedError)


@pytest.mark.parametrize("code", [47, 90])
def test_a_newer_producer_fences_by_either_code(code: int) -> None:
    """Brokers use both."""
    assert isinstance(translate(kafka.for_code(code)(), "a test"), FencedError)


def test_a_setting_that_the_brokers_do_not_allow_is_named() -> None:
    """Whoever waits would wait for ever."""
    told = translate(kafka.InvalidTransactionTimeout(), "a test")
    assert isinstance(told, UsageError)
    assert "GOVBUS_TRANSACTION_TIMEOUT_SECONDS" in str(told)
