"""The relay of an outbox: events that an agency's own database transactions have written."""

from connectors.outbox.source import OutboxOptions, OutboxSource

__all__ = ["OutboxOptions", "OutboxSource"]
