"""A variable may stand in a file."""

from pathlib import Path

import pytest

from bus import Settings
from contracts import Environment, catalog_folder
from contracts.errors import ProjectError


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file as a container mounts it, with a line break at its end."""
    file = tmp_path / "secret"
    file.write_text(" pass word \n")
    return file


def test_a_variable_comes_from_the_file_that_is_named(secret: Path) -> None:
    """One line break at its end is no part of it; everything else is."""
    environment = Environment({"A": "1", "PASSWORD_FILE": str(secret), "EMPTY_FILE": ""})
    assert environment["A"] == "1"
    assert environment["PASSWORD"] == " pass word "
    assert environment.get("EMPTY") is None
    assert "PASSWORD" in environment
    assert environment.get("OTHER") is None
    assert set(environment) >= {"A", "PASSWORD"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a" * 70_000])
def test_a_file_that_cannot_be_read_is_named_by_its_variable(tmp_path: Path, content: bytes | None) -> None:
    """Not there, no text, or no secret at all."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ProjectError, match="PASSWORD_FILE"):
        _ = Environment({"PASSWORD_FILE": str(file)})["PASSWORD"]


def test_a_variable_and_its_file_at_once_are_refused(secret: Path) -> None:
    """Nobody has to guess which one is used."""
    with pytest.raises(ProjectError, match="one of PASSWORD and PASSWORD_FILE"):
        _ = Environment({"PASSWORD": "x", "PASSWORD_FILE": str(secret)})["PASSWORD"]


def test_every_setting_may_stand_in_a_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of the agency's user for one; in code it is still given as it is."""
    monkeypatch.setenv("GOVBUS_SASL_PASSWORD_FILE", str(secret))
    found = Settings().sasl_password
    assert found is not None
    assert found.get_secret_value() == " pass word "
    monkeypatch.setenv("GOVBUS_SASL_PASSWORD", "x")
    with pytest.raises(ProjectError):
        Settings()


def test_the_catalogue_may_be_named_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands of contracts as for programs, also where a file of variables names that file."""
    named = tmp_path / "named"
    named.write_text("country\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOVBUS_CATALOG", raising=False)
    monkeypatch.setenv("GOVBUS_CATALOG_FILE", str(named))
    assert catalog_folder() == Path("country")
    monkeypatch.delenv("GOVBUS_CATALOG_FILE")
    (tmp_path / "govbus.toml").touch()
    (tmp_path / ".env").write_text(f"GOVBUS_CATALOG_FILE={named}\n")
    assert catalog_folder() == Path("country")
