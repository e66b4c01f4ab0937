"""The program of the page for FastStream runs as written."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from bus.testing import InMemoryBus, patched
from tests.unit.bus.test_readme import BIRTH, SUBJECT

PAGE = (Path(__file__).parents[3] / "bus" / "faststream.md").read_text("utf-8")


async def test_the_program_of_the_page_handles_an_event(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its dependency and FastStream's names are filled."""
    monkeypatch.setenv("GOVBUS_CATALOG", "reference")
    (program,) = re.findall(r"^```python run\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "faststream.md", "exec", dont_inherit=True), names)
    async with patched(names["health"]) as cluster:
        with caplog.at_level(logging.INFO):
            async with InMemoryBus("civil-registry", cluster=cluster) as registry:
                receipt = await registry.publish(SUBJECT, BIRTH, version="1.0")
                await cluster.deliveries(f"{SUBJECT}.v1")
    assert any(receipt.id in one.message and "in Port Ellery" in one.message for one in caplog.records)
