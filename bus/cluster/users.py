"""A user for each agency of a Kafka on this machine, each with a file of variables.

Law of this file: a password stands in its user's file and nowhere else; a user that has a file keeps it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from secrets import token_urlsafe

from dotenv import dotenv_values

from bus.embedded.folder import write_private
from bus.errors import UsageError
from bus.kafka.cluster import Cluster
from bus.settings import Settings

PASSWORD = "GOVBUS_SASL_PASSWORD"  # noqa: S105 - the name of the variable
_BYTES = 24


async def make_users(
    settings: Settings, folder: Path, names: Iterable[str], variables: Mapping[str, str]
) -> dict[str, Path]:
    """Let users log in by SCRAM-SHA-512, and write how to a file `NAME.env` for each; return the files.

    Args:
        settings: the cluster, as its administrator.
        folder: the folder of the files, which only this user of the machine may open.
        names: the users.
        variables: what else stands in each file.

    Raises:
        BusError: the cluster cannot be reached, or does not allow it.
        UsageError: a file that is there cannot be read.
        OSError: a file cannot be written.
    """
    _make_folder(folder)
    files = {name: folder / f"{name}.env" for name in names}
    passwords = {name: _password(file) for name, file in files.items()}
    async with Cluster.open(settings) as cluster:
        await cluster.set_passwords(passwords)
    for name, file in files.items():
        write_variables(file, {**variables, "GOVBUS_SASL_USERNAME": name, PASSWORD: passwords[name]})
    return files


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        (folder / ".gitignore").write_text("*\n")


def write_variables(file: Path, variables: Mapping[str, str]) -> None:
    """Write variables to a file that only this user of the machine can read.

    Raises:
        OSError: it cannot be written.
    """
    write_private(file, "".join(f"{name}={value}\n" for name, value in variables.items()))


def _password(file: Path) -> str:
    """Return the password that a file has, or a new one."""
    try:
        known = dotenv_values(file, interpolate=False, encoding="utf-8") if file.exists() else {}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Expected a file of variables that can be read, got none ({type(error).__name__}) - {file}. "
            "Remove it for a new one"
        ) from None
    return known.get(PASSWORD) or token_urlsafe(_BYTES)
