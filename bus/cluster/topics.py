"""Creates the topics of a catalogue in a cluster."""

from bus.cluster.desired import desired_topics
from bus.errors import UsageError
from bus.kafka.cluster import Cluster
from bus.settings import Settings
from contracts import Catalog, ClusterState, PlanScope, compare_states


async def apply_topics(settings: Settings | None = None, catalog: Catalog | None = None) -> list[str]:
    """Create every topic that a catalogue needs and the cluster lacks; existing ones stay as they are.

    Args:
        settings: the cluster; from the environment if absent.
        catalog: the contracts; those that the settings name if absent.

    Returns:
        The names of the created topics.

    Raises:
        BusError: the cluster cannot be reached, or does not allow it.
        UsageError: a topic would have one copy on several brokers, or more copies than there are brokers.
    """
    settings = settings or Settings()
    catalog = catalog or Catalog.open(settings.catalog)
    nothing = PlanScope(frozenset(), lambda _: False, frozenset())
    async with Cluster.open(settings) as cluster:
        found = await cluster.topics(among=desired_topics(catalog, ClusterState()))
        topics = desired_topics(catalog, found)
        missing = {name: topic for name, topic in topics.items() if name not in found.topics}
        plan = compare_states(ClusterState(missing), found, nothing)
        for change in plan.refusals:
            raise UsageError(f"Topic `{change.name}` cannot be made: {change.refusal}")
        await cluster.make_topics(missing.values())
    return list(missing)
