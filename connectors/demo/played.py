"""Picks from a catalogue what the demo brings to life: its services, their events, their agencies."""

from __future__ import annotations

from dataclasses import replace

from connectors.demo.books import STARTS
from contracts import Catalog

__all__ = ["played"]


def played(catalog: Catalog) -> Catalog:
    """A catalogue without the services nobody plays: their topics would be made, and stay empty."""
    names = {page.name for page in STARTS}
    services = {name: service for name, service in catalog.services.items() if name in names}
    subjects = {
        subject
        for service in services.values()
        for subject in (service.start, *(milestone.event for milestone in service.milestones))
    }
    agencies = {subject.partition(".")[0] for subject in subjects}
    return replace(
        catalog,
        agencies={name: agency for name, agency in catalog.agencies.items() if name in agencies},
        contracts={name: contract for name, contract in catalog.contracts.items() if name in subjects},
        services=services,
        subscriptions={
            key: subscription
            for key, subscription in catalog.subscriptions.items()
            if subscription.subject in subjects and subscription.consumer in agencies
        },
    )
