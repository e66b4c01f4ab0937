"""The half of the bus that a replay uses: one subscription, up to an end."""

from bus.deliver.subscriber import Subscriber
from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.transport import Transport


class BoundedReading:
    """Reads for one subscription up to where it ends; part of `Bus`."""

    transport: Transport
    """The cluster's seam."""
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
        """Let this bus, not started yet, read for one subscription and no other."""
        self._subscriptions = {subscription.name: subscription}

    @property
    def has_read_all(self) -> bool:
        """Whether every subscription has come to its ends."""
        return all(subscriber.has_read_all for subscriber in self._subscribers)
