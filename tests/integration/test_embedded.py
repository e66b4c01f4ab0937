"""The embedded Kafka is a real node that ends with its owner and keeps what it was told to keep."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from bus import Settings, UsageError
from bus.cli import run
from bus.cluster.users import make_users
from bus.embedded.errors import JarError, NodeError
from bus.embedded.kafka import EmbeddedKafka
from tests.ports import held_port
from tests.small_catalog import SmallCountry, case

OWNER = """
import sys, time
from pathlib import Path
from bus.embedded.kafka import EmbeddedKafka
node = EmbeddedKafka(Path(sys.argv[1]) if len(sys.argv) > 1 else None).start()
print(*node.pids, node.folder, flush=True)
time.sleep(600)
"""
PATIENCE_SECONDS = 120.0


async def test_a_node_takes_and_gives_events(kafka: str) -> None:
    """What is produced to the node is consumed from it."""
    await _publish(kafka, "embedded-round-trip", b"here")
    assert await _first(kafka, "embedded-round-trip") == b"here"


def test_a_named_folder_keeps_events_over_a_restart(tmp_path: Path) -> None:
    """The node comes back at the same address with what it held."""
    with EmbeddedKafka(tmp_path / "kept") as node:
        address = node.bootstrap_servers
        asyncio.run(_publish(address, "kept", b"still here"))
    with EmbeddedKafka(tmp_path / "kept") as node:
        assert node.bootstrap_servers == address
        assert asyncio.run(_first(address, "kept")) == b"still here"


def test_two_nodes_run_side_by_side_and_leave_nothing() -> None:
    """Each has its own port and temporary folder; both are gone afterwards."""
    with EmbeddedKafka() as one, EmbeddedKafka() as other:
        assert one.bootstrap_servers != other.bootstrap_servers
        asyncio.run(_publish(one.bootstrap_servers, "mine", b"x"))
        asyncio.run(_publish(other.bootstrap_servers, "mine", b"x"))
        processes, folders = [*one.pids, *other.pids], [one.folder, other.folder]
    assert not [pid for pid in processes if _lives(pid)]
    assert not [folder for folder in folders if folder.exists()]


def test_a_folder_in_use_is_refused_with_its_process(tmp_path: Path) -> None:
    """The message names who runs there."""
    with (
        EmbeddedKafka(tmp_path),
        pytest.raises(NodeError, match=f"the node of process {os.getpid()} runs there"),
    ):
        EmbeddedKafka(tmp_path).start()


def test_a_port_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named port is taken or nothing is started and nothing left."""
    with EmbeddedKafka() as node:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        port = int(node.bootstrap_servers.rpartition(":")[2])
        with pytest.raises(NodeError, match=rf"cannot listen on 127\.0\.0\.1:{port} - the port is in use"):
            EmbeddedKafka(port=port).start()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_leaves_no_java_and_no_folder(number: signal.Signals) -> None:
    """`kill -9` gives the owner no chance to clean up; its node ends all the same."""
    with _owner() as owner:
        pid, folder = _answer(owner)
        owner.send_signal(number)
        owner.wait()
    assert _within(lambda: not _lives(pid))
    assert _within(lambda: not Path(folder).exists())


def test_a_killed_owner_leaves_its_named_folder(tmp_path: Path) -> None:
    """The events stay, the node does not, and the next one starts there."""
    with _owner(str(tmp_path)) as owner:
        pid, _ = _answer(owner)
        owner.kill()
        owner.wait()
    assert _within(lambda: not _lives(pid))
    with EmbeddedKafka(tmp_path) as node:
        assert node.is_running


def test_a_changed_jar_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that somebody wrote to starts no node."""
    from bus.embedded.jars import cache_folder, locked_jars

    mine = tmp_path / "kafka"
    mine.mkdir()
    for jar in locked_jars():
        (mine / jar.file_name).symlink_to(cache_folder() / "kafka" / jar.file_name)
    changed = mine / locked_jars()[3].file_name
    changed.unlink()
    changed.write_bytes(b"evil")
    monkeypatch.setenv("GOVBUS_CACHE", str(tmp_path))
    with pytest.raises(JarError, match=f"refused {changed}"):
        EmbeddedKafka().start()


def test_a_node_that_dies_is_seen(tmp_path: Path) -> None:
    """Its owner can tell, and stopping it afterwards is no error."""
    with EmbeddedKafka(tmp_path) as node:
        (pid,) = node.pids
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert _within(lambda: not node.is_running)


@pytest.fixture(scope="module")
def closed() -> Iterator[EmbeddedKafka]:
    """Yield a node with access control."""
    with EmbeddedKafka(sasl=True) as node:
        yield node


async def test_the_super_user_may_do_all(closed: EmbeddedKafka) -> None:
    """It makes a topic, produces and consumes."""
    assert closed.admin_username is not None
    assert closed.admin_password is not None
    access = _scram(closed.admin_username, closed.admin_password)
    await _publish(closed.bootstrap_servers, "closed", b"here", **access)
    assert await _first(closed.bootstrap_servers, "closed", **access) == b"here"


async def test_a_stranger_is_refused(closed: EmbeddedKafka) -> None:
    """Without a name nothing is answered."""
    with pytest.raises(KafkaError):
        await _connect(closed.bootstrap_servers)


async def test_a_wrong_password_is_refused(closed: EmbeddedKafka) -> None:
    """A name alone is not enough."""
    with pytest.raises(KafkaError):
        await _connect(closed.bootstrap_servers, **_scram("admin", "guess"))


async def test_the_controller_takes_no_stranger(closed: EmbeddedKafka) -> None:
    """The node's second listener asks for the name too, so it is no way around the first."""
    line = next(
        line
        for line in (closed.folder / "server.properties").read_text().splitlines()
        if line.startswith("listeners=")
    )
    with pytest.raises(KafkaError):
        await _connect(line.rpartition("//")[2])


def test_govbus_up_makes_a_user_for_each_agency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with a file of its own, which alone is needed to do what its agency may, and nothing else."""
    country = SmallCountry(tmp_path / "catalog")
    country.withdraw()
    command = [sys.executable, "-m", "bus", "up", "--catalog", str(tmp_path / "catalog"), "--sasl"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            said = [up.stdout.readline() for _ in range(2)]
            users = tmp_path / "secrets"
            assert said[1] == f"GOVBUS_ENV_FILE={users / 'admin.env'}\n"
            names = {country.north, country.south, "govbus-monitor", "admin"}
            assert {file.stem for file in users.glob("*.env")} == names
            modes = {stat.S_IMODE(file.stat().st_mode) for file in users.glob("*.env")}
            assert (modes, stat.S_IMODE(users.stat().st_mode)) == ({0o600}, 0o700)
            assert len({file.read_text() for file in users.glob("*.env")}) == 4
            assert "PASSWORD" not in "".join(said)
            monkeypatch.delenv("GOVBUS_BOOTSTRAP_SERVERS", raising=False)
            monkeypatch.setenv("GOVBUS_CATALOG", str(tmp_path / "catalog"))
            data = tmp_path / "case.json"
            data.write_text(json.dumps(case()))
            monkeypatch.setenv("GOVBUS_ENV_FILE", str(users / f"{country.north}.env"))
            assert run(["publish", country.opened, "--data", str(data)]) == 0
            look = ["tail", country.opened, "--agency", country.north, "--no-follow"]
            assert run(look) == 0
            monkeypatch.setenv("GOVBUS_ENV_FILE", str(users / f"{country.south}.env"))
            assert run(look) == 1
            assert "grants no access" in capsys.readouterr().err
        finally:
            up.terminate()


async def test_a_user_keeps_the_password_of_its_file(tmp_path: Path, closed: EmbeddedKafka) -> None:
    """So programs that run go on when Kafka is started again on its folder; a broken file is told."""
    named = {name.removeprefix("GOVBUS_").lower(): value for name, value in closed.environment().items()}
    admin = Settings.model_validate(named)
    users = tmp_path / "users"
    file = (await make_users(admin, users, ["north"], {"GOVBUS_BOOTSTRAP_SERVERS": "a:1"}))["north"]
    first = file.read_text()
    await make_users(admin, users, ["north"], {"GOVBUS_BOOTSTRAP_SERVERS": "a:2"})
    assert file.read_text() == first.replace("a:1", "a:2")
    found = dict(line.split("=", 1) for line in first.splitlines())
    with pytest.raises(KafkaError):
        await _connect(closed.bootstrap_servers, **_scram("north", "guess"))
    await _connect(closed.bootstrap_servers, **_scram("north", found["GOVBUS_SASL_PASSWORD"]))
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="Remove it for a new one"):
        await make_users(admin, users, ["north"], {})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_govbus_up_runs_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """It prints the address first and ends cleanly on SIGTERM and on a terminal's Ctrl-C."""
    command = [sys.executable, "-m", "bus", "up", "--no-topics", "--data", str(tmp_path / "kept")]
    with (
        held_port() as port,
        subprocess.Popen(
            [*command, "--port", str(port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        ) as up,
        ExitStack() as ended,
    ):  # fmt: skip
        ended.callback(up.kill)  # else a failure here would wait for it for ever
        assert up.stdout is not None
        assert up.stdout.readline() == f"GOVBUS_BOOTSTRAP_SERVERS=127.0.0.1:{port}\n"
        asyncio.run(_publish(f"127.0.0.1:{port}", "up", b"x"))
        os.killpg(up.pid, number)  # a terminal tells the whole group
        _, errors = up.communicate(timeout=PATIENCE_SECONDS)
    assert up.returncode == 0
    assert errors == "starting Apache Kafka\nstopping Apache Kafka\n"


def _owner(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", OWNER, *arguments], stdout=subprocess.PIPE, text=True)


def _answer(owner: "subprocess.Popen[str]") -> tuple[int, str]:
    assert owner.stdout is not None
    pid, _, folder = owner.stdout.readline().strip().partition(" ")
    return int(pid), folder


def _lives(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _within(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _scram(username: str, password: str) -> dict[str, str]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }


async def _connect(servers: str, **access: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5_000, **access)
    try:
        await asyncio.wait_for(admin.start(), PATIENCE_SECONDS)
    finally:
        await admin.close()


async def _publish(servers: str, topic: str, value: bytes, **access: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, **access)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers, **access) as producer:
        await producer.send_and_wait(topic, value)


async def _first(servers: str, topic: str, **access: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, auto_offset_reset="earliest", group_id=f"{topic}-readers", **access
    )
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
    return bytes(record.value)
