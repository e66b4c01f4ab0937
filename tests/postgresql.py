"""A PostgreSQL server of the tests' own, where `initdb` is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import create_engine, text

_NUMBER = count()


@contextmanager
def private_server(*settings: str) -> Iterator[str]:
    """Run a server on a socket in a folder of its own; skip, with the reason, where none is installed.

    Args:
        *settings: lines of its configuration, such as `track_commit_timestamp=on`.

    Returns:
        Its URL with `%s` for the name of a database.
    """
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL isn't installed here: no `initdb` and `pg_ctl`")
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="govbus-postgresql-"))
    if owner is not None:
        shutil.chown(folder, owner)
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(command, user=owner, cwd=folder, check=True, capture_output=True, timeout=60)

    try:
        run(initdb, "-D", str(data), "-U", "govbus", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (data / "postgresql.auto.conf").open("a") as config:
            for line in (
                "listen_addresses=''",
                "fsync=off",
                f"unix_socket_directories='{folder}'",
                *settings,
            ):
                config.write(f"{line}\n")
        run(pg_ctl, "-D", str(data), "-w", "-l", str(folder / "log"), "start")
        try:
            yield f"postgresql+psycopg://govbus@/%s?host={folder}"
        finally:
            if (data / "postmaster.pid").exists():
                run(pg_ctl, "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def turn(server: str, command: Literal["start", "stop"]) -> None:
    """Stop a server of `private_server`, or start it again, with its data and under its address."""
    data = Path(server.partition("?host=")[2]) / "data"
    pg_ctl = _program("pg_ctl")
    assert pg_ctl is not None
    how = ("-m", "immediate") if command == "stop" else ("-l", str(data.parent / "log"))
    arguments = [pg_ctl, "-D", str(data), "-w", *how, command]
    subprocess.run(arguments, user=_owner(), cwd=data, check=True, capture_output=True, timeout=60)


def new_database(server: str, encoding: str = "UTF8") -> str:
    """Make a database; return its URL."""
    name = f"test_{next(_NUMBER)}"
    engine = create_engine(server % "postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        )
    engine.dispose()
    return server % name


def _owner() -> str | None:
    """PostgreSQL refuses to run as root: return another user to run it as, None to stay."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _program(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(versions[-1]) if versions else None)
