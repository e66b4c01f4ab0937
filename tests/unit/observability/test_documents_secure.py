"""What the stack's `secure` profile makes for itself."""

import importlib.util
import stat
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509

from contracts import SigningKey, TrustedKeys

ROOT = Path(__file__).parents[3]
USERS = ["govbus-monitor", "health", "tax"]


@pytest.fixture(scope="module")
def secure() -> ModuleType:
    """The program, which belongs to no room."""
    spec = importlib.util.spec_from_file_location("secure", ROOT / ".docker/secure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents(home: Path) -> dict[str, bytes]:
    """Return every file by its place."""
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def test_a_second_start_changes_nothing(secure: ModuleType, tmp_path: Path) -> None:
    """Certificates, passwords and keys that exist stay; a new agency gets its password."""
    secure.prepare(tmp_path, USERS)
    before = contents(tmp_path)
    secure.prepare(tmp_path, [*USERS, "police"])
    after = contents(tmp_path)
    assert set(after) - set(before) == {"passwords/police"}
    assert {name: after[name] for name in before} == before


def test_a_certificate_that_ends_soon_is_renewed(
    secure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack that is started once a month never meets the end of one; the authority stays."""
    secure.prepare(tmp_path, USERS)
    before = contents(tmp_path)
    monkeypatch.setattr(secure, "RENEWED_BEFORE", timedelta(days=400))
    secure.prepare(tmp_path, USERS)
    changed = {name for name, content in contents(tmp_path).items() if content != before[name]}
    brokers = {f"brokers/secure-kafka-{number}.pem" for number in (1, 2, 3)}
    assert changed == brokers | {"authority/govbus-admin.pem", "authority/govbus-admin.key.pem"}


def test_a_broker_is_known_by_the_names_it_is_reached_at(secure: ModuleType, tmp_path: Path) -> None:
    """Its host name in the stack, and this machine's loopback; the authority's key is not beside it."""
    secure.prepare(tmp_path, USERS)
    file = tmp_path / "brokers/secure-kafka-2.pem"
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "secure-kafka-2"} <= set(names.get_values_for_type(x509.DNSName))
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert certificate.subject.rfc4514_string() == "CN=secure-kafka-2"
    assert {path.name for path in file.parent.iterdir()} == {
        "ca.pem", "secure-kafka-1.pem", "secure-kafka-2.pem", "secure-kafka-3.pem",
    }  # fmt: skip


def test_a_password_is_long_and_its_owners_alone(secure: ModuleType, tmp_path: Path) -> None:
    """Each user has another; the monitor gets a copy of its own and of no other."""
    secure.prepare(tmp_path, USERS)
    passwords = {user: (tmp_path / "passwords" / user).read_text() for user in USERS}
    assert len(set(passwords.values())) == len(USERS)
    assert all(len(password) >= 40 for password in passwords.values())
    assert (tmp_path / "monitor/password").read_text() == passwords["govbus-monitor"]
    for file in (tmp_path / "passwords").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_signed_is_believed_by_the_public_key(secure: ModuleType, tmp_path: Path) -> None:
    """`contracts apply` signs with the one, every process believes the other."""
    secure.prepare(tmp_path, USERS)
    key = SigningKey.read(tmp_path / "authority/registry.key.pem")
    assert TrustedKeys.read(tmp_path / "public/registry.pem").by_id.keys() == key.trusted.by_id.keys()
