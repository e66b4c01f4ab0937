"""Each setting comes from the first place that has it, and a slip is told with its place and its remedy."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import bus
from bus import Settings, UsageError
from bus.known_variables import FIELDS, OF_OTHERS, OF_OTHERS_BEGIN, OTHERS, unknown_variables, warn_of_unknown
from bus.setting_table import config, documented
from contracts import ContractError, catalog_folder
from tests.architecture.project import ROOMS, ROOT

PROJECT = """
catalog = "catalogue"
bootstrap_servers = "project:9092"
ssl_cafile = "ca.pem"
max_poll_records = 7

[profiles.production]
bootstrap_servers = "profile:9092"
catalog = "other"
"""


IN_PYPROJECT = """
[project]
dependencies = ["govbus"]

[tool.govbus]
""" + PROJECT.replace("[profiles.", "[tool.govbus.profiles.")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below a project, and no variable set."""
    for name in [name for name in os.environ if name.startswith("GOVBUS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "govbus.toml").write_text(PROJECT)
    (tmp_path / "programs").mkdir()
    monkeypatch.chdir(tmp_path / "programs")
    return tmp_path


def shown() -> dict[str, dict[str, str]]:
    """What `govbus config` says, by name."""
    result = CliRunner().invoke(config, ["--format", "json"], catch_exceptions=False)
    return {row["name"]: row for row in json.loads(result.stdout)["settings"]}


@pytest.fixture(params=["govbus.toml", "pyproject.toml"])
def project_file(project: Path, request: pytest.FixtureRequest) -> Path:
    """The file of that project, by either name."""
    if request.param == "pyproject.toml":
        (project / "govbus.toml").unlink()
        (project / "pyproject.toml").write_text(IN_PYPROJECT)
    return project / str(request.param)


def test_the_first_place_wins(project: Path, project_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Project file, profile, file of variables, variable, file of a variable, code; each is told."""
    origins = []
    (project / "servers").write_text("mounted:9092\n")

    def look(expected: str) -> None:
        assert Settings().bootstrap_servers == expected
        origins.append(shown()["GOVBUS_BOOTSTRAP_SERVERS"]["origin"])

    look("project:9092")
    monkeypatch.setenv("GOVBUS_PROFILE", "production")
    look("profile:9092")
    (project / ".env").write_text("GOVBUS_BOOTSTRAP_SERVERS=dotenv:9092\nOTHER=1\n")
    look("dotenv:9092")
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", "variable:9092")
    look("variable:9092")
    monkeypatch.delenv("GOVBUS_BOOTSTRAP_SERVERS")
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS_FILE", str(project / "servers"))
    (project / ".env").unlink()
    look("mounted:9092")
    assert Settings(bootstrap_servers="code:9092").bootstrap_servers == "code:9092"
    assert origins == [
        str(project_file),
        f"{project_file}, profile production",
        f"GOVBUS_BOOTSTRAP_SERVERS in {project / '.env'}",
        "GOVBUS_BOOTSTRAP_SERVERS",
        "the file of GOVBUS_BOOTSTRAP_SERVERS_FILE",
    ]


def test_paths_of_the_project_file_start_from_it(
    project: Path, project_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of its catalogue, too, which a profile may change."""
    assert Settings().ssl_cafile == project / "ca.pem"
    assert catalog_folder() == project / "catalogue"
    monkeypatch.setenv("GOVBUS_PROFILE", "production")
    assert catalog_folder() == project / "other"
    (project / ".env").write_text("GOVBUS_CATALOG=reference\n")
    assert catalog_folder() == Path(bus.__file__).parents[1] / "contracts"


def test_a_named_file_of_variables_is_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one for each agency; a secret in it is never shown, and a dollar sign is one."""
    (project / "health.env").write_text(
        "GOVBUS_SASL_USERNAME=health\nGOVBUS_SASL_PASSWORD='pa$$word ${HOME}'\n"
    )
    monkeypatch.setenv("GOVBUS_ENV_FILE", str(project / "health.env"))
    found = Settings()
    assert found.sasl_password is not None
    assert (found.sasl_username, found.sasl_password.get_secret_value()) == ("health", "pa$$word ${HOME}")
    assert shown()["GOVBUS_SASL_PASSWORD"]["value"] == "(set, hidden)"
    monkeypatch.setenv("GOVBUS_ENV_FILE", str(project / "none.env"))
    with pytest.raises(ContractError, match="GOVBUS_ENV_FILE"):
        Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('bootstrap_server = "a"', r"did you mean `bootstrap_servers`\?"),
        ('sasl_password = "hunter2"', "GOVBUS_SASL_PASSWORD_FILE"),
        ('max_poll_records = "many"', "a valid integer.*`max_poll_records`.*(govbus|pyproject).toml"),
        ('registry = "maybe"', "'follow' or 'off'.*`registry`"),
    ],
)
def test_what_cannot_be_is_told_with_place_and_remedy(project_file: Path, text: str, message: str) -> None:
    """Never with the value."""
    project_file.write_text(text if project_file.name == "govbus.toml" else f"[tool.govbus]\n{text}")
    with pytest.raises(UsageError, match=message) as caught:
        Settings()
    assert "hunter2" not in str(caught.value)
    assert "many" not in str(caught.value)


def test_a_variable_that_cannot_be_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name; a command ends with one line, never as an internal fault."""
    monkeypatch.setenv("GOVBUS_HEALTH_PORT", "eighty")
    with pytest.raises(UsageError, match=r"a valid integer.*`health_port`, from GOVBUS_HEALTH_PORT"):
        Settings()
    (project / "programs" / "agencies").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bus", "topics", "apply"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "internal fault" not in done.stderr
    assert "GOVBUS_HEALTH_PORT" in done.stderr


def test_an_unknown_profile_is_told(project_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    monkeypatch.setenv("GOVBUS_PROFILE", "produktion")
    with pytest.raises(ContractError, match=rf"{project_file.name} \(it has production\).*GOVBUS_PROFILE"):
        Settings()
    project_file.write_text("profiles = 7\n[tool.govbus]\nprofiles = 7")
    with pytest.raises(ContractError, match=r"\(it has none\).*GOVBUS_PROFILE"):
        Settings()


def test_a_slip_in_a_variable_is_reported(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the nearest name; of one that is far from all only `config` tells."""
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVER", "a:1")
    monkeypatch.setenv("GOVBUS_ZZZ", "1")
    warn_of_unknown()
    assert caplog.messages == [
        "GOVBUS_BOOTSTRAP_SERVER is no setting of govbus; did you mean `GOVBUS_BOOTSTRAP_SERVERS`?"
    ]
    result = CliRunner().invoke(config, [])
    assert "GOVBUS_ZZZ is no setting of govbus" in result.stderr
    assert unknown_variables(["GOVBUS_SASL_PASSWORD_FILE", "GOVBUS_DEMO_TAX", "PATH", "GOVBUS_LOG"]) == {}
    assert logging.getLogger("govbus.settings").name == "govbus.settings"


def test_every_variable_that_is_read_is_in_the_table() -> None:
    """What the code names is a setting, or known to be read by what is around govbus."""
    assert {name.upper() for name in Settings.model_fields} == FIELDS
    known = {*FIELDS, *OTHERS, *OF_OTHERS, "CACHE"}
    named = {
        name.removesuffix("_FILE")
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for name in re.findall(r'["`]GOVBUS_([A-Z_]+[A-Z])["`]', file.read_text("utf-8"))
    }
    assert {name for name in named if not name.startswith(OF_OTHERS_BEGIN)} - known - {"ENV"} == set()


def test_the_manual_has_the_table_as_the_command_writes_it() -> None:
    """`govbus config --format markdown` writes it; every field says what it means."""
    assert documented() in (Path(bus.__file__).parent / "README.md").read_text("utf-8")
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("security_protocol", "TLS", "Expected one of `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`"),
        ("sasl_mechanism", "SCRAM", "Expected one of `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`"),
        ("bootstrap_servers", "kafka.example", "Expected `host:port` of each broker"),
        ("bootstrap_servers", "kafka.example:9092;other:9092", "Expected `host:port` of each broker"),
        ("bootstrap_servers", "kafka.example:90920", "Expected `host:port` of each broker"),
        ("publish_timeout_seconds", "-1", "Expected a value greater than 0"),
        ("stop_timeout_seconds", "nan", "Expected a finite number"),
        ("batch_bytes", "0", "Expected a value greater than or equal to 1"),
        ("max_poll_records", "ten", "Expected a valid integer, got another value"),
        ("compression", "zip", "Expected `gzip`, `lz4` or `none`"),
        ("health_port", "99999", "Expected a value less than or equal to 65535"),
    ],
)
def test_a_value_that_cannot_be_is_told_before_anything_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    """With what was expected, setting and variable, and not as the first event fails."""
    monkeypatch.setenv(f"GOVBUS_{name.upper()}", value)
    with pytest.raises(UsageError) as caught:
        Settings()
    assert expected in str(caught.value)
    assert str(caught.value).endswith(f"at setting `{name}`, from GOVBUS_{name.upper()}")


def test_values_are_taken_in_any_case(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And as every broker may be named."""
    given = {
        "SECURITY_PROTOCOL": "sasl_ssl", "SASL_MECHANISM": "scram-sha-256", "COMPRESSION": "None",
        "BOOTSTRAP_SERVERS": "a-1.example:9092, [fe80::1%eth0]:9093,127.0.0.1:9094",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"GOVBUS_{name}", value)
    found = Settings()
    assert (found.security_protocol, found.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-256")
    assert found.compression is None
