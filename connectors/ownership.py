"""Which process runs a source: one at a time, and another within 15 s where that one ends.

Law of this file: the members of the group `<agency>.<connector>` share the agency's checkpoints, and who
holds them is the owner. Kafka gives them to another member once the owner has left, or has not been heard of
for the session timeout of 10 s. An owner that was only suspended may not know it: its next transaction is
refused, for the new one has taken the transactional id before it read the checkpoint.
"""

import asyncio

from bus import Bus, BusError, BusUnavailableError, InstanceTakenError, checkpoints_topic

LOOK_SECONDS = 0.5
"""How soon an owner hears that it is none any more."""

AGAIN_SECONDS = 1.0


class Ownership:
    """One process's turn at one source.

    Args:
        bus: The bus of its agency, started before `keep`.
        connector: Its name, unique in the agency.
    """

    def __init__(self, bus: Bus, connector: str) -> None:
        self._bus = bus
        self._group = f"{bus.agency}.{connector}"
        self._is_member = self._is_held = False
        self._changed = asyncio.Event()
        self._fault: BusError | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process is the owner, as far as it has heard."""
        return self._is_held

    @property
    def is_elsewhere(self) -> bool:
        """Whether this process is in the group and another is the owner."""
        return self._is_member and not self._is_held

    async def change(self) -> None:
        """Wait until something of it may have changed.

        Raises:
            BusError: The cluster does not let this process into the group, or a newer process has its name.
        """
        if self._fault is not None:
            raise self._fault
        await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """End a wait for a change."""
        self._changed.set()

    async def keep(self) -> None:
        """Be a member of the group until cancelled, or until a newer process has the name of this one."""
        while not isinstance(self._fault, InstanceTakenError):
            consumer = self._bus.transport.consumer(self._group, [checkpoints_topic(self._bus.agency)])
            try:
                await consumer.start()
                self._fault = None
                while True:
                    places = consumer.assigned()
                    for place in places:
                        consumer.pause(place)  # the owner reads its checkpoint by itself
                    self._tell(is_member=True, is_held=bool(places))
                    try:
                        await consumer.poll(LOOK_SECONDS, 1)
                    except BusUnavailableError:  # an outage ends no ownership; the group says so itself
                        await asyncio.sleep(AGAIN_SECONDS)
            except BusUnavailableError:
                await asyncio.sleep(AGAIN_SECONDS)
            except BusError as error:
                self._fault = error
                self._changed.set()
                await asyncio.sleep(AGAIN_SECONDS)
            finally:
                self._tell(is_member=False, is_held=False)
                await consumer.close()

    def _tell(self, *, is_member: bool, is_held: bool) -> None:
        if (is_member, is_held) != (self._is_member, self._is_held):
            self._is_member, self._is_held = is_member, is_held
            self._changed.set()
