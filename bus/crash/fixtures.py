"""Fixtures for the tests of an agency: `pytest_plugins = ["bus.crash.fixtures"]` in its `conftest.py`.

`govbus_kafka` is a real Kafka with every topic of the catalogue; `crash_trial` runs the agency's program
under a fault. Needs pytest and the extra `embedded`; nothing else of govbus imports this module.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.cluster.topics import apply_topics
from bus.crash.app_trial import AgencyApp
from bus.crash.faults import local, missing
from bus.crash.report import total
from bus.crash.verdict import CrashVerdict
from bus.embedded.kafka import EmbeddedKafka
from bus.errors import UsageError
from bus.settings import Settings

CrashTrial = Callable[..., CrashVerdict]


@pytest.fixture(scope="session")
def _govbus_node() -> Iterator[Settings]:
    with EmbeddedKafka() as node:
        settings = local(node.bootstrap_servers)
        asyncio.run(apply_topics(settings))
        yield settings


@pytest.fixture
def govbus_kafka(_govbus_node: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A Kafka with the topics of the catalogue that `GOVBUS_CATALOG` names, else of the project.

    All tests of the session share it. A `Bus` that is made during the test connects to it; one that was made
    before, for example at the import of a module, does not: give it these settings, or import its module in
    the test.
    """
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", _govbus_node.bootstrap_servers)
    monkeypatch.setenv("GOVBUS_SECURITY_PROTOCOL", _govbus_node.security_protocol)
    return _govbus_node


@pytest.fixture
def crash_trial() -> CrashTrial:
    """Run a program once under a fault: `crash_trial("health_bus:bus", "kill after-handler")`.

    It returns a `CrashVerdict`, the sum of all subscriptions; `seed`, `events` and `count` are those of
    `govbus check --crash`. The test must be a plain function. It is skipped where this machine cannot make
    the fault.
    """

    def run(
        app: str,
        fault: str = "kill after-handler",
        *,
        seed: int = 1,
        events: Path | None = None,
        count: int = 600,
    ) -> CrashVerdict:
        program = AgencyApp(app, events=events, count=count)
        if why := missing(fault):
            pytest.skip(why)
        if why := program.why_not(fault):
            raise UsageError(f"Expected a fault that can happen to `{app}`, got `{fault}`: {why}")
        return total([one.verdict for one in asyncio.run(program.run(fault, seed))])

    return run
