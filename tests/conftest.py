"""The broker of the tests: the embedded Kafka, a named one, or a container on request; never none.

`GOVBUS_TEST_BOOTSTRAP_SERVERS` names a broker. `GOVBUS_TEST_BROKER=container` starts one in Docker, which all
processes of the run share; where that fails, the run says why and uses the embedded Kafka.

`make test` runs a sample of the tests that take long; with `--whole`, as `.ci/run` says it, they run whole.

No example of Hypothesis is too slow: how long one takes says how busy the machine is.
"""

import asyncio
import gc
import inspect
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bus.embedded.config import HOST, NodePlan, Ports, node_properties
from bus.embedded.errors import EmbeddedKafkaError
from bus.embedded.folder import free_ports
from bus.embedded.kafka import EmbeddedKafka
from tests.class_archive import use_class_archive
from tests.connections import open_connections
from tests.worlds import PATIENCE_SECONDS

ADDRESS = "GOVBUS_TEST_BOOTSTRAP_SERVERS"
BROKER = "GOVBUS_TEST_BROKER"
IMAGE = os.environ.get("GOVBUS_TEST_KAFKA_IMAGE", "apache/kafka:4.4.0")
WITH_LOOPS = ("integration", "crash")
"""Folders whose tests may run event loops of their own."""
LOOK_SECONDS = 0.005
CHOSEN = pytest.StashKey[str]()

settings.register_profile("govbus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("govbus")

# readline, which pytest loads, sets it to 80 for the processes that pytest-xdist starts.
os.environ.pop("COLUMNS", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice between a sample and the whole of the long tests."""
    parser.addoption("--whole", action="store_true", help="run the long tests whole, as .ci/run does")


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Return whether a test that repeats itself does so as often as it can, or a few times."""
    return bool(request.config.getoption("whole"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let every test with an event loop end with all connections closed."""
    names: list[str] = getattr(item, "fixturenames", [])
    is_async = inspect.iscoroutinefunction(getattr(item, "function", None))
    if (is_async or item.path.parent.name in WITH_LOOPS) and "connections_closed" not in names:
        names.insert(0, "connections_closed")  # the first to be set up is the last to look


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a sample of the chosen cases of each test that is marked so, evenly spread."""
    if config.getoption("whole"):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out: set[pytest.Item] = set()
    for found in cases.values():
        (few,) = found[0].get_closest_marker("sampled").args  # type: ignore[union-attr]
        left_out.update(set(found) - {found[index * len(found) // few] for index in range(few)})
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def pytest_configure(config: pytest.Config) -> None:
    """Choose the broker once for all processes of the run, before any of them wants it."""
    if hasattr(config, "workerinput"):
        return
    if address := os.environ.get(ADDRESS):
        config.stash[CHOSEN] = f"{address} (from {ADDRESS})"
    elif os.environ.get(BROKER) == "container":
        config.stash[CHOSEN] = _start_container(config)
    else:
        config.stash[CHOSEN] = "embedded Kafka"
    with suppress(EmbeddedKafkaError):  # the tests that need it say so
        # Kafka is fetched here, once, where a terminal shows the progress.
        use_class_archive(config.rootpath / ".cache", make=bool(config.getoption("numprocesses", None)))


def pytest_report_header(config: pytest.Config) -> str:
    """Say which broker the run uses."""
    return f"broker: {config.stash.get(CHOSEN, None)}"


@pytest.fixture(scope="module")
def only_new_garbage() -> None:
    """Keep what lives already out of the collections of garbage after each test: they would take a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def connections_closed(only_new_garbage: None) -> AsyncIterator[None]:
    """Let a test end with every connection closed, and fail the test itself that leaves one open.

    TLS connections say goodbye before they close. What was forgotten warns when it is collected as garbage,
    and a warning is an error.
    """
    del only_new_garbage
    yield
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while open_connections():
                await asyncio.sleep(LOOK_SECONDS)
                gc.collect()
    gc.collect()
    assert open_connections() == []


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the bootstrap address of a real Kafka that all tests of one process share."""
    if address := os.environ.get(ADDRESS):
        yield address
    else:
        with ExitStack() as nodes:
            with _output_shown(request.config):  # the first run fetches Kafka
                node = nodes.enter_context(EmbeddedKafka())
            yield node.bootstrap_servers


def _output_shown(config: pytest.Config) -> AbstractContextManager[None]:
    capture = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()


def _start_container(config: pytest.Config) -> str:
    try:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        ports = Ports(*free_ports(3))
        properties = node_properties(NodePlan(Path("/tmp/govbus"), (ports,)))
        # Docker forwards to the container's own address, not to its loopback.
        listeners = properties["listeners"].replace(f"CLIENTS://{HOST}", "CLIENTS://")
        container = DockerContainer(IMAGE).with_bind_ports(ports.clients, ports.clients)
        for name, value in (properties | {"listeners": listeners}).items():
            container.with_env(f"KAFKA_{name.replace('.', '_').upper()}", value)
        container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
        config.add_cleanup(container.__enter__().stop)
    except Exception as error:  # noqa: BLE001 - whatever it is, the embedded Kafka serves
        reason = " ".join(str(error).split())[:200]
        return f"embedded Kafka, since no container of {IMAGE} started ({type(error).__name__}: {reason})"
    os.environ[ADDRESS] = f"{HOST}:{ports.clients}"
    return f"container of {IMAGE}"
