"""The HTTP registry: what a stock client of Confluent's sees, and what a hostile one gets."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from jsonschema import Draft202012Validator

import contracts
from contracts import Catalog, ContractError
from contracts.publish.http_registry import holdings
from contracts.publish.http_registry.holdings import Holdings
from contracts.schema.ids import schema_guid, schema_id
from tests.registries import served
from tests.unit.contracts import catalogs

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SUBJECT = "tax.refund-paid.v1-value"
MONEY = "https://schemas.tax.example/money"


def wider() -> dict[str, Any]:
    """The sound schema with one more optional field."""
    schema = catalogs.schema()
    schema["properties"]["note"] = {"type": "string", "maxLength": 80}
    return schema


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Versions 1.0, 1.1 and 2.0 of one event; 2.0 refers to a further schema."""
    root = catalogs.sound(tmp_path_factory.mktemp("registry"))
    second = catalogs.schema()
    second["properties"]["amount"] = {"$ref": MONEY}
    catalogs.write(root, f"{catalogs.FOLDER}/v1.1.json", wider())
    catalogs.write(root, f"{catalogs.FOLDER}/v2.0.json", second)
    money = {"$schema": DIALECT, "$id": MONEY, "type": "integer", "minimum": 0}
    catalogs.write(root, f"{catalogs.FOLDER}/money.json", money)
    contract = catalogs.contract()
    contract["versions"] += [
        {"number": "1.1", "file": "v1.1.json"},
        {"number": "2.0", "file": "v2.0.json", "references": [{"file": "money.json"}]},
    ]
    catalogs.write(root, catalogs.CONTRACT, contract)
    catalogs.rehash(root)
    return Catalog.open(root)


@pytest.fixture(scope="module")
def port(catalog: Catalog) -> Iterator[int]:
    """The port of a registry of that catalogue."""
    with served(catalog) as number:
        yield number


@pytest.fixture
def client(port: int) -> Iterator[SchemaRegistryClient]:
    """A stock client, with nothing but the address."""
    with SchemaRegistryClient({"url": f"http://127.0.0.1:{port}"}) as found:
        yield found


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Send one request, the path exactly as given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


def code_of(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, int]:
    """The HTTP status and the error code of a request that is refused."""
    status, answer = ask(port, method, path, body)
    assert sorted(answer) == ["error_code", "message"]
    return status, answer["error_code"]


def sent(schema: object, **more: object) -> bytes:
    """A schema as clients send it."""
    return json.dumps({"schema": json.dumps(schema), "schemaType": "JSON", **more}).encode()


def test_a_stock_client_finds_subjects_and_versions(client: Any, catalog: Catalog) -> None:
    """A topic is a subject `<topic>-value`; its minor versions are 1, 2, ...; so is a referenced schema."""
    assert client.get_subjects() == sorted(
        [MONEY, "tax.refund-approved.v1-value", SUBJECT, "tax.refund-paid.v2-value"]
    )
    assert client.get_versions(SUBJECT) == [1, 2]
    latest = client.get_latest_version(SUBJECT)
    version = catalog.contract("tax.refund-paid").version(1)
    assert (latest.version, latest.guid, version.number) == (2, str(version.guid), "1.1")
    assert json.loads(latest.schema.schema_str) == version.schema
    assert latest.schema.metadata.properties.properties["dataschema"] == version.dataschema
    assert client.get_version(SUBJECT, 1).schema_id == schema_id(catalogs.schema(), {})
    assert client.get_version("tax.refund-paid.v1", 1).subject == SUBJECT


def test_a_stock_client_finds_a_schema_by_id_guid_and_content(client: Any) -> None:
    """Each of the three leads to the same schema; the order of its members does not matter."""
    latest = client.get_latest_version(SUBJECT)
    assert client.get_schema(latest.schema_id).schema_str == latest.schema.schema_str
    assert client.get_schema_by_guid(latest.guid).schema_str == latest.schema.schema_str
    found = client.lookup_schema(SUBJECT, Schema(json.dumps(dict(reversed(wider().items()))), "JSON"))
    assert (found.schema_id, found.version) == (latest.schema_id, 2)
    assert [(row.subject, row.version) for row in client.get_schema_versions(latest.schema_id)] == [
        (SUBJECT, 2)
    ]
    assert client.get_subjects_by_schema_id(latest.schema_id) == [SUBJECT]
    assert client.get_schema_types() == ["JSON"]


def test_references_lead_to_subjects(client: Any) -> None:
    """A version with references names them, each can be had, and knows who refers to it."""
    version = client.get_latest_version("tax.refund-paid.v2-value")
    (row,) = version.schema.references
    assert (row.name, row.subject, row.version) == (MONEY, MONEY, 1)
    assert json.loads(client.get_version(MONEY, 1).schema.schema_str)["$id"] == MONEY
    assert client.get_referenced_by(MONEY, 1) == [version.schema_id]
    again = Schema(version.schema.schema_str, "JSON", [SchemaReference(MONEY, MONEY, 1)])
    assert client.lookup_schema("tax.refund-paid.v2-value", again).schema_id == version.schema_id


def test_config_and_mode_are_the_contracts(client: Any) -> None:
    """The level is the contract's; the mode is read-only."""
    assert client.get_compatibility(SUBJECT) == "FULL_TRANSITIVE"
    assert client.get_compatibility() == "BACKWARD_TRANSITIVE"
    assert (client.get_mode(SUBJECT), client.get_global_mode()) == ("READONLY", "READONLY")


@pytest.mark.parametrize(
    ("subject", "code"), [("no.such-event.v1-value", 40401), (SUBJECT, 42205), (MONEY, 42205)]
)
def test_a_new_schema_is_not_registered(client: Any, subject: str, code: int) -> None:
    """Schemas enter by a change of the catalogue alone; a subject that is not there stays so."""
    with pytest.raises(SchemaRegistryError) as caught:
        client.lookup_schema("no.such-event.v1-value", Schema('{"type": "object"}', "JSON"))
    assert caught.value.error_code == 40401
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema(subject, Schema(json.dumps({"$schema": DIALECT, "title": "New"}), "JSON"))
    assert (caught.value.http_status_code, caught.value.error_code) == (422, 42205)
    for change in (client.delete_subject, partial(client.set_compatibility, level="NONE")):
        with pytest.raises(SchemaRegistryError) as caught:
            change(subject)
        assert caught.value.error_code == 42205


def test_registering_what_is_there_answers_with_its_id(client: Any) -> None:
    """So serializers that register before they write go on working."""
    known = Schema(json.dumps(catalogs.schema()), "JSON")
    assert client.register_schema(SUBJECT, known) == client.get_version(SUBJECT, 1).schema_id


def test_an_event_with_the_header_is_read_without_configuration(client: Any, catalog: Catalog) -> None:
    """The stock deserializer finds schema and references by the header, and checks the data."""
    version = catalog.contract("tax.refund-paid").version(2)
    headers: Any = [("__value_schema_id", b"\x01" + version.guid.bytes)]
    context = SerializationContext(version.type, MessageField.VALUE, headers)
    deserialize = JSONDeserializer(None, schema_registry_client=client)
    event = {**catalogs.event(), "amount": 5}
    assert deserialize(json.dumps(event).encode(), context) == event
    with pytest.raises(SerializationError):
        deserialize(json.dumps({**event, "amount": -5}).encode(), context)


def test_ids_follow_from_content(catalog: Catalog) -> None:
    """Order of members and of versions plays no part; a reference does; a GUID is ASCII, for headers."""
    schema = catalogs.schema()
    assert schema_id(schema, {}) == schema_id(dict(reversed(schema.items())), {})
    assert schema_guid(schema, {}) != schema_guid(schema, {MONEY: {"type": "integer"}})
    assert 0 < schema_id(schema, {}) < 2**31
    assert all(version.guid.bytes.isascii() for version in catalog.contract("tax.refund-paid").versions)


def test_two_contents_with_one_id_are_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that means two schemas would hand out the wrong one."""
    monkeypatch.setattr(holdings, "schema_id", lambda _schema, _references: 7)
    with pytest.raises(ContractError, match="have the same"):
        Holdings(catalog)


def test_a_stock_client_asks_what_may_follow(client: Any) -> None:
    """An optional field may be added under FULL; a required one may not, nor may one be narrowed."""
    wider_still = wider()
    wider_still["properties"]["more"] = {"type": "boolean"}
    assert client.test_compatibility(SUBJECT, Schema(json.dumps(wider_still), "JSON"))
    assert client.test_compatibility_all_versions(SUBJECT, Schema(json.dumps(wider_still), "JSON"))
    narrower = wider()
    narrower["required"].append("note")
    assert not client.test_compatibility(SUBJECT, Schema(json.dumps(narrower), "JSON"), 2)
    assert not client.test_compatibility_all_versions(SUBJECT, Schema(json.dumps(narrower), "JSON"))


def test_a_schema_without_dialect_is_2020_12(port: int) -> None:
    """As clients and generators send it."""
    plain = wider()
    del plain["$schema"]
    path = f"/compatibility/subjects/{SUBJECT}/versions/2"
    assert ask(port, "POST", path, sent(plain)) == (200, {"is_compatible": True})


def test_a_break_comes_with_its_place_and_a_witness(port: int) -> None:
    """The messages are Confluent's in form, with a path, and an event that proves it."""
    narrower = wider()
    narrower["properties"]["note"]["maxLength"] = 79
    path = f"/compatibility/subjects/{SUBJECT}/versions/2"
    assert ask(port, "POST", path, sent(narrower)) == (200, {"is_compatible": False})
    status, answer = ask(port, "POST", f"{path}?verbose=true", sent(narrower))
    assert (status, answer["is_compatible"]) == (200, False)
    told: dict[str, Any] = {}
    for line in answer["messages"]:
        told |= json.loads(line)
    assert told["errorType"] == "MAX_LENGTH_DECREASED"
    assert told["newPath"] == "#/properties/note/maxLength"
    assert (told["oldSchemaVersion"], told["compatibility"]) == (2, "BACKWARD")
    assert Draft202012Validator(wider()).is_valid(told["witness"])
    assert not Draft202012Validator(narrower).is_valid(told["witness"])


NOWHERE = "/subjects/no.such-event.v1-value"
REFUSED = [
    ("GET", "/nothing/here", 404, 404),
    ("GET", f"{NOWHERE}/versions", 404, 40401),
    ("GET", "/config/no.such-event.v1-value", 404, 40401),
    ("GET", f"/config/{quote(MONEY, safe='')}", 404, 40408),
    ("GET", "/mode/no.such-event.v1-value", 404, 40401),
    ("GET", f"/subjects/{SUBJECT}/versions/3", 404, 40402),
    ("GET", f"/subjects/{SUBJECT}/versions/0", 422, 42202),
    ("GET", f"/subjects/{SUBJECT}/versions/-2", 422, 42202),
    ("GET", f"/subjects/{SUBJECT}/versions/{'9' * 5000}", 422, 42202),
    ("GET", f"/subjects/{SUBJECT}/versions/%C2%B2", 422, 42202),
    ("GET", "/schemas/ids/1", 404, 40403),
    ("GET", f"/schemas/ids/{'9' * 5000}", 404, 40403),
    ("GET", "/schemas/guids/not-a-guid", 404, 40403),
    ("GET", "/subjects/%ff%fe/versions", 400, 400),
    ("GET", "/subjects/%zz%00%0a/versions", 404, 40401),
    ("GET", "/subjects/..%2f..%2fetc%2fpasswd/versions", 404, 40401),
    ("GET", f"/subjects?{'a=1&' * 60}", 400, 400),
    ("DELETE", f"/subjects/{SUBJECT}", 422, 42205),
    ("DELETE", f"/subjects/{SUBJECT}/versions/1", 422, 42205),
    ("PUT", "/config", 422, 42205),
    ("PUT", f"/mode/{SUBJECT}", 422, 42205),
    ("OPTIONS", "/subjects", 405, 405),
    ("GET", f"/compatibility/subjects/{SUBJECT}/versions", 405, 405),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), REFUSED)
def test_a_refusal_has_confluents_number(port: int, method: str, path: str, status: int, code: int) -> None:
    """Status, number and message are those a client of Confluent's knows."""
    assert code_of(port, method, path) == (status, code)


DEEP = b"[" * 200_000 + b"]" * 200_000
NOT_THERE = {"name": "x", "subject": "y", "version": 1}
BODIES = {
    "empty": (b"", 400, 400),
    "not JSON": (b"{", 400, 400),
    "not UTF-8": (b'{"schema": "\xff"}', 400, 400),
    "another kind": (b'{"schema": "{}"}', 422, 42201),
    "a name twice in the body": (b'{"schema": "{}", "schemaType": "JSON", "schema": "true"}', 400, 400),
    "a name twice in the schema": (
        b'{"schema": "{\\"type\\": \\"object\\", \\"type\\": \\"string\\"}", "schemaType": "JSON"}',
        422, 42201,
    ),
    "not an object": (sent([]), 422, 42201),
    "no dialect and malformed": (sent({"type": 7}), 422, 42201),
    "unknown dialect": (sent({"$schema": "https://example.org/x"}), 422, 42201),
    "not a schema": (json.dumps({"schema": "{", "schemaType": "JSON"}).encode(), 422, 42201),
    "not a number": (json.dumps({"schema": '{"const": NaN}', "schemaType": "JSON"}).encode(), 422, 42201),
    "a huge number": (sent(None).replace(b"null", b"1" * 9999), 422, 42201),
    "lone surrogate": (b'{"schema": "{\\"title\\": \\"\\ud800\\"}", "schemaType": "JSON"}', 422, 42201),
    "deep body": (DEEP, 400, 400),
    "deep schema": (json.dumps({"schema": DEEP.decode(), "schemaType": "JSON"}).encode(), 422, 42201),
    "quotes without end": (b'{[' * 60 + b'\\"' * 1_000_000, 400, 400),
    "5 MB": (b" " * 5_000_000, 413, 413),
    "reference to nothing": (sent(catalogs.schema(), references=[NOT_THERE]), 404, 40401),
    "malformed reference": (sent(catalogs.schema(), references=[{"name": "x"}]), 422, 42201),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "path", [f"/subjects/{SUBJECT}", f"/compatibility/subjects/{SUBJECT}/versions/latest"]
)
def test_a_hostile_body_is_refused(port: int, name: str, path: str) -> None:
    """What no schema can be read from is refused, and the server goes on."""
    body, status, code = BODIES[name]
    try:
        if name == "lone surrogate":
            code_of(port, "POST", path, body)
        else:
            assert code_of(port, "POST", path, body) == (status, code)
    except (BrokenPipeError, ConnectionResetError):
        assert name == "5 MB"  # the server may answer and hang up before all of it is sent
    assert ask(port, "GET", "/schemas/types") == (200, ["JSON"])


def test_a_reference_that_leads_nowhere_is_no_schema(port: int) -> None:
    """Nothing is fetched for it."""
    schema = {"$schema": DIALECT, "$ref": "http://127.0.0.1:9/never"}
    path = f"/compatibility/subjects/{SUBJECT}/versions/latest"
    assert code_of(port, "POST", path, sent(schema)) == (422, 42201)


def test_lists_can_be_had_in_parts(port: int) -> None:
    """`offset`, `limit` and `subjectPrefix` cut a list; odd values of them are passed over."""
    assert ask(port, "GET", "/subjects?subjectPrefix=tax.&offset=1&limit=1") == (200, [SUBJECT])
    assert len(ask(port, "GET", "/subjects?offset=%C2%B2&limit=-1")[1]) == 4
    assert [row["version"] for row in ask(port, "GET", f"/schemas?subjectPrefix={SUBJECT}")[1]] == [1, 2]
    assert len(ask(port, "GET", "/schemas?latestOnly=true")[1]) == 4
    assert ask(port, "GET", f"/subjects/{SUBJECT}/versions/latest/schema") == (200, wider())
    assert ask(port, "GET", f"/config/{quote(MONEY, safe='')}?defaultToGlobal=true")[0] == 200
    assert (ask(port, "GET", "/contexts"), ask(port, "GET", "/")) == ((200, ["."]), (200, {}))
    assert ask(port, "HEAD", "/subjects")[0] == 200


def test_a_fault_shows_nothing_of_its_inside(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one answer, with the number for faults; the rest stands in the log."""
    monkeypatch.setattr(Holdings, "with_id", lambda _self, _number: 1 / 0)
    assert code_of(port, "GET", "/schemas/ids/5") == (500, 50001)


README = (Path(contracts.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_client_of_the_readme_works() -> None:
    """The page's stock client finds a contract of the reference catalogue."""
    shown = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = next(code for code in shown if "SchemaRegistryClient" in code)
    names: dict[str, Any] = {}
    with served(Catalog.open()) as port:
        exec(compile(code.replace("8081", str(port)), "README.md", "exec"), names)  # the page's own code
        names["client"].close()


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz"])
def test_the_registry_answers_for_its_health(port: int, path: str) -> None:
    """It is ready once it serves: it needs nothing but the catalogue that it has read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (200, "ready")
    connection.close()
