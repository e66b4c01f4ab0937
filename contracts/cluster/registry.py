"""The registry topic: the catalogue as signed entries, which running processes can trust.

An entry's key is its kind and name (`version/health.record-opened/1.0`); its value is a DSSE envelope, signed
with Ed25519, around the documents of that part. All entries together make up the catalogue folder again.
Law: an entry that is corrupt, unsigned, signed with an unknown key, or under another key is never used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.cluster.state import CatalogParts, RegistryEntry
from contracts.contract import DEFAULT_POLICY, ClusterPolicy
from contracts.errors import RegistryKeyError

if TYPE_CHECKING:
    from contracts.documents.loaded import Loaded, LoadedContract

PAYLOAD_TYPE: Final = "application/vnd.govbus.registry-entry+json"
DOCUMENTS: Final = (".json", ".yaml", ".yml", ".jsonata")
ROOT_FILES: Final = ("catalog.yaml", "cluster.yaml", "waivers.yaml")
_PEM_END: Final = b"-----END PUBLIC KEY-----"


@dataclass(frozen=True)
class SigningKey:
    """The private key that signs entries; only `apply` needs it."""

    private: Ed25519PrivateKey

    @classmethod
    def read(cls, file: Path) -> SigningKey:
        """Read a PEM file without a password.

        Raises:
            RegistryKeyError: The file contains no Ed25519 private key.
        """
        try:
            key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise RegistryKeyError(f"Expected a PEM file with an Ed25519 private key - at `{file}`")
        return cls(key)

    @property
    def trusted(self) -> TrustedKeys:
        """The public key that verifies this key's signatures."""
        return TrustedKeys({_key_id(self.private.public_key()): self.private.public_key()})

    def sign(self, entry: RegistryEntry, issued: datetime, commit: str, committed: int = 0) -> bytes:
        """Sign an entry for the topic.

        Args:
            entry: The entry.
            issued: The time of signing, with a time zone.
            commit: The commit of the catalogue; empty when there is none.
            committed: When that was made, in seconds since the epoch; 0 when that is not known.
        """
        payload = canonical(
            {
                "content": json.loads(entry.content),
                "issued": issued.isoformat(),
                "commit": commit,
                "committed": committed,
            }
        )
        signature = self.private.sign(_signed_bytes(PAYLOAD_TYPE, payload))
        return canonical(
            {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [
                    {"keyid": _key_id(self.private.public_key()), "sig": base64.b64encode(signature).decode()}
                ],
            }
        )


@dataclass(frozen=True)
class TrustedKeys:
    """The trusted public keys by id; several while one replaces another."""

    by_id: Mapping[str, Ed25519PublicKey]

    @classmethod
    def read(cls, file: Path) -> TrustedKeys:
        """Read a PEM file with one or more public keys.

        Raises:
            RegistryKeyError: The file contains no such key, or another kind.
        """
        found = {}
        try:
            for block in file.read_bytes().split(_PEM_END)[:-1]:
                key = serialization.load_pem_public_key(block.lstrip() + _PEM_END + b"\n")
                if not isinstance(key, Ed25519PublicKey):
                    raise ValueError
                found[_key_id(key)] = key
        except (OSError, ValueError, UnsupportedAlgorithm):
            found = {}
        if not found:
            raise RegistryKeyError(f"Expected a PEM file with Ed25519 public keys - at `{file}`")
        return cls(found)

    def open(self, key: str, value: bytes | None, timestamp: int = 0) -> RegistryEntry:
        """Verify the entry under a key of the topic; an entry with a `fault` must not be used.

        Args:
            key: The record's key.
            value: The record's value.
            timestamp: The record's time, in milliseconds since the epoch.
        """
        if value is None:
            return RegistryEntry(key, b"", fault="removed without a signature")
        try:
            envelope = json.loads(value)
            payload = base64.b64decode(envelope["payload"], validate=True)
            signed = _signed_bytes(envelope["payloadType"], payload)
            signatures = [(row["keyid"], base64.b64decode(row["sig"])) for row in envelope["signatures"]]
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError):
            return RegistryEntry(key, b"", fault="not a signed entry")
        if envelope["payloadType"] != PAYLOAD_TYPE or not any(
            self._is_good(key_id, signature, signed) for key_id, signature in signatures
        ):
            return RegistryEntry(key, b"", fault="not signed with a trusted key")
        said = json.loads(payload)
        return replace(_opened(key, said["content"], timestamp), committed=said.get("committed", 0))

    def _is_good(self, key_id: Any, signature: bytes, signed: bytes) -> bool:
        key = self.by_id.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            return False
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True


def _opened(key: str, content: dict[str, Any], timestamp: int) -> RegistryEntry:
    if content.get("key") != key:
        return RegistryEntry(key, b"", fault="signed for another key")
    withdrawn = "documents" not in content
    return RegistryEntry(key, canonical(content), content.get("sha256", ""), withdrawn, timestamp=timestamp)


def withdrawal(entry: RegistryEntry) -> RegistryEntry:
    """The entry that replaces one that is no longer in the catalogue; it keeps the hash."""
    content = {"key": entry.key, "sha256": entry.sha256} if entry.sha256 else {"key": entry.key}
    return RegistryEntry(entry.key, canonical(content), entry.sha256, withdrawn=True)


def _signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE 1.0."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def canonical(value: Any) -> bytes:
    """JSON with sorted names and no spaces: equal values are equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def registry_entries(root: Path) -> dict[str, RegistryEntry]:
    """All registry entries of the sound catalogue at `root`, by key."""
    from contracts.documents.loading import load  # noqa: PLC0415 - its parsers take most of this room's start

    return entries_of(load(root))


def entries_of(loaded: Loaded) -> dict[str, RegistryEntry]:
    """All registry entries of a sound catalogue that was read already, by key."""
    root = loaded.root
    entries = [_entry(root, "catalog", [name for name in ROOT_FILES if (root / name).is_file()])]
    entries += [_entry(root, f"agency/{name}", [f"agencies/{name}/agency.yaml"]) for name in loaded.agencies]
    for contract in loaded.contracts.values():
        entries += _contract_entries(root, contract)
    entries += [
        _entry(root, f"service/{name}", [service.document.file]) for name, service in loaded.services.items()
    ]
    entries += [
        _entry(root, f"subscription/{consumer}/{name}", [found.document.file])
        for (consumer, name), found in loaded.subscriptions.items()
    ]
    return {entry.key: entry for entry in entries}


def _contract_entries(root: Path, contract: LoadedContract) -> Iterable[RegistryEntry]:
    subject = contract.contract.subject
    listed = set()
    for row in contract.versions:
        files = [row.document.file, *(reference.file for reference in row.references)]
        listed.update(files)
        declared = contract.document.value["versions"][row.row]
        state = "deprecated" if declared.get("deprecated") else "active"
        yield _entry(
            root,
            f"version/{subject}/{row.version.number}",
            files,
            sha256=row.version.sha256,
            state=state,
            sunset=declared.get("sunset"),
        )
    partitions = contract.contract.partitions
    files = [name for name in _documents(root, contract.folder) if name not in listed]
    yield _entry(root, f"contract/{subject}", files, partitions=partitions)


def _documents(root: Path, folder: str) -> Iterator[str]:
    """The documents in a contract's folder, from the catalogue's root; examples and programs are none."""
    top = f"{root}/{folder}"
    for place, folders, files in os.walk(top):
        skipped = {"examples"} if place == top else set()
        folders[:] = [name for name in folders if name[0] not in "._" and name not in skipped]
        for name in files:
            path = f"{place}/{name}"
            if name.endswith(DOCUMENTS) and name[0] not in "._" and not os.path.islink(path):  # noqa: PTH114
                yield folder + path.removeprefix(top)


def _entry(root: Path, key: str, files: Iterable[str], *, sha256: str = "", **more: Any) -> RegistryEntry:
    documents = {file: (root / file).read_bytes().decode() for file in files}
    present = {name: value for name, value in {**more, "sha256": sha256}.items() if value}
    return RegistryEntry(key, canonical({"key": key, "documents": documents, **present}), sha256)


def registered_parts(entries: Mapping[str, RegistryEntry]) -> CatalogParts:
    """Return the documents of the catalogue that a registry has."""
    agencies, services, subscriptions = set(), set(), set()
    for key, entry in entries.items():
        kind, _, name = key.partition("/")
        if entry.fault or entry.withdrawn:
            continue
        if kind == "agency":
            agencies.add(name)
        elif kind == "service":
            services.add(name)
        elif kind == "subscription":
            files = map(PurePosixPath, json.loads(entry.content)["documents"])
            subscriptions |= {(name.partition("/")[0], ".".join(file.stem.split(".")[:2])) for file in files}
    return CatalogParts(frozenset(agencies), frozenset(subscriptions), frozenset(services))


def registered_policy(entries: Mapping[str, RegistryEntry]) -> ClusterPolicy | None:
    """Return what `cluster.yaml` says of the catalogue that a registry has; None if no sound entry tells."""
    from contracts.documents.shapes import ClusterShape  # noqa: PLC0415 - its parsers take most of this
    from contracts.documents.yaml_reader import read_yaml_text  # noqa: PLC0415 - room's start

    entry = entries.get("catalog")
    if entry is None or entry.fault or entry.withdrawn:
        return None
    text = json.loads(entry.content)["documents"].get("cluster.yaml")
    return (
        DEFAULT_POLICY if text is None else ClusterShape.model_validate(read_yaml_text(text, "")[0]).policy()
    )


def write_registry_folder(entries: Iterable[RegistryEntry], folder: Path) -> None:
    """Write the documents of sound entries as a catalogue folder.

    Args:
        entries: Entries of the registry; those with a fault are skipped.
        folder: An empty folder.
    """
    (folder / "agencies").mkdir(parents=True, exist_ok=True)
    for entry in entries:
        if entry.fault or entry.withdrawn:
            continue
        for name, text in json.loads(entry.content)["documents"].items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                continue  # even a signed entry is not written outside the folder
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
