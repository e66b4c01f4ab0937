"""The full stack's compose file, checked without pulling an image."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXACT_TAG = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*")
REQUIRED = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def awaits(condition: str) -> set[str]:
    """Return the services that others wait for until `condition`."""
    return {
        awaited
        for service in SERVICES.values()
        for awaited, how in service.get("depends_on", {}).items()
        if how["condition"] == condition
    }


def mounted_files() -> list[str]:
    """Return every path of the checkout that a service mounts."""
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    return [mount.split(":", 1)[0] for mount in mounts if mount.startswith(".")]


def test_compose_file_follows_the_specification() -> None:
    """An unknown key or a value of the wrong form is an error of the file."""
    parsed = PyCompose.from_json(json.dumps(COMPOSE))
    assert set(SERVICES) == set(parsed.service_names())


@each_service
def test_image_is_pinned_to_an_exact_tag(name: str) -> None:
    """The same file starts the same programs a year later."""
    assert EXACT_TAG.fullmatch(SERVICES[name]["image"])


@each_service
def test_service_has_a_health_check_or_ends(name: str) -> None:
    """What stays up says whether it is well; what ends is waited for until it has ended."""
    ends = name in awaits("service_completed_successfully")
    assert ends or SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@each_service
def test_a_service_waits_for_health_not_for_a_start(name: str) -> None:
    """Nothing begins beside a program that is still starting."""
    conditions = {how["condition"] for how in SERVICES[name].get("depends_on", {}).values()}
    assert conditions <= {"service_healthy", "service_completed_successfully"}


@each_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    """Nobody on the network reaches the stack."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@each_service
def test_a_published_service_is_on_the_network_that_may_be_published(name: str) -> None:
    """An internal network publishes no port, so who has one stands on `edge` too."""
    assert ("edge" in SERVICES[name]["networks"]) == bool(SERVICES[name].get("ports"))


@each_service
def test_no_password_is_written_down(name: str) -> None:
    """A password comes from the environment, and its absence stops the start with a message."""
    secret = {
        value
        for key, value in SERVICES[name].get("environment", {}).items()
        if re.search("PASSWORD|SECRET", key)
    }
    assert all(REQUIRED.fullmatch(value) for value in secret)


def test_no_address_holds_a_password() -> None:
    """A URL with a password in it would be printed by the first error."""
    assert re.search(r"://[^/\s]*:[^/\s]*@", (ROOT / "docker-compose.yml").read_text("utf-8")) is None


@each_service
def test_service_cannot_gain_privileges(name: str) -> None:
    """A program taken over stays what it was: no new privileges, no capabilities it does not need."""
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]


@each_service
def test_root_file_system_is_read_only(name: str) -> None:
    """Only Kafka's image writes beside its volumes, at start."""
    assert SERVICES[name]["read_only"] is not name.startswith("kafka-")


@each_service
def test_service_has_limits(name: str) -> None:
    """One program that runs away does not take the others with it."""
    assert {"cpus", "memory", "pids"} == set(SERVICES[name]["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("path", sorted(set(mounted_files())))
def test_mounted_path_exists(path: str) -> None:
    """Docker makes an empty folder of a path that is missing, and the program starts without its file."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", sorted(name for name in SERVICES if "build" in SERVICES[name]))
def test_image_is_built_from_a_file_that_exists(name: str) -> None:
    """The build of an image of ours names its file, and that file names exact bases."""
    build = SERVICES[name]["build"]
    dockerfile = (ROOT / build["context"] / build["dockerfile"]).read_text("utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert bases
    assert all(EXACT_TAG.fullmatch(base) for base in bases)


def test_our_image_runs_as_nobody_and_from_the_lock() -> None:
    """The process has no rights, its packages are held to their hashes, and no stray file shadows a room."""
    dockerfile = (ROOT / ".docker/Dockerfile").read_text("utf-8")
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    assert "--verify-hashes" in dockerfile
    assert "--constraints requirements.lock --build-constraints requirements.lock" in dockerfile
    assert "PYTHONSAFEPATH=1" in dockerfile


def test_build_context_holds_what_the_image_copies() -> None:
    """A path that `.dockerignore` leaves out cannot be copied."""
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / ".docker/Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert kept == {path for line in copied for path in line.split()}


def test_kafka_is_three_nodes_that_lose_nothing() -> None:
    """Three nodes, three copies, two of them needed for an acknowledgement, and no topic by accident."""
    nodes = [service["environment"] for name, service in SERVICES.items() if name.startswith("kafka-")]
    assert [node["KAFKA_NODE_ID"] for node in nodes] == ["1", "2", "3"]
    for node in nodes:
        assert node["KAFKA_PROCESS_ROLES"] == "broker,controller"
        assert node["KAFKA_DEFAULT_REPLICATION_FACTOR"] == "3"
        assert node["KAFKA_MIN_INSYNC_REPLICAS"] == "2"
        assert node["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert len({node["CLUSTER_ID"] for node in nodes}) == 1


def test_bus_names_every_node_of_the_cluster() -> None:
    """So that it starts while one of them is away."""
    environment = SERVICES["topics"]["environment"]
    assert len(environment["GOVBUS_BOOTSTRAP_SERVERS"].split(",")) == 3
