"""Creates the topics of a catalogue in a cluster."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from bus.kafka.client import begin, connection, end
from bus.kafka.errors import translate
from bus.settings import Settings
from bus.topics import TopicSpec, topics_of
from contracts import Catalog


async def apply_topics(settings: Settings | None = None, catalog: Catalog | None = None) -> list[str]:
    """Create every topic that a catalogue needs and the cluster lacks; existing ones stay as they are.

    Args:
        settings: the cluster; from the environment if absent.
        catalog: the contracts; those that the settings name if absent.

    Returns:
        The names of the created topics.

    Raises:
        BusError: the cluster cannot be reached, or does not allow it.
    """
    settings = settings or Settings()
    specs = topics_of(catalog or Catalog.open(settings.catalog))
    admin = AIOKafkaAdminClient(**connection(settings))
    await begin(admin, settings, settings.bootstrap_servers)
    try:
        existing = set(await admin.list_topics())
        missing = [_new_topic(spec, settings) for spec in specs if spec.name not in existing]
        if missing:
            _check(await admin.create_topics(missing))
        return [topic.name for topic in missing]
    except KafkaError as error:
        raise translate(error, settings.bootstrap_servers) from error
    finally:
        await end(admin)


def _new_topic(spec: TopicSpec, settings: Settings) -> Any:
    config = {**spec.config, "min.insync.replicas": str(settings.min_insync_replicas)}
    return NewTopic(spec.name, spec.partitions, settings.replication_factor, topic_configs=config)


def _check(response: Any) -> None:
    for topic, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(topic)
