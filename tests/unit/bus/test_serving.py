"""How a process that serves ends."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import pytest

from bus import InstanceTakenError, Settings
from bus.process.health import Check
from bus.process.serving import LEFT_ALONE, serve


class Taken:
    """Serves until another process takes its name."""

    checks: Mapping[str, Check] = {}
    stopped = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.stopped = True

    async def wait(self) -> None:
        """Hear of it."""
        raise InstanceTakenError("south.edge", "south-1")


def test_a_process_whose_name_is_taken_exits_with_a_code_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever restarts it can tell; the error names the process and its group, and says what to do."""
    service = Taken()
    with pytest.raises(SystemExit) as ended:
        asyncio.run(serve(service, Settings()))
    assert (ended.value.code, service.stopped) == (LEFT_ALONE, True)
    (record,) = caplog.records
    assert "`south-1`" in record.message
    assert "`south.edge`" in record.message
    assert "GOVBUS_INSTANCE" in record.message
