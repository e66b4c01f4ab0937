"""Where the cluster is and how to reach it: from `GOVBUS_*` variables, their files, or the project file."""

import getpass
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bus.errors import UsageError
from contracts import (
    FILE_SUFFIX,
    Environment,
    Layer,
    env_file,
    env_file_variables,
    meant,
    project_layers,
    quotable,
)

PREFIX = "GOVBUS_"
SECRETS = ("sasl_password",)
PATHS = ("registry_key", "registry_public_key", "ssl_cafile", "ssl_certfile", "ssl_keyfile")

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):(\d{1,5})")
LAST_PORT = 65_535


def _one_of(names: Collection[str]) -> BeforeValidator:
    def found(value: Any) -> Any:
        name = value.strip().upper() if isinstance(value, str) else value
        if name not in names:
            raise ValueError(f"one of {', '.join(f'`{name}`' for name in names)}")
        return name

    return BeforeValidator(found)


def _servers(value: str) -> str:
    for server in value.split(","):
        found = SERVER.fullmatch(server.strip())
        if found is None or not 0 < int(found[1]) <= LAST_PORT:
            raise ValueError("`host:port` of each broker, separated by commas")
    return value


def _compression(value: Any) -> Any:
    name = value.strip().lower() if isinstance(value, str) else value
    if name not in ("gzip", "lz4", "none", None):
        raise ValueError("`gzip`, `lz4` or `none`")
    return None if name == "none" else name


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The value in force of one setting.

    Attributes:
        value: the value, as it was written.
        origin: where it stands; None for the default.
    """

    value: Any
    origin: str | None


def chosen(fields: Collection[str]) -> dict[str, Chosen]:
    """Return the settings that are given outside of the code, each from where it wins.

    The order is: a file that a variable names, the variable, the file of variables, the profile of
    the project file, that file itself.

    Args:
        fields: the names of the settings.

    Raises:
        ProjectError: one of the files cannot be read.
        UsageError: the project file has a name that is no setting, or a password; or a variable and its file
            are both set.
    """
    in_file, layers = env_file_variables(), project_layers()
    for layer in layers:
        _require_known(layer, fields)
    environment = Environment({**in_file, **os.environ})
    found: dict[str, Chosen] = {}
    for name in fields:
        variable = PREFIX + name.upper()
        if os.environ.get(variable + FILE_SUFFIX) or in_file.get(variable + FILE_SUFFIX):
            found[name] = Chosen(environment[variable], f"the file of {variable}{FILE_SUFFIX}")
        elif (value := os.environ.get(variable)) and value != in_file.get(variable):
            found[name] = Chosen(value, variable)
        elif value := in_file.get(variable):
            found[name] = Chosen(value, f"{variable} in {env_file()}")
        elif holding := [one for one in layers if name in one.values and name != "catalog"]:
            found[name] = Chosen(_from(holding[0], name), holding[0].origin)
    return found


def _require_known(layer: Layer, fields: Collection[str]) -> None:
    for name in layer.values:
        if name not in fields:
            raise UsageError(
                f"Expected a setting, got {quotable(name)}{meant(name, fields)} - at {layer.origin}"
            )
        if name in SECRETS:
            raise UsageError(
                f"Expected no secret in a file that is shared, got `{name}` - at {layer.origin}. Set "
                f"{PREFIX}{name.upper()}{FILE_SUFFIX} to a file that holds it"
            )


def _from(layer: Layer, name: str) -> Any:
    value = layer.values[name]
    is_path = name in PATHS and isinstance(value, str)
    return str(layer.folder / value) if is_path else value


class ChosenSettings(PydanticBaseSettingsSource):
    """The settings that are given outside of the code; see `chosen`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of a field, None where it is not given."""
        del field
        found = chosen(self.settings_cls.model_fields).get(field_name)
        return (None if found is None else found.value), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every field that is given."""
        return {name: one.value for name, one in chosen(self.settings_cls.model_fields).items()}


def _tell(error: ValidationError, given: Mapping[str, Chosen], in_code: Collection[str]) -> None:
    """Raise the first fault of what was given outside of the code, without its value."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(fault["loc"][0])
        if name in given and name not in in_code:
            what = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
            what = what.partition(", unable to")[0]
            what = what if what.startswith(("a ", "one ", "`", "'")) else f"a value {what}"
            raise UsageError(
                f"Expected {what}, got another value - at setting `{name}`, from {given[name].origin}"
            ) from None


class Settings(BaseSettings):
    """Connection and limits of one process.

    Every field is read from the file that `GOVBUS_<NAME>_FILE` names, the variable `GOVBUS_<NAME>`, the file
    of variables, or the project file. Times are seconds, sizes are bytes.

    Raises:
        UsageError: one of them has a value that it cannot have.
        ProjectError: one of the files cannot be read.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    if not TYPE_CHECKING:  # a type checker knows the fields as arguments

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                _tell(error, chosen(type(self).model_fields), values)
                raise

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what was given in code, then what is given elsewhere."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, ChosenSettings(settings_cls)

    bootstrap_servers: Annotated[str, AfterValidator(_servers)] = "127.0.0.1:9092"
    """`host:port` of one or more brokers, separated by commas."""
    security_protocol: Annotated[str, _one_of(PROTOCOLS)] = "PLAINTEXT"
    """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."""
    sasl_mechanism: Annotated[str, _one_of(MECHANISMS)] = "SCRAM-SHA-512"
    """`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."""
    sasl_username: str | None = None
    """The agency's user."""
    sasl_password: SecretStr | None = None
    """The password of that user; never in the project file."""
    ssl_cafile: Path | None = None
    """PEM file of the authorities to trust; the system's own when absent. Certificates are always checked."""
    ssl_certfile: Path | None = None
    """PEM file of the client's certificate."""
    ssl_keyfile: Path | None = None
    """PEM file of the key of that certificate."""
    instance: str | None = None
    """Name of this process among those of its agency, kept over restarts, such as `health-2`: a process that
    comes back under its name goes on at once, where the group would wait for the lost one otherwise."""
    health_port: Annotated[int, Field(ge=0, le=LAST_PORT)] | None = None
    """Port on which a serving process answers `/healthz` and `/livez`; nowhere when absent."""
    health_host: str = "127.0.0.1"
    """Address of that port; `0.0.0.0` where an orchestrator asks from outside of the container."""
    catalog: Path | None = None
    """Folder of the contracts, or `reference`; the project around the working directory when absent."""
    publish_timeout_seconds: Seconds = 30.0
    """How long a publish may wait for the broker before it fails with `BusUnavailableError`."""
    max_unacknowledged: Limit = 100_000
    """Events that may wait for acknowledgement before `submit` refuses more."""
    batch_bytes: Limit = 262_144
    """Size at which a batch to one partition is sent without waiting for more."""
    compression: Annotated[str | None, BeforeValidator(_compression)] = None
    """`gzip`, `lz4` or none."""
    max_poll_records: Limit = 200
    """Records handled between two looks at the broker."""
    transaction_timeout_seconds: Seconds = 180.0
    """How long a transaction may take before the broker ends it; none is open while a handler works."""
    max_uncommitted: Limit = 5_000
    """Handled events whose offsets the broker may not know yet: the most that come again after a kill."""
    commit_interval_seconds: Seconds = 0.1
    """How often receipts are flushed and offsets committed."""
    stop_timeout_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    """How long handlers in flight may take to finish when the process is told to stop; a rebalance leaves
    them their own time."""
    grants: Literal["check", "off"] = "check"
    """`check`: read what the catalogue grants the agency, for the approved purpose. `off`, for play on a
    cluster that asks nobody who he is: read anything."""
    registry: Literal["follow", "off"] = "follow"
    """`follow`: learn of new contract versions while running, where `registry_public_key` is set."""
    registry_public_key: Path | None = None
    """PEM file of the Ed25519 keys whose registry entries are believed. Without it none is."""
    registry_key: Path | None = None
    """PEM file of the Ed25519 key that signs registry entries; only where `contracts apply` runs."""


def login() -> str:
    """Return who works at this terminal: `GOVBUS_OPERATOR`, else the system's user."""
    return os.environ.get("GOVBUS_OPERATOR") or getpass.getuser()
