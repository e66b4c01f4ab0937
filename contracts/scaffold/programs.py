"""The text of new programs and of their tests. Pure."""

from __future__ import annotations

import json
from keyword import iskeyword
from typing import Any, Final

from contracts.contract import ContractVersion
from contracts.errors import ContractError

_SUBSCRIBER: Final = '''\
"""{agency} reads `{subject}`.

    govbus run {module}:bus --reload    # until Ctrl-C; GOVBUS_BOOTSTRAP_SERVERS names the cluster
    python -m pytest test_{module}.py   # in memory
"""

from bus import Bus, Event

bus = Bus("{agency}")


@bus.subscribe("{subject}", version={major}, purpose="{purpose}")
async def handle(event: Event) -> None:
    # What is raised here is tried again, by a schedule; later events of the same key wait, others go on.
    print("received", event.id)
'''

_SUBSCRIBER_TEST: Final = '''\
"""The program handles an event, in memory."""

import asyncio

from bus.testing import InMemoryBus, patched

import {module}

{example}


def test_an_event_is_handled() -> None:
    async def play() -> str:
        async with (
            patched({module}.bus) as cluster,
            InMemoryBus("{owner}", cluster=cluster) as publisher,
        ):
            await publisher.publish("{subject}", EXAMPLE, version="{number}")
            (receipt,) = await cluster.deliveries("{subject}.v{major}")
            return receipt.outcome

    assert asyncio.run(play()) == "ack"
'''

_PUBLISHER: Final = '''\
"""{agency} publishes `{subject}`.

    python {module}.py                  # once; GOVBUS_BOOTSTRAP_SERVERS names the cluster
    python -m pytest test_{module}.py   # in memory
"""

import asyncio

from bus import Bus, Receipt

bus = Bus("{agency}")

{example}


async def publish() -> Receipt:
    # It returns when the broker has the event. What breaks the contract is refused before it is sent.
    return await bus.publish("{subject}", EXAMPLE, version="{number}"{service})


async def main() -> None:
    async with bus:
        receipt = await publish()
        print("published", receipt.id)


if __name__ == "__main__":
    asyncio.run(main())
'''

_PUBLISHER_TEST: Final = '''\
"""What the program publishes keeps its contract, in memory."""

import asyncio

from bus.testing import patched

import {module}


def test_its_event_is_on_the_bus() -> None:
    async def play() -> int:
        async with patched({module}.bus) as cluster:
            await {module}.publish()
            return len(cluster.records("{subject}.v{major}"))

    assert asyncio.run(play()) == 1
'''


def module_of(name: str) -> str:
    """The name of a program as a module.

    Raises:
        ContractError: No module may have that name.
    """
    module = name.removesuffix(".py").replace("-", "_")
    if not module.isidentifier() or not module.isascii() or iskeyword(module) or module in TAKEN:
        raise ContractError(
            "Expected a name of lower-case words joined by `-` or `_` that is none of "
            f"{', '.join(TAKEN)}, got another - at the name of the program"
        )
    return module


TAKEN: Final = ("asyncio", "bus", "connectors", "contracts", "govbus", "observability")
"""Modules that a program of that name would hide."""


def subscriber_files(
    name: str, agency: str, purpose: str, version: ContractVersion, example: Any
) -> dict[str, str]:
    """A program that subscribes, and its test, by path.

    Args:
        name: The name of the program.
        agency: The agency that reads.
        purpose: What the data is used for.
        version: What it reads.
        example: Data that keeps the contract.

    Raises:
        ContractError: No module may have that name.
    """
    words = _words(name, agency, version, example) | {"purpose": purpose}
    return {
        f"{words['module']}.py": _SUBSCRIBER.format(**words),
        f"test_{words['module']}.py": _SUBSCRIBER_TEST.format(**words),
    }


def publisher_files(name: str, version: ContractVersion, example: Any, service: str | None) -> dict[str, str]:
    """A program that publishes, and its test, by path.

    Args:
        name: The name of the program.
        version: What it publishes.
        example: Data that keeps the contract.
        service: The service that the event begins, if any.

    Raises:
        ContractError: No module may have that name.
    """
    words = _words(name, version.contract.agency, version, example)
    words["service"] = f', service="{service}"' if service else ""
    return {
        f"{words['module']}.py": _PUBLISHER.format(**words),
        f"test_{words['module']}.py": _PUBLISHER_TEST.format(**words),
    }


def _words(name: str, agency: str, version: ContractVersion, example: Any) -> dict[str, Any]:
    return {
        "module": module_of(name),
        "agency": agency,
        "owner": version.contract.agency,
        "subject": version.contract.subject,
        "major": version.major,
        "number": version.number,
        "example": f"EXAMPLE = {_literal(example)}",
    }


def _literal(value: Any, indent: str = "") -> str:
    """A JSON value as Python, an entry of a mapping or a list on each line."""
    deeper = f"{indent}    "
    match value:
        case dict():
            entries = [f"{json.dumps(name)}: {_literal(each, deeper)}" for name, each in value.items()]
            return _block("{", entries, "}", indent)
        case list():
            return _block("[", [_literal(each, deeper) for each in value], "]", indent)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)


def _block(begin: str, entries: list[str], end: str, indent: str) -> str:
    lines = "".join(f"{indent}    {entry},\n" for entry in entries)
    return f"{begin}\n{lines}{indent}{end}" if entries else begin + end
