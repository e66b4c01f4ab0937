"""The broker of the tests: a named one, else a container, else the embedded Kafka; never none.

No example of Hypothesis is too slow: how long one takes says how busy the machine is.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bus.embedded.config import HOST, NodePlan, Ports, node_properties
from bus.embedded.errors import JarError
from bus.embedded.folder import free_ports
from bus.embedded.kafka import EmbeddedKafka

ADDRESS = "GOVBUS_TEST_BOOTSTRAP_SERVERS"
IMAGE = os.environ.get("GOVBUS_TEST_KAFKA_IMAGE", "apache/kafka:4.4.0")
PULL_TIMEOUT_SECONDS = 90.0

settings.register_profile("govbus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("govbus")


def pytest_configure(config: pytest.Config) -> None:
    """Fetch Kafka before several processes want it, which have no terminal to show the progress on."""
    first_of_many = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if first_of_many and ADDRESS not in os.environ:
        with suppress(JarError):  # told by the tests that need it
            EmbeddedKafka()._jars()


def pytest_report_header() -> str:
    """Say which broker the run would use."""
    if address := os.environ.get(ADDRESS):
        return f"broker: {address} (from {ADDRESS})"
    if _docker_answers():
        return f"broker: container of {IMAGE} if it can be had, else embedded Kafka"
    return "broker: embedded Kafka (no Docker daemon answers)"


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the bootstrap address of a real Kafka that all tests of one process share."""
    if address := os.environ.get(ADDRESS):
        yield address
    elif _docker_answers() and _image_is_here():
        yield from _container()
    else:
        with ExitStack() as nodes:
            with _output_shown(request.config):  # the first run fetches Kafka
                node = nodes.enter_context(EmbeddedKafka())
            yield node.bootstrap_servers


def _output_shown(config: pytest.Config) -> AbstractContextManager[None]:
    capture = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()


def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    ports = Ports(*free_ports(3))
    plan = NodePlan(Path("/tmp/govbus"), (ports,))
    container = DockerContainer(IMAGE).with_bind_ports(ports.clients, ports.clients)
    for name, value in node_properties(plan).items():
        container.with_env(f"KAFKA_{name.replace('.', '_').upper()}", value)
    # Docker forwards to the container's own address, not to its loopback.
    listeners = node_properties(plan)["listeners"].replace(f"CLIENTS://{HOST}", "CLIENTS://")
    container.with_env("KAFKA_LISTENERS", listeners)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with container:
        yield f"{HOST}:{ports.clients}"


def _docker_answers() -> bool:
    return _docker("info", timeout_seconds=5)


def _image_is_here() -> bool:
    return _docker("image", "inspect", IMAGE, timeout_seconds=10) or _docker(
        "pull", "--quiet", IMAGE, timeout_seconds=PULL_TIMEOUT_SECONDS
    )


def _docker(*arguments: str, timeout_seconds: float) -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        run = subprocess.run(
            ["docker", *arguments], capture_output=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0
