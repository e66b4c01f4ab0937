"""The part of the bus that a replay uses: one subscription, read up to an end."""

from bus.deliver.subscriber import Subscriber
from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.transport import Transport


class BoundedReading:
    """Reads for one subscription up to its ends; part of `Bus`."""

    transport: Transport
    """The cluster."""
    _subscriptions: dict[str, Subscription]
    _subscribers: list[Subscriber]

    def subscription(self, name: str) -> Subscription:
        """Return a subscription by its name.

        Raises:
            UsageError: there is none.
        """
        if name not in self._subscriptions:
            known = ", ".join(sorted(self._subscriptions)) or "none"
            raise UsageError(f"Expected a subscription of this bus ({known}), got `{name}`")
        return self._subscriptions[name]

    def read_only(self, subscription: Subscription) -> None:
        """Keep one subscription of this bus, which is not started yet, and drop the others."""
        self._subscriptions = {subscription.name: subscription}

    @property
    def has_read_all(self) -> bool:
        """Whether every subscription has reached its ends."""
        return all(subscriber.has_read_all for subscriber in self._subscribers)
