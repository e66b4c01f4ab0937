"""The settings of a node: properties of Kafka, of its log and of its Java. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
SCRAM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Admin:
    """The super user of a Kafka with access control."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class NodeSecurity:
    """What a node requires of clients; in any case they may only do what an ACL allows.

    Attributes:
        admin: The super user; the nodes use it among themselves.
        scram: Whether a client needs a password.
        keys: PEM file of the node's own key and certificate; None leaves connections unencrypted.
        authority: PEM file of the authority of the clients. Without `scram` a client needs a certificate,
            whose common name is its user name.
    """

    admin: Admin
    scram: bool
    keys: Path | None = None
    authority: Path | None = None

    @property
    def protocol(self) -> str:
        """The security protocol of clients."""
        return ("SASL_" if self.scram else "") + ("SSL" if self.keys else "PLAINTEXT")


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a node on 127.0.0.1: for clients, for other brokers, and for other controllers."""

    clients: int
    brokers: int
    controllers: int


@dataclass(frozen=True, slots=True)
class NodePlan:
    """The folder, ports and cluster of a node.

    Attributes:
        folder: Holds the node's settings, its log and its events.
        cluster: The ports of every node of its cluster, in order.
        number: Which of them it is, from 1.
        advertised: The `host:port` that clients should use, if it is not the node's own.
        guard: What clients need; None leaves the node open to every local process.
    """

    folder: Path
    cluster: tuple[Ports, ...]
    number: int = 1
    advertised: str | None = None
    guard: NodeSecurity | None = None

    @property
    def ports(self) -> Ports:
        """Where this node listens."""
        return self.cluster[self.number - 1]

    @property
    def events(self) -> Path:
        """The folder of Kafka's own files."""
        return self.folder / "events"

    @property
    def log_file(self) -> Path:
        """The log of the node."""
        return self.folder / "kafka.log"

    @property
    def properties_file(self) -> Path:
        """The settings that Kafka reads."""
        return self.folder / "server.properties"

    @property
    def log_properties_file(self) -> Path:
        """The settings that the log reads."""
        return self.folder / "log4j2.properties"


def node_properties(plan: NodePlan) -> dict[str, str]:
    """Return the settings of a node that is broker and controller in one, quick to start and small."""
    own = plan.ports
    clients, brokers = f"CLIENTS://{HOST}:{own.clients}", f"BROKERS://{HOST}:{own.brokers}"
    advertised = f"CLIENTS://{plan.advertised}" if plan.advertised else clients
    outside, inside = (plan.guard.protocol, "SASL_PLAINTEXT") if plan.guard else ("PLAINTEXT", "PLAINTEXT")
    voters = (f"{number}@{HOST}:{ports.controllers}" for number, ports in enumerate(plan.cluster, start=1))
    return {
        "process.roles": "broker,controller",
        "node.id": str(plan.number),
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": "CONTROLLERS",
        "inter.broker.listener.name": "BROKERS",
        "listeners": f"{clients},{brokers},CONTROLLERS://{HOST}:{own.controllers}",
        "advertised.listeners": f"{advertised},{brokers}",
        "listener.security.protocol.map": f"CLIENTS:{outside},BROKERS:{inside},CONTROLLERS:{inside}",
        "log.dirs": str(plan.events),
        **_SMALL,
        **_copies(len(plan.cluster)),
        **(_access_control(plan.guard) if plan.guard else {}),
    }


_SMALL = {
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "8",
    # Kafka's highest: whatever a catalogue's topics keep, who was stopped finds the place again.
    "offsets.retention.minutes": str(2**31 - 1),
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A dead node is missed after 3 s, not 9, and until then its restart is taken for an impostor: on one
    # machine no network makes a live node look dead.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "metadata.log.segment.bytes": "16777216",
}


def copies_of(nodes: int) -> tuple[int, int]:
    """Return replication factor and min ISR for a number of nodes."""
    copies = min(nodes, 3)
    return copies, max(copies - 1, 1)


def _copies(nodes: int) -> dict[str, str]:
    copies, in_sync = (str(number) for number in copies_of(nodes))
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _access_control(guard: NodeSecurity) -> dict[str, str]:
    admin = guard.admin
    # Nodes meet before any has read a SCRAM secret from the cluster's own log, hence PLAIN among them.
    plain = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required"
        f' username="{admin.username}" password="{admin.password}"'
        f' user_{admin.username}="{admin.password}";'
    )
    return {
        "listener.name.brokers.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.brokers.plain.sasl.jaas.config": plain,
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.controllers.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controllers.plain.sasl.jaas.config": plain,
        "sasl.mechanism.controller.protocol": "PLAIN",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{admin.username}",
        **(_passwords() if guard.scram else {}),
        **(_certificates(guard) if guard.keys else {}),
    }


def _passwords() -> dict[str, str]:
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "listener.name.clients.sasl.enabled.mechanisms": SCRAM,
        f"listener.name.clients.{SCRAM.lower()}.sasl.jaas.config": login,
    }


def _certificates(guard: NodeSecurity) -> dict[str, str]:
    settings = {
        "keystore.type": "PEM",
        "keystore.location": str(guard.keys),
        "truststore.type": "PEM",
        "truststore.location": str(guard.authority),
        "client.auth": "requested" if guard.scram else "required",
        # The name of an agency and nothing beside it; any other subject stays a name that no ACL allows.
        "principal.mapping.rules": "RULE:^CN=([a-z0-9-]+)$/$1/,DEFAULT",
    }
    return {f"listener.name.clients.ssl.{name}": value for name, value in settings.items()}


def log_properties(log_file: Path) -> dict[str, str]:
    """Return log settings: at most three files of 10 MB."""
    return {
        "status": "error",
        "appender.file.type": "RollingFile",
        "appender.file.name": "file",
        "appender.file.fileName": str(log_file),
        "appender.file.filePattern": f"{log_file}.%i",
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "[%d] %p %m (%c)%n",
        "appender.file.policies.type": "Policies",
        "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size": "10MB",
        "appender.file.strategy.type": "DefaultRolloverStrategy",
        "appender.file.strategy.max": "2",
        "rootLogger.level": "info",
        "rootLogger.appenderRef.file.ref": "file",
    }


def java_arguments(plan: NodePlan, jars: Sequence[Path]) -> list[str]:
    """Return the arguments of a Java that starts quickly and stays small."""
    return [
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={plan.log_properties_file.as_uri()}",
        "-cp",
        ":".join(str(jar) for jar in jars),
    ]


def serve_arguments(plan: NodePlan) -> list[str]:
    """Return the main class and arguments that run the node."""
    return ["kafka.Kafka", str(plan.properties_file)]


def format_arguments(plan: NodePlan, cluster_id: str) -> list[str]:
    """Return the main class and arguments that make the empty storage of a node."""
    arguments = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(plan.properties_file)]
    if plan.guard and plan.guard.scram:
        admin = plan.guard.admin
        arguments += ["--add-scram", f"{SCRAM}=[name={admin.username},password={admin.password}]"]
    return arguments


def render_properties(properties: Mapping[str, str]) -> str:
    """Return the text of a Java properties file."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def render_arguments(arguments: Iterable[str]) -> str:
    """Return the text of a Java argument file, which keeps secrets out of the list of processes."""
    quoted = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    return "".join(f'"{argument}"\n' for argument in quoted)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
