"""The context of one running bus, shared by its deliveries and transactions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bus.publish.publisher import Publisher
from bus.publish.spreading import Spreading
from bus.publish.waiting import Patience
from bus.receipts.writer import ReceiptLog
from bus.record import Record
from bus.settings import Settings
from bus.telemetry import Telemetry
from bus.times.sunsets import SunsetWatch
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
    spreading: Spreading
    sunsets: SunsetWatch
    learn: Learn | None = None
    """Reads the registry because of a version that is unknown here."""

    def publisher(
        self,
        sender: Sender,
        receipts: ReceiptLog,
        refusals: ReceiptLog | None = None,
        *,
        together: bool = False,
    ) -> Publisher:
        """Return a publisher of the agency's events.

        Args:
            sender: sends the events.
            receipts: takes their receipts.
            refusals: takes the receipts of refused events; `receipts` if absent.
            together: whether it sends in transactions.
        """
        return Publisher(
            self.catalog,
            self.agency,
            sender,
            receipts,
            self.telemetry,
            clock=self.transport.clock,
            refusals=refusals or receipts,
            spreading=self.spreading,
            published=self.sunsets.publishes,
            patience=Patience(self.settings.publish_timeout_seconds),
            together=together,
        )
