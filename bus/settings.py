"""Where the cluster is and how to reach it: from `GOVBUS_*` variables or their files, never from code."""

import getpass
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bus.environment import SUFFIX, Environment

PREFIX = "GOVBUS_"


class SettingsFiles(PydanticBaseSettingsSource):
    """The fields whose values stand in files; see `bus/environment.py`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of a field, None where no variable names its file."""
        del field
        name = PREFIX + field_name.upper()
        in_file = os.environ.get(name + SUFFIX)
        return (Environment()[name] if in_file else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every field that stands in a file."""
        found = {
            name: self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, (value, *_) in found.items() if value is not None}


class Settings(BaseSettings):
    """Connection and limits of one process.

    Every field is read from the variable `GOVBUS_<NAME>`, or from the file that `GOVBUS_<NAME>_FILE` names.
    Times are seconds, sizes are bytes.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what was given in code, then files that variables name, then variables."""
        del dotenv_settings, file_secret_settings
        return init_settings, SettingsFiles(settings_cls), env_settings

    bootstrap_servers: str = "127.0.0.1:9092"
    """`host:port` of one or more brokers, separated by commas."""
    security_protocol: str = "PLAINTEXT"
    """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."""
    sasl_mechanism: str = "SCRAM-SHA-512"
    """`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."""
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    """PEM file of the authorities to trust; the system's own when absent. Certificates are always checked."""
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    instance: str | None = None
    """Name of this process among those of its agency, kept over restarts, such as `health-2`: a process that
    comes back under its name goes on at once, where the group would wait for the lost one otherwise."""
    health_port: int | None = None
    """Port on which a serving process answers `/healthz` and `/livez`; nowhere when absent."""
    health_host: str = "127.0.0.1"
    """Address of that port; `0.0.0.0` where an orchestrator asks from outside of the container."""
    catalog: Path | None = None
    """Folder of the contracts, or `reference`; the project around the working directory when absent."""
    publish_timeout_seconds: float = 30.0
    """How long a publish may wait for the broker before it fails with `BusUnavailableError`."""
    max_unacknowledged: int = 100_000
    """Events that may wait for acknowledgement before `submit` refuses more."""
    batch_bytes: int = 262_144
    """Size at which a batch to one partition is sent without waiting for more."""
    compression: str | None = None
    """`gzip`, `lz4` or none."""
    max_poll_records: int = 200
    """Records handled between two looks at the broker."""
    transaction_timeout_seconds: float = 180.0
    """How long a transaction may take before the broker ends it; none is open while a handler works."""
    max_uncommitted: int = 5_000
    """Handled events whose offsets the broker may not know yet: the most that come again after a kill."""
    commit_interval_seconds: float = 0.1
    """How often receipts are flushed and offsets committed."""
    stop_timeout_seconds: float = 10.0
    """How long handlers in flight may take to finish when the process is told to stop; a rebalance leaves
    them their own time."""
    registry: Literal["follow", "off"] = "follow"
    """`follow`: learn of new contract versions while running, where `registry_public_key` is set."""
    registry_public_key: Path | None = None
    """PEM file of the Ed25519 keys whose registry entries are believed. Without it none is."""
    registry_key: Path | None = None
    """PEM file of the Ed25519 key that signs registry entries; only where `contracts apply` runs."""


def login() -> str:
    """Return who works at this terminal: `GOVBUS_OPERATOR`, else the system's user."""
    return os.environ.get("GOVBUS_OPERATOR") or getpass.getuser()
