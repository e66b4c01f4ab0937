"""The empty storage of a new node, made by Kafka's own tool or copied from what the tool made before.

The tool's output depends on its version alone, except for the two ids in `meta.properties` and the secrets
of a super user, so the record of features that it wrote once is kept. Without passwords it is in the user's
cache, and the next new node starts one second sooner; with passwords it is in the folder of the Kafka, for
all its nodes.
"""

import base64
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bus.embedded.config import (
    NodePlan,
    format_arguments,
    render_arguments,
    render_properties,
)
from bus.embedded.errors import NodeError
from bus.embedded.folder import write_private

FEATURES = Path("__cluster_metadata-0", "00000000000000000000-0000000000.checkpoint")
IDENTITY = "meta.properties"


def kafka_uuid() -> str:
    """Return a random identity in Kafka's spelling."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
    return "A" + text[1:] if text.startswith("-") else text  # a tool would take a dash for an option


def make_storage(plan: NodePlan, cluster_id: str, java: Sequence[str], features: Path) -> None:
    """Make the empty storage of a new node; existing storage is left as it is.

    Args:
        plan: The node.
        cluster_id: Its cluster.
        java: The Java program and its arguments.
        features: The file of the record of features; written if it is missing.

    Raises:
        NodeError: The tool failed; the message names its log.
    """
    # The identity is written last: without it nothing in the folder was ever served.
    if (plan.events / IDENTITY).exists():
        return
    shutil.rmtree(plan.events, ignore_errors=True)
    if features.exists():
        (plan.events / FEATURES).parent.mkdir(parents=True)
        shutil.copyfile(features, plan.events / FEATURES)
        write_private(plan.events / IDENTITY, render_properties(_identity(cluster_id, plan.number)))
        return
    _format(plan, cluster_id, java)
    staged = features.with_name(f"{features.name}.{os.getpid()}")
    shutil.copyfile(plan.events / FEATURES, staged)
    staged.replace(features)


def _identity(cluster_id: str, number: int) -> dict[str, str]:
    return {"version": "1", "cluster.id": cluster_id, "node.id": str(number), "directory.id": kafka_uuid()}


def _format(plan: NodePlan, cluster_id: str, java: Sequence[str]) -> None:
    program, *arguments = java
    order = plan.folder / "format.args"
    write_private(order, render_arguments([*arguments, *format_arguments(plan, cluster_id)]))
    with plan.log_file.open("ab") as log:
        run = subprocess.run(  # noqa: S603 - our own order
            [program, f"@{order}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    order.unlink()
    if run.returncode:
        msg = f"could not make the storage of Apache Kafka in {plan.events} - see {plan.log_file}"
        raise NodeError(msg)
