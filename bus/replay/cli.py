"""`govbus replay`: handle a window of a subscription's events again, with approval and audit."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from uuid_utils import uuid7

from bus.replay.replay import ReplayRequest, replay, window
from bus.run.programs import load_named_bus
from bus.settings import login
from contracts import say

if TYPE_CHECKING:
    from bus.bus import Bus

_WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


@click.command("replay")
@click.argument("subscription")
@click.option("--app", required=True, metavar="MODULE:BUS", help="The agency's bus, with its handlers.")
@click.option("--from", "since", type=_WHEN, required=True, help="Broker time (UTC) of the first event.")
@click.option("--to", "until", type=_WHEN, required=True, help="Broker time (UTC) before which it ends.")
@click.option("--by", default=login, help="Your name in the audit; GOVBUS_OPERATOR or your login.")
@click.option("--approved-by", default="", help="Who approved it; not you.")
@click.option("--why", default="", help="The reason, for the audit; no data.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=200.0, help="Events per second; 200."
)
@click.option("--id", "identity", help="Id of an interrupted replay to continue.")
@click.option("--dry-run", is_flag=True, help="Count the events, and do nothing.")
def replay_command(subscription: str, app: str, identity: str | None, *, dry_run: bool, **said: Any) -> int:
    """Handle a window of a subscription's events again, with the agency's own handler."""
    request = ReplayRequest(
        identity or str(uuid7()), _utc(said["since"]), _utc(said["until"]), said["by"],
        said["approved_by"], said["why"], said["rate"],
    )  # fmt: skip
    bus = load_named_bus(app)
    if dry_run:
        return asyncio.run(_count(bus, subscription, request))
    request.require_sound()
    say(f"replay {request.id}; if it is interrupted, continue with --id {request.id}", err=True)
    say(f"{asyncio.run(replay(bus, subscription, request))} handled again")
    return 0


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


async def _count(bus: "Bus", name: str, request: ReplayRequest) -> int:
    await bus.transport.start()
    try:
        offsets = await window(bus.transport, bus.subscription(name), request)
    finally:
        await bus.transport.stop()
    for (topic, partition), (start, end) in sorted(offsets.items()):
        say(f"{topic}/{partition}: {end - start} events, from {start} to before {end}")
    return 0
