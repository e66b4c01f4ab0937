"""How many brokers hold each event. Pure.

Law: the catalogue decides (`cluster.yaml`). Where it says nothing the cluster does: what its topics have,
what its brokers have as default, how many brokers there are. Whoever runs `apply` decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from contracts.cluster.state import ClusterState, Copies
from contracts.contract import ClusterPolicy

USUAL: Final = 3
"""Copies on a cluster of enough brokers: one may be in maintenance while another fails."""


def is_alone(found: ClusterState) -> bool:
    """Whether the cluster is one broker and was never meant to be more, as on a developer's machine."""
    copies = max((topic.replicas for topic in found.topics.values()), default=1)
    return found.brokers == found.default_copies.replicas == copies == 1


def copies_for(policy: ClusterPolicy, found: ClusterState, names: Iterable[str]) -> Copies:
    """Return the copies of each topic of the catalogue.

    Args:
        policy: The catalogue's `cluster.yaml`.
        found: The cluster.
        names: The topics of the catalogue.
    """
    if is_alone(found):
        return Copies(1, 1)
    held = Counter(found.topics[name].replicas for name in names if name in found.topics)
    most = max(held, key=lambda replicas: (held[replicas], replicas), default=1)
    default = found.default_copies
    replicas = policy.replication_factor or max(default.replicas, most, min(found.brokers, USUAL))
    in_sync = policy.min_insync_replicas or min(replicas, max(default.in_sync, replicas - 1, 1))
    return Copies(replicas, in_sync)
