"""Fixtures for the tests of an agency: `pytest_plugins = ["bus.crash.fixtures"]` in its `conftest.py`.

`govbus_kafka` is a real Kafka with every topic of the catalogue; `crash_trial` strikes the agency's program.
Needs pytest and the extra `embedded`; nothing else of govbus imports this module.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.crash.account import total
from bus.crash.faults import missing, near
from bus.crash.strikes import App
from bus.crash.verdict import Verdict
from bus.embedded.kafka import EmbeddedKafka
from bus.errors import UsageError
from bus.kafka.admin import apply_topics
from bus.settings import Settings

CrashTrial = Callable[..., Verdict]


@pytest.fixture(scope="session")
def _govbus_node() -> Iterator[Settings]:
    with EmbeddedKafka() as node:
        settings = near(node.bootstrap_servers)
        asyncio.run(apply_topics(settings))
        yield settings


@pytest.fixture
def govbus_kafka(_govbus_node: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A Kafka with the topics of the catalogue that `GOVBUS_CATALOG` names, else of the reference catalogue.

    The whole run shares it. A `Bus` that is made during the test goes there by itself; one that was made
    before, such as a module's own, does not: give a bus these settings, or import its module in the test.
    """
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", _govbus_node.bootstrap_servers)
    monkeypatch.setenv("GOVBUS_SECURITY_PROTOCOL", _govbus_node.security_protocol)
    return _govbus_node


@pytest.fixture
def crash_trial() -> CrashTrial:
    """Strike a program once: `crash_trial("health_bus:bus", "kill after-handler")` returns a `Verdict`.

    It adds up all subscriptions; `seed`, `events` and `count` are those of `govbus check --crash`. For a test
    that is a plain function. A fault that this machine cannot make skips the test.
    """

    def strike(
        app: str,
        fault: str = "kill after-handler",
        *,
        seed: int = 1,
        events: Path | None = None,
        count: int = 600,
    ) -> Verdict:
        program = App(app, events=events, count=count)
        if why := missing(fault):
            pytest.skip(why)
        if why := program.why_not(fault):
            raise UsageError(f"Expected a fault that can strike `{app}`, got `{fault}`: {why}")
        return total([one.verdict for one in asyncio.run(program.once(fault, seed))])

    return strike
