"""The full stack's compose file, checked without pulling an image."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from contracts import Catalog

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXACT_TAG = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*")
SECRET = re.compile("PASS|SECRET|TOKEN")
IN_A_FILE = re.compile(r"/run/secrets/[a-z-]+|/var/lib/govbus/monitor/password")
TELEMETRY = {"alertmanager", "blackbox", "collector", "grafana", "jaeger", "kafka-exporter", "prometheus"}
DECLARED_VOLUMES = {
    "apache/kafka": {"/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data"},
    "danielqsj/kafka-exporter": set(),
    "govbus": set(),
    "govbus-collector": set(),
    "grafana/grafana": set(),
    "jaegertracing/jaeger": set(),
    "postgres": {"/var/lib/postgresql"},
    "prom/alertmanager": {"/alertmanager"},
    "prom/blackbox-exporter": set(),
    "prom/prometheus": {"/prometheus"},
    "prometheuscommunity/postgres-exporter": set(),
}
"""The `VOLUME` lines of the images' Dockerfiles, as of November 2026."""

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
    sources = [re.sub(r"^\$\{[A-Z_]+:-([^}]*)\}", r"\1", mount).split(":", 1)[0] for mount in mounts]
    return [source for source in sources if source.startswith(".")]


def nodes(prefix: str = "") -> list[dict[str, str]]:
    """Return the environment of each Kafka node of a profile."""
    return [SERVICES[f"{prefix}kafka-{number}"]["environment"] for number in (1, 2, 3)]


def in_profile(profile: str) -> set[str]:
    """Return the services that a profile starts."""
    return {name for name, service in SERVICES.items() if profile in service.get("profiles", [profile])}


def test_compose_file_follows_the_specification() -> None:
    """An unknown key or a value of the wrong form is an error of the file."""
    filled_in = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", json.dumps(COMPOSE))
    parsed = PyCompose.from_json(filled_in)
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
def test_a_password_is_a_file(name: str) -> None:
    """None is in this file or in a process's environment, and a file that is missing stops the start."""
    environment = SERVICES[name].get("environment", {})
    secret = {key: value for key, value in environment.items() if SECRET.search(key)}
    assert all(key.endswith("_FILE") and IN_A_FILE.fullmatch(value) for key, value in secret.items())
    used = {value.removeprefix("/run/secrets/") for value in secret.values() if value.startswith("/run/")}
    assert used <= set(SERVICES[name].get("secrets", []))
    assert set(SERVICES[name].get("secrets", [])) <= set(COMPOSE["secrets"])


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
    assert SERVICES[name]["read_only"] is not (re.search(r"kafka-\d$", name) is not None)


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
    """A path that `.dockerignore` leaves out cannot be copied; all that the wheel is built from is."""
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / ".docker/Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert kept == {path for line in copied for path in line.split()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]) <= kept


@pytest.mark.parametrize("prefix", ["", "secure-"])
def test_kafka_is_three_nodes_that_lose_nothing(prefix: str) -> None:
    """Three nodes, three copies, two of them needed for an acknowledgement, and no topic by accident."""
    assert [node["KAFKA_NODE_ID"] for node in nodes(prefix)] == ["1", "2", "3"]
    for node in nodes(prefix):
        assert node["KAFKA_PROCESS_ROLES"] == "broker,controller"
        assert node["KAFKA_DEFAULT_REPLICATION_FACTOR"] == "3"
        assert node["KAFKA_MIN_INSYNC_REPLICAS"] == "2"
        assert node["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert len({node["CLUSTER_ID"] for node in nodes(prefix)}) == 1


@pytest.mark.parametrize("prefix", ["", "secure-"])
def test_kafka_keeps_offsets_as_long_as_the_reference_catalogue_keeps_events(prefix: str) -> None:
    """So that `contracts verify` finds nothing after the first start."""
    longest = max(contract.retention_days for contract in Catalog.open().contracts.values())
    for node in nodes(prefix):
        assert int(node["KAFKA_OFFSETS_RETENTION_MINUTES"]) >= longest * 24 * 60


def test_bus_names_every_node_of_the_cluster() -> None:
    """So that it starts while one of them is away."""
    environment = SERVICES["topics"]["environment"]
    assert len(environment["GOVBUS_BOOTSTRAP_SERVERS"].split(",")) == 3


@each_service
def test_no_work_waits_for_telemetry(name: str) -> None:
    """The record keeper and the bus start, and stay, whether or not anybody takes their figures."""
    assert TELEMETRY.isdisjoint(SERVICES[name].get("depends_on", {}))


@each_service
def test_no_image_leaves_a_nameless_volume(name: str) -> None:
    """What the image declares is a named volume, or memory; else each start leaves one behind."""
    service = SERVICES[name]
    mounted = {mount.split(":")[-1 if mount.count(":") == 1 else -2] for mount in service.get("volumes", [])}
    mounted |= {mount.partition(":")[0] for mount in service.get("tmpfs", [])}
    assert DECLARED_VOLUMES[service["image"].partition(":")[0]] <= mounted


def test_every_named_volume_is_used() -> None:
    """And each that is used is declared."""
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {mount.partition(":")[0] for mount in mounts if mount[0].isalpha()} == set(COMPOSE["volumes"])


def test_the_demo_starts_only_where_it_is_asked_for() -> None:
    """The stack of an operator has no made-up citizens in it."""
    assert "demo" not in in_profile("plain") | in_profile("secure")
    assert in_profile("demo") == in_profile("plain") | {"demo"}
    assert "COMPOSE_PROFILES=plain\n" in (ROOT / ".env").read_text("utf-8")


@pytest.mark.parametrize("profile", ["plain", "demo", "secure"])
def test_a_profile_is_whole(profile: str) -> None:
    """What a service waits for is in the same profile."""
    started = in_profile(profile)
    assert {awaited for name in started for awaited in SERVICES[name].get("depends_on", {})} <= started


def test_the_secure_profile_encrypts_and_denies() -> None:
    """TLS everywhere, a password of each client, an authorizer, and a signed catalogue."""
    for node in nodes("secure-"):
        protocols = dict(one.split(":") for one in node["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
        assert protocols == {"BROKERS": "SSL", "CONTROLLER": "SSL", "CLIENTS": "SASL_SSL", "HOST": "SASL_SSL"}
        assert node["KAFKA_AUTHORIZER_CLASS_NAME"].endswith(".StandardAuthorizer")
        assert node["KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND"] == "false"
        assert node["KAFKA_SSL_CLIENT_AUTH"] == "required"
    assert SERVICES["secure-monitor"]["environment"]["GOVBUS_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert SERVICES["secure-apply"]["command"][:2] == ["contracts", "apply"]
    assert "GOVBUS_REGISTRY_KEY" in SERVICES["secure-apply"]["environment"]
    assert "GOVBUS_REGISTRY_PUBLIC_KEY" in SERVICES["secure-monitor"]["environment"]


def test_only_who_issues_holds_the_keys_of_the_authority() -> None:
    """Neither a broker nor the monitor could make itself another's certificate."""
    holders = {
        name
        for name, service in SERVICES.items()
        for mount in service.get("volumes", [])
        if mount.startswith(("secure-authority:", "secure-passwords:"))
    }
    assert holders == {"secure-files", "secure-users", "secure-apply"}


def test_health_follows_the_work() -> None:
    """The health of our own services is what they say of their work, not that something listens."""
    serving = {name for name, service in SERVICES.items() if service["image"].startswith("govbus:")}
    serving -= awaits("service_completed_successfully")
    assert serving == {"monitor", "console", "demo", "secure-monitor", "secure-console"}
    for name in serving:
        program, port = SERVICES[name]["healthcheck"]["test"][1:]
        health = SERVICES[name]["environment"].get("GOVBUS_HEALTH_PORT", "8900")
        assert (program, port) == ("govbus-health", health)


def test_every_govbus_service_reads_the_mounted_catalogue() -> None:
    """An operator's catalogue stands in for the packaged one, and nobody in a container changes it."""
    for name, service in SERVICES.items():
        if service["image"].startswith("govbus:"):
            assert service["environment"]["GOVBUS_CATALOG"] == "/etc/govbus/catalogue", name
            assert any(mount.endswith(":/etc/govbus/catalogue:ro") for mount in service["volumes"]), name


@pytest.mark.parametrize("profile", ["plain", "demo", "secure"])
def test_docker_compose_takes_the_file(profile: str, tmp_path: Path) -> None:
    """Compose itself resolves it, where it is installed."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("Docker Compose is not installed here")
    done = subprocess.run(
        ["docker", "compose", "--profile", profile, "config", "--services"],
        cwd=ROOT, env={**os.environ, "GOVBUS_SECRETS": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == in_profile(profile)


def test_a_page_reaches_a_person() -> None:
    """Prometheus sends to Alertmanager, which knows both severities; the addresses are files."""
    prometheus = yaml.safe_load((ROOT / ".docker/prometheus.yml").read_text("utf-8"))
    targets = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert {target.partition(":")[0] for target in targets} <= set(SERVICES)
    manager = yaml.safe_load((ROOT / ".docker/alertmanager.yml").read_text("utf-8"))
    receivers = {receiver["name"]: receiver["webhook_configs"] for receiver in manager["receivers"]}
    routes = {route["matchers"][0]: route["receiver"] for route in manager["route"]["routes"]}
    assert {manager["route"]["receiver"], *routes.values()} == set(receivers) == {"page", "ticket"}
    assert routes == {'severity="page"': "page"}
    files = {hook["url_file"].removeprefix("/run/secrets/") for hooks in receivers.values() for hook in hooks}
    assert files == set(SERVICES["alertmanager"]["secrets"])
