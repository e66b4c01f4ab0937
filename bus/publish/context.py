"""What the deliveries and transactions of one running bus share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bus.publish.publisher import Publisher
from bus.receipts.writer import ReceiptLog
from bus.record import Record
from bus.settings import Settings
from bus.telemetry import Telemetry
from bus.transport import Sender, Transport
from contracts import Catalog

Learn = Callable[[Record], Awaitable[bool]]


@dataclass(slots=True)
class BusContext:
    """One agency's system on one cluster."""

    agency: str
    system: str
    settings: Settings
    catalog: Catalog
    transport: Transport
    telemetry: Telemetry
    learn: Learn | None = None
    """Asks the registry for news of a version that nobody here has heard of."""

    def publisher(
        self, sender: Sender, receipts: ReceiptLog, refusals: ReceiptLog | None = None
    ) -> Publisher:
        """Return what publishes the agency's events.

        Args:
            sender: where they go.
            receipts: where their receipts go.
            refusals: where those go of what is refused, if elsewhere.
        """
        return Publisher(
            self.catalog,
            self.agency,
            sender,
            receipts,
            self.telemetry,
            clock=self.transport.clock,
            refusals=refusals or receipts,
        )
