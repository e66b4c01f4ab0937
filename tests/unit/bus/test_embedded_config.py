"""A node is told to be small, quick, local and, on request, closed."""

from pathlib import Path

import pytest

from bus.embedded.config import (
    Admin,
    NodePlan,
    NodeSecurity,
    Ports,
    copies_of,
    format_arguments,
    log_properties,
    node_properties,
    render_arguments,
    render_properties,
)

ONE = (Ports(19092, 19093, 19094),)
THREE = (*ONE, Ports(29092, 29093, 29094), Ports(39092, 39093, 39094))
ADMIN = Admin("admin", "secret")
OPEN = NodePlan(Path("/node"), ONE)
CLOSED = NodePlan(Path("/node"), ONE, guard=NodeSecurity(ADMIN, scram=True))
CERTIFIED = NodePlan(Path("/node"), ONE, guard=NodeSecurity(ADMIN, False, Path("/node.pem"), Path("/ca.pem")))
BOTH = NodePlan(Path("/node"), ONE, guard=NodeSecurity(ADMIN, True, Path("/node.pem"), Path("/ca.pem")))


def test_a_node_listens_on_this_machine_only() -> None:
    """No listener is bound to, or told to clients as, another address."""
    properties = node_properties(OPEN)
    assert (
        properties["listeners"]
        == "CLIENTS://127.0.0.1:19092,BROKERS://127.0.0.1:19093,CONTROLLERS://127.0.0.1:19094"
    )
    assert properties["advertised.listeners"] == "CLIENTS://127.0.0.1:19092,BROKERS://127.0.0.1:19093"


def test_clients_are_told_another_address_and_brokers_are_not() -> None:
    """A proxy between client and broker does not stand between a broker and itself."""
    properties = node_properties(NodePlan(Path("/node"), ONE, advertised="127.0.0.1:5000"))
    assert properties["advertised.listeners"] == "CLIENTS://127.0.0.1:5000,BROKERS://127.0.0.1:19093"
    assert properties["listeners"].startswith("CLIENTS://127.0.0.1:19092,")


def test_each_node_of_a_cluster_knows_all() -> None:
    """All vote, each under its own number and on its own ports."""
    properties = [node_properties(NodePlan(Path("/node"), THREE, number=number)) for number in (1, 2, 3)]
    assert {node["controller.quorum.voters"] for node in properties} == {
        "1@127.0.0.1:19094,2@127.0.0.1:29094,3@127.0.0.1:39094"
    }
    assert [node["node.id"] for node in properties] == ["1", "2", "3"]
    assert [node["advertised.listeners"][:26] for node in properties] == [
        "CLIENTS://127.0.0.1:19092,", "CLIENTS://127.0.0.1:29092,", "CLIENTS://127.0.0.1:39092,",
    ]  # fmt: skip


def test_of_three_copies_two_must_hold_an_event() -> None:
    """One node may be lost at any time, with its disk."""
    assert [copies_of(nodes) for nodes in (1, 2, 3, 5)] == [(1, 1), (2, 1), (3, 2), (3, 2)]
    properties = node_properties(NodePlan(Path("/node"), THREE))
    copies = {name: value for name, value in properties.items() if name.endswith("replication.factor")}
    in_sync = {
        name: value for name, value in properties.items() if name.endswith(("min.isr", "sync.replicas"))
    }
    assert set(copies) >= {"default.replication.factor", "offsets.topic.replication.factor"}
    assert set(in_sync) >= {"min.insync.replicas", "transaction.state.log.min.isr"}
    assert (set(copies.values()), set(in_sync.values())) == ({"3"}, {"2"})


def test_a_node_makes_no_topic_by_itself_and_waits_for_nobody() -> None:
    """A misspelt topic is an error, and one node is enough for every internal topic."""
    properties = node_properties(OPEN)
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["group.initial.rebalance.delay.ms"] == "0"
    assert {
        value for name, value in properties.items() if name.endswith((".replication.factor", ".min.isr"))
    } == {"1"}


def test_a_node_never_forgets_a_place() -> None:
    """So it suits every catalogue, however long its events are kept: 2^31 - 1 minutes is Kafka's highest."""
    assert node_properties(OPEN)["offsets.retention.minutes"] == str(2**31 - 1)


def test_an_open_node_has_no_access_control() -> None:
    """No SASL and no authorizer unless asked for."""
    properties = node_properties(OPEN)
    assert (
        properties["listener.security.protocol.map"]
        == "CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLERS:PLAINTEXT"
    )
    assert not [name for name in properties if "sasl" in name or "ssl" in name or "authorizer" in name]


def test_a_closed_node_denies_what_no_acl_allows() -> None:
    """Every listener asks who is there, and only the super user may do all."""
    properties = node_properties(CLOSED)
    assert (
        properties["listener.security.protocol.map"]
        == "CLIENTS:SASL_PLAINTEXT,BROKERS:SASL_PLAINTEXT,CONTROLLERS:SASL_PLAINTEXT"
    )
    assert properties["listener.name.clients.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert properties["authorizer.class.name"] == "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["super.users"] == "User:admin"


@pytest.mark.parametrize(
    ("plan", "protocol", "asked"), [(CERTIFIED, "SSL", "required"), (BOTH, "SASL_SSL", "requested")]
)
def test_a_certificate_says_who_a_client_is_unless_a_password_does(
    plan: NodePlan, protocol: str, asked: str
) -> None:
    """Without passwords nobody comes in without a certificate; the authorizer is on either way."""
    properties = node_properties(plan)
    assert properties["listener.security.protocol.map"].split(",")[0] == f"CLIENTS:{protocol}"
    assert properties["listener.name.clients.ssl.client.auth"] == asked
    assert properties["authorizer.class.name"] == "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


def test_the_super_user_exists_from_the_first_start() -> None:
    """Its SCRAM secret is part of the storage that the tool makes."""
    assert "--add-scram" not in format_arguments(OPEN, "id") + format_arguments(CERTIFIED, "id")
    assert format_arguments(CLOSED, "id")[-2:] == [
        "--add-scram",
        "SCRAM-SHA-512=[name=admin,password=secret]",
    ]


def test_the_log_goes_to_a_file_of_bounded_size() -> None:
    """A node that runs for months fills no disk."""
    properties = log_properties(Path("/node/kafka.log"))
    assert properties["appender.file.fileName"] == "/node/kafka.log"
    assert properties["appender.file.policies.size.size"] == "10MB"
    assert properties["appender.file.strategy.max"] == "2"


def test_values_are_escaped_as_java_reads_them() -> None:
    """A backslash, a quote or a space in a path means itself."""
    assert render_properties({"a": "C:\\x", "b": "one\ntwo"}) == "a=C:\\\\x\nb=one\\ntwo\n"
    assert render_arguments(["-cp", 'a b"c\\d']) == '"-cp"\n"a b\\"c\\\\d"\n'
