"""The `GOVBUS_*` variables that there are, and those of a process that nobody reads: a slip in a name.

Law of this file: it loads neither settings nor pydantic, so that every command can look.
"""

import os
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from contracts import visible_logger

logger = visible_logger("govbus.settings")

PREFIX: Final = "GOVBUS_"
NEAR: Final = 0.7
"""How much of two names must be the same for one to be a slip of the other."""
OTHERS: Final[dict[str, tuple[str, str]]] = {
    "ENV_FILE": ("file of variables, `NAME=value` a line", "`.env` of the project"),
    "PROFILE": ("the set of settings below `[profiles.NAME]` in the project file", "none"),
    "LOG": (
        "level of the log: `DEBUG`, `INFO`, `WARNING`, `ERROR`",
        "`INFO` for what serves, else `WARNING`",
    ),
    "LOG_FORMAT": ("`text` or `json`", "`text`"),
    "OPERATOR": ("who works at this terminal, for the audit", "the system's user"),
    "APPLIED_BY": ("who applies a catalogue, for the audit", "user and machine"),
    "COMMIT": ("the commit of the catalogue that is applied, for the audit", "git's HEAD"),
    "DATABASE": ("URL of the monitor's database", "a file in the user's state folder"),
    "DATABASE_PASSWORD": ("its password, where the URL has none", "none"),
    "SILENT_AFTER_SECONDS": ("after which an agency that receives nothing is silent", "65"),
    "RECEIPTS_KEEP_DAYS": ("how long the monitor keeps the receipts of what has ended", "400"),
    "CACHE": ("folder that keeps Kafka's jars", "the user's cache"),
    "MAVEN_REPOSITORY": ("mirror that Kafka's jars come from", "none"),
    "TRACEBACK": ("set to show where an internal fault of a command is", "none"),
}
"""Variables that are no field of `bus.Settings`: what each means, and its default."""
FIELDS: Final = frozenset(
    {
        "BATCH_BYTES", "BOOTSTRAP_SERVERS", "CATALOG", "COMMIT_INTERVAL_SECONDS", "COMPRESSION", "GRANTS",
        "HEALTH_HOST", "HEALTH_PORT", "INSTANCE", "MAX_POLL_RECORDS", "MAX_UNACKNOWLEDGED", "MAX_UNCOMMITTED",
        "PUBLISH_TIMEOUT_SECONDS", "REGISTRY", "REGISTRY_KEY", "REGISTRY_PUBLIC_KEY", "SASL_MECHANISM",
        "SASL_PASSWORD", "SASL_USERNAME", "SECURITY_PROTOCOL", "SSL_CAFILE", "SSL_CERTFILE", "SSL_KEYFILE",
        "STOP_TIMEOUT_SECONDS", "TRANSACTION_TIMEOUT_SECONDS",
    }
)  # fmt: skip
"""The fields of `bus.Settings`, in capitals."""
OF_OTHERS: Final = ("CATALOG_FOLDER", "CRASH", "IMAGE", "SECRETS")
"""Read by what is around govbus: the files for containers, and crash runs."""
OF_OTHERS_BEGIN: Final = ("DEMO_", "TEST_")


def unknown_variables(names: Collection[str]) -> dict[str, str]:
    """Return the variables that nobody reads, each with what may be meant, or nothing. Pure.

    Args:
        names: the names of variables.
    """
    known = [*FIELDS, *OTHERS, *OF_OTHERS]
    found = {}
    for name in sorted(names):
        plain = name.removeprefix(PREFIX)
        is_known = plain in known or plain.removesuffix("_FILE") in known
        if name.startswith(PREFIX) and not is_known and not plain.startswith(OF_OTHERS_BEGIN):
            near = get_close_matches(plain, known, n=1, cutoff=NEAR)
            found[name] = f"; did you mean `{PREFIX}{near[0]}`?" if near else ""
    return found


def warn_of_unknown() -> None:
    """Warn of each variable that is nearly one that there is; `govbus config` lists every unknown one."""
    for name, near in unknown_variables(os.environ).items():
        if near:
            logger.warning("%s is no setting of govbus%s", name, near)
