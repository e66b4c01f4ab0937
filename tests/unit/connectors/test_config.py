"""Configuration is refused with a place, a code and a remedy, and its secrets are never shown."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from connectors import ConnectorConfig, SinkConfig, SourceConfig, SourceRecord, Translated, load
from connectors.cli import connect
from connectors.configuration.config_reader import MAX_FILE_BYTES
from connectors.configuration.contract_check import check_contracts, check_sunsets
from connectors.configuration.environment import is_secret
from contracts import Catalog, ContractVersion, Finding
from tests.unit.connectors.country import (
    EVENT,
    configured,
    folder_source,
    http_sink,
    make_register,
    register_source,
)

GOOD = """\
connector: sql
name: business-register
agency: tax
system: register
source:
  url: sqlite:///register.db
  table: business
  position: id
publish:
  event: tax.business-registered
  service: registering-a-business
  data: {reference: $.reference}
  version: "1.0"
"""


def written(folder: Path, text: str) -> Path:
    """A configuration file."""
    file = folder / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def findings_of(folder: Path, text: str, **environment: str) -> list[Finding]:
    """What is wrong with a file."""
    return load([written(folder, text)], environment)[1]


@pytest.mark.parametrize(
    ("old", "new", "line", "code", "said"),
    [
        ("  table: business", "  tabel: business", 7, "C001", "did you mean `table`?"),
        ("  table: business\n", "", 5, "C002", "`source.table` is missing"),
        ("  table: business", "  table: 5", 7, "C003", "valid string"),
        ("name: business-register", "name: Business Register", 2, "C019", "pattern"),
        ("agency: tax", "agency: tax\nagency: tax", 4, "C004", "occurs twice"),
        ("register.db", "${ENV:FILE}", 6, "C005", "set FILE"),
        ("sqlite:///register.db", "postgresql://u:hunter2@h/d", 6, "C006", "${ENV:NAME}"),
        ('  version: "1.0"\n', "", 9, "C002", "`publish.version` is missing"),
        ('version: "1.0"', "version: 1.0", 13, "C019", "in quotes"),
        ('version: "1.0"', "version: 1", 13, "C019", "both numbers"),
        ("connector: sql", "connector: sqll", 1, "C007", "did you mean `sql`?"),
        ("connector: sql", "connector: nowhere:Thing", 1, "C007", "PYTHONPATH"),
        ("connector: sql", "connector: json:dumps", 1, "C007", "is no connector"),
        ("$.reference", "$.refe rence", 12, "C008", "write a path"),
        ("  service:", "  identity: reference\n  service:", 11, "C008", "write paths such as $.reference"),
        ("  service:", "  identity: [$.reference, $x]\n  service:", 11, "C008", "values of the record"),
        ("  service:", "  identity: {from: $.x}\n  service:", 11, "C003", "does not fit"),
        ("  service:", "  time_zone: Mars\n  service:", 11, "C008", "tz database"),
        ("  data: {reference: $.reference}\n", "", 9, "C002", "`data` and `translate`"),
        ("agency: tax\n", "agency: &a tax\nsystem2: *a\n", 3, "C000", "alias"),
        ("agency: tax", "agency: [tax", 4, "C000", "not YAML"),
        ("agency: tax", "agency: !secret tax", 3, "C000", "a tag"),
        ("agency: tax", "x-office: !secret office\nagency: tax", 3, "C000", "write a secret as ${ENV:NAME}"),
        ("agency: tax", "agency: !!binary dGF4", 3, "C000", "a tag"),
        ("source:", "source: !!map", 5, "C000", "a tag"),
        ("agency: tax", "!!str agency: tax", 3, "C000", "a tag"),
        ("agency: tax", "agency: &unused tax", 3, "C000", "an anchor or alias"),
        ("source:", "source: &unused", 5, "C000", "an anchor or alias"),
        ("  table:", "  <<: {batch_size: 5}\n  table:", 7, "C000", "a merge key"),
        ("agency: tax", "? [agency]\n: tax", 3, "C000", "a key that is not text"),
        ("{reference: $.reference}", "[" * 40 + "]" * 40, 12, "C000", "deeper than 32 levels"),
        ("agency: tax", "service: tax", 3, "C001", "unknown field `service`"),
    ],
)
def test_each_fault_has_its_place_code_and_remedy(  # noqa: PLR0917 - one column of the table each
    tmp_path: Path, old: str, new: str, line: int, code: str, said: str
) -> None:
    """One line per fault: file, line, column, code, what, why, how."""
    assert findings_of(tmp_path, GOOD) == []
    found = {finding.code: finding for finding in findings_of(tmp_path, GOOD.replace(old, new))}
    assert found[code].place.line == line
    assert said in str(found[code])
    assert str(found[code]).startswith(f"{tmp_path / 'c.yaml'}:{line}:")
    assert "hunter2" not in str(found[code])


SECRETS: list[tuple[tuple[str | int, ...], object]] = [
    *[(("sink", "headers", name), "hunter2") for name in (
        "Authorization", "Cookie", "X-Auth", "x-auth-token", "Proxy-Authorization", "X-Api-Key", "X-Sesame",
        "Ocp-Apim-Subscription-Key", "X-Amz-Security-Token", "X-Forwarded-Access-Token", "Session",
    )],
    *[(("sink", "url"), f"https://h.example/x?{query}") for query in (
        "token=hunter2", "a=1&access_token=hunter2", "a=1;api_key=hunter2", "%74oken=hunter2", "sig=hunter2",
        "key=hunter2", "x=aB3dEfGh1jKlMn0pQrStUv", "TOKEN=hunter2",
        "auth=hunter2&b=${ENV:B}", "a=b#access_token=hunter2",
    )],
    (("source", "url"), "postgresql://u:hunter2@h/d"),
    (("source", "url"), "postgresql://u:hun/ter2@h/d"),
    (("source", "url"), "postgresql://u:hun:t#er2@h/d"),
    (("source", "url"), "postgresql://h/d?user=u&password=hunter2"),
    (("source", "url"), "mssql+pyodbc:///?odbc_connect=Driver%3DX%3BUID%3Dsa%3BPWD%3Dhunter2"),
    (("source", "url"), "https://:hunter2@h/"),
    (("sink", "url"), "https://hooks.example/services/T000/B000/XXXXXXXX"),
    (("sink", "url"), "https://h.example/api/token/hunter"),
    (("sink", "url"), "https://h.example/bot123456:hunter2/send"),
    (("sink", "url"), "https://h.example/hooks/8f14e45f-ceea-467f-a5a1-1b2c3d4e5f60"),
    (("sink", "url"), "https://h.example/in?hunter2hunter2"),
    (("sink", "url"), "https://${ENV:HOST}/services/%54000/x"),
    (("source", "stream"), "wss://h.example/feed/aB3dE5gH7jK9"),
    (("source", "dsn"), "host=h user=u password=hunter2"),
    (("source", "password"), 12345),
    (("source", "auth", "user"), "hunter2"),
    (("source", "client_secret"), "hunter2"),
    (("source", "tokens", 0), "hunter2"),
    (("source", "privateKey"), "hunter2"),
]  # fmt: skip

HARMLESS: list[tuple[tuple[str | int, ...], object]] = [
    (("sink", "headers", "Accept"), "application/json"),
    (("sink", "headers", "user-agent"), "govbus"),
    (("sink", "headers", "Cookie"), "${ENV:COOKIE}"),
    (("sink", "headers", "Authorization"), "Bearer ${ENV:TOKEN}"),
    (("sink", "url"), "https://h.example:8443/x?format=json&limit=100&token=${ENV:TOKEN}"),
    (("sink", "url"), "https://h.example:80/people/@me?author=smith"),
    (("sink", "url"), "https://h.example/services/${ENV:HOOK}"),
    (("sink", "url"), "https://h.example/API/v2/tax-register/changedPersons/records.json"),
    (("sink", "url"), "http://10.0.0.1:8080/v1.1/agencies/12/events/"),
    (("sink", "url"), "https://h.example/oauth2/token"),
    (("source", "url"), "postgresql://user@h:5432/d?sslmode=require"),
    (("source", "url"), "postgresql://user:${ENV:PASSWORD}@h:5432/d"),
    (("source", "url"), "sqlite:////var/lib/register.db"),
    (("source", "url"), "postgresql://user@/d?host=/run/postgresql-17/register"),
    (
        ("source", "url"),
        "postgresql://user@/d?host=db-1.register.agency.example&sslcert=/etc/tls/agency-1.pem",
    ),
    (("source", "password_file"), "/run/secrets/password"),
    (("source", "key"), "reference"),
    (("source", "table"), "passport"),
    (("source", "query"), "select a, b from c where d = e"),
    (("source", "poll_seconds"), 5),
]


@pytest.mark.parametrize(("steps", "value"), SECRETS)
def test_a_secret_that_is_written_out_is_a_finding(steps: tuple[str | int, ...], value: object) -> None:
    """By the name of the option or parameter, in any header that may carry one, and in any address."""
    assert is_secret(steps, str(value))


@pytest.mark.parametrize(("steps", "value"), HARMLESS)
def test_what_is_no_secret_may_be_written(steps: tuple[str | int, ...], value: object) -> None:
    """And so may a secret that comes from the environment."""
    assert not is_secret(steps, str(value))


@pytest.mark.parametrize(
    "url",
    [
        "https://h:hunter2/x",
        "https://[hunter2/x",
        "https://hunter2\u2100@h/x",
        "https://u:hunter2@h/x",
        "ftp://hunter2",
    ],
)
def test_no_fault_of_an_address_quotes_it(tmp_path: Path, url: str) -> None:
    """Python's own errors do; ours say what was expected."""
    text = yaml.safe_dump(http_sink("${ENV:URL}"))
    assert findings_of(tmp_path, text, URL="https://h.example/x") == []
    (finding,) = findings_of(tmp_path, text, URL=url)
    assert "expected an address" in str(finding)
    assert "hunter2" not in str(finding)


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    """Faults of both sections and of every document are found in one go."""
    text = GOOD.replace("table: business", "tabel: x").replace("  event:", "  evnt:")
    found = findings_of(tmp_path, text + "---\nconnector: nothing\n")
    assert [finding.code for finding in found] == ["C002", "C001", "C002", "C001", "C007"]


def test_a_document_that_is_not_plain_yaml_hides_no_other(tmp_path: Path) -> None:
    """Each document of a file stands for itself, as far as the file can be parsed."""
    tagged = GOOD.replace("agency: tax", "agency: !secret tax")
    other = GOOD.replace("name: business-register", "name: other")
    configs, findings = load([written(tmp_path, f"{tagged}---\n{other}---\nname: [x\n")], {})
    assert [config.name for config in configs] == ["other"]
    assert [(finding.code, finding.place.line) for finding in findings] == [("C000", 3), ("C000", 30)]


def test_a_quoted_merge_key_is_a_name(tmp_path: Path) -> None:
    """What is quoted is text, `<<` included."""
    configs, _ = load([written(tmp_path, GOOD.replace("{reference:", '{"<<": x, reference:'))], {})
    assert isinstance(configs[0], SourceConfig)
    assert configs[0].mapping is not None
    assert configs[0].mapping.data.evaluate({"reference": "r"}) == {"<<": "x", "reference": "r"}


def test_a_file_has_a_byte_order_mark_or_not_and_a_limit(tmp_path: Path) -> None:
    """Editors of Windows write the mark; a file above the limit is not read."""
    assert findings_of(tmp_path, "\ufeff" + GOOD) == []
    (finding,) = findings_of(tmp_path, GOOD + "#" * MAX_FILE_BYTES)
    assert (finding.code, "larger than 1,048,576 bytes" in finding.what) == ("C000", True)


def test_a_variable_fills_a_text_and_stays_out_of_sight(tmp_path: Path) -> None:
    """Secrets of the environment reach the options and no representation."""
    text = GOOD.replace("sqlite:///register.db", "postgresql://u:${ENV:PASSWORD}@h/d")
    configs, findings = load([written(tmp_path, text)], {"PASSWORD": "hunter2"})
    assert findings == []
    assert isinstance(configs[0], SourceConfig)
    assert configs[0].options.model_dump()["url"].get_secret_value() == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(configs[0])


def test_two_connectors_of_one_name_are_refused(tmp_path: Path) -> None:
    """They would share checkpoints; the second is the finding."""
    (finding,) = findings_of(tmp_path, GOOD + "---\n" + GOOD)
    assert (finding.code, finding.place.line) == ("C004", 16)


def test_words_and_dates_of_yaml_are_text(tmp_path: Path) -> None:
    """`no` is Norway and a date is a text, so that a constant is what it looks like."""
    text = GOOD.replace("$.reference}", "$.reference, a: no, b: 2026-01-02, c: true, d: 1.5, e: '7'}")
    configs, _ = load([written(tmp_path, text)], {})
    assert isinstance(configs[0], SourceConfig)
    assert configs[0].mapping is not None
    data = configs[0].mapping.data.evaluate({"reference": "r"})
    assert data == {"reference": "r", "a": "no", "b": "2026-01-02", "c": True, "d": 1.5, "e": "7"}


@pytest.mark.parametrize("text", ["", "---\n", "5", "- a", "[" * 100 + "]" * 100, "a: {b: !!python/none x}"])
def test_what_is_no_configuration_is_a_finding_or_nothing(tmp_path: Path, text: str) -> None:
    """No text makes the loader fail."""
    configs, findings = load([written(tmp_path, text)], {})
    assert configs == []
    assert all(finding.place.line >= 1 for finding in findings)


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """Missing and non-UTF-8 files are told like every fault."""
    (tmp_path / "latin.yaml").write_bytes(b"name: Zo\xeb")
    _, findings = load([tmp_path / "absent.yaml", tmp_path / "latin.yaml"], {})
    assert [finding.code for finding in findings] == ["C000", "C000"]


@cache
def reference() -> Catalog:
    """The reference catalogue, opened once."""
    return Catalog.open()


def against_catalogue(folder: Path, content: dict[str, Any]) -> list[Finding]:
    """What the reference catalogue has against a connector."""
    return check_contracts(configured(folder, content), reference())


@pytest.mark.parametrize(("days", "count"), [(91, 0), (90, 2), (0, 2), (-1, 2)])
def test_a_version_that_ends_is_found(tmp_path: Path, days: int, count: int) -> None:
    """At the version that the file names, published or read, before its last day and after it."""
    files = register_source(tmp_path), http_sink("http://127.0.0.1/")
    catalog, today = reference(), date(2026, 6, 1)
    contract = catalog.contract(EVENT)
    ending = replace(contract.version(1), sunset=today + timedelta(days=days))
    after = replace(contract.version(1), major=2)
    changed = replace(catalog, contracts={EVENT: replace(contract, versions=(ending, after))})
    found = check_sunsets(configured(tmp_path, *files), changed, today)
    assert [(finding.code, "version 2.0" in str(finding)) for finding in found] == [("C011", True)] * count


def test_sound_connectors_fit_the_catalogue(tmp_path: Path) -> None:
    """The connectors of these tests have no finding."""
    for content in (register_source(tmp_path), folder_source(tmp_path), http_sink("http://127.0.0.1/")):
        assert against_catalogue(tmp_path, content) == []


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"event": "tax.business-registred"}, "C009", "did you mean `tax.business-registered`?"),
        ({"version": "1.9"}, "C009", "no version of"),
        ({"service": "registering-business"}, "C009", "did you mean `registering-a-business`?"),
        ({"event": "health.record-opened"}, "C009", "is not an event of `tax`"),
        ({"data": {"refrence": "$.a"}}, "C010", "did you mean `reference`?"),
        ({"data": {"seat": {"city": "$.a"}}}, "C010", "has no `city` there"),
        ({"data": {"reference": "$.a"}}, "C010", "requires `business_name`"),
        ({"data": {"reference": {"from": "$.a", "optional": True}}}, "C010", "may leave it out"),
    ],
)
def test_a_source_that_does_not_fit_its_contract_is_found(
    tmp_path: Path, change: dict[str, Any], code: str, said: str
) -> None:
    """Unknown names and missing fields are found before anything runs."""
    content = register_source(tmp_path)
    content["publish"] = {**content["publish"], **change}
    assert any(said in str(f) and f.code == code for f in against_catalogue(tmp_path, content))


@pytest.mark.parametrize(
    ("written_as", "said"),
    [
        ("$.data.business", "did you mean `business_name`?"),
        ("$.data.seat.lines[0].x", None),
        ("$.data.seat.town", "has no `town` there"),
        ("$.dta", "an event has no `dta`"),
    ],
)
def test_a_sink_that_reads_what_is_not_delivered_is_found(
    tmp_path: Path, written_as: str, said: str | None
) -> None:
    """Paths into the event are held against the contract."""
    content = {**http_sink("http://127.0.0.1/"), "write": {"x": written_as}}
    found = [str(finding) for finding in against_catalogue(tmp_path, content)]
    assert (said is None and found == []) or (said is not None and said in found[0])


def test_a_mapping_is_compared_with_a_schema_in_another_file(tmp_path: Path) -> None:
    """A `$ref` is followed as the catalogue follows it, whichever document it leads to."""
    seat = {"type": "object", "properties": {"town": True}, "additionalProperties": False}
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= {"type": "object", "properties": {"seat": {"$ref": "urn:example:seat"}}}
    contract = reference().contracts["tax.business-registered"]
    version = ContractVersion(1, 0, schema, "", {"urn:example:seat": seat})
    contracts = {contract.subject: replace(contract, versions=(version,))}
    content = register_source(tmp_path)
    content["publish"] = {**content["publish"], "data": {"seat": {"city": "$.town"}}}
    (found,) = check_contracts(configured(tmp_path, content), replace(reference(), contracts=contracts))
    assert found.what == "the contract has no `city` there"


def translate_business(record: SourceRecord) -> Translated:
    """A file's own translation, named by its dotted path in the test below."""
    return Translated({"reference": record.data["reference"]})


async def translate_later(record: SourceRecord) -> Translated:
    """A coroutine function."""
    return translate_business(record)


def translate_by_steps(record: SourceRecord) -> Iterator[Translated]:
    """A generator."""
    yield translate_business(record)


class ByObject:
    """An object whose call is a coroutine."""

    async def __call__(self, record: SourceRecord) -> Translated:
        return translate_business(record)


by_object = ByObject()


@pytest.mark.parametrize("name", ["translate_later", "translate_by_steps", "by_object", "ByObject", "GOOD"])
def test_a_function_that_gives_nothing_when_it_is_called_is_found(tmp_path: Path, name: str) -> None:
    """A coroutine, a generator or a class would set every record aside."""
    content = register_source(tmp_path)
    content["publish"].pop("data")
    content["publish"] = {**content["publish"], "translate": f"{__name__}:{name}"}
    (found,) = findings_of(tmp_path, yaml.safe_dump(content))
    assert (found.code, "plain function" in found.what) == ("C003", True)


class GeneratorSink:
    """A sink whose `write` never runs."""

    Options = BaseModel

    def write(self, record: SourceRecord) -> Iterator[None]:
        """Never run."""
        yield


def test_a_connector_with_a_generator_is_found(tmp_path: Path) -> None:
    """What it should write would be counted as written."""
    content = {**http_sink("http://x/"), "connector": f"{__name__}:GeneratorSink", "sink": {}}
    (found,) = findings_of(tmp_path, yaml.safe_dump(content))
    assert "`write`" in found.what
    assert "generator" in found.what


def test_a_function_of_its_own_may_translate(tmp_path: Path) -> None:
    """`translate: module:function` takes the place of the mapping."""
    content = register_source(tmp_path)
    content["publish"].pop("data")
    content["publish"] = {**content["publish"], "translate": f"{__name__}:translate_business"}
    (config,) = configured(tmp_path, content)
    assert isinstance(config, SourceConfig)
    assert config.translate is not None
    assert config.translate(SourceRecord({"reference": "r"}, "1")) == Translated({"reference": "r"})


def test_without_write_a_sink_gives_the_data_as_it_is(tmp_path: Path) -> None:
    """The default body is the event's data."""
    content = http_sink("http://127.0.0.1/")
    content.pop("write")
    (config,) = configured(tmp_path, content)
    assert isinstance(config, SinkConfig)
    assert config.mapping is not None
    assert [path.text for path, _ in config.mapping.body.paths()] == ["$.data"]


def run_cli(*arguments: str) -> Any:
    """What `govbus connect` does."""
    return CliRunner().invoke(connect, arguments)


def saved(folder: Path, content: dict[str, Any]) -> str:
    """A configuration file with one connector."""
    return str(written(folder, yaml.safe_dump(content)))


def test_check_exits_with_0_when_clean_and_100_on_findings(tmp_path: Path) -> None:
    """The exit codes are those of every govbus command."""
    make_register(tmp_path / "register.db")
    file = saved(tmp_path, register_source(tmp_path / "register.db"))
    assert run_cli("check", file).exit_code == 0
    (tmp_path / "register.db").unlink()
    unreachable = run_cli("check", file, "--json")
    assert unreachable.exit_code == 100
    assert [finding["code"] for finding in json.loads(unreachable.stdout)] == ["C020"]
    assert run_cli("check", file, "--offline").exit_code == 0
    assert run_cli("check", str(tmp_path / "absent.yaml")).exit_code == 2
    assert run_cli("check", file, "--catalog", str(tmp_path)).exit_code == 1


def test_run_refuses_what_check_would_find(tmp_path: Path) -> None:
    """Nothing starts with a finding."""
    content = register_source(tmp_path)
    content["publish"] = {**content["publish"], "event": "tax.nothing"}
    outcome = run_cli("run", saved(tmp_path, content))
    assert outcome.exit_code == 100
    assert "C009" in outcome.stderr


def test_list_names_every_connector_with_its_promise() -> None:
    """Installed connectors are listed with kind and guarantee."""
    rows = {row["name"]: row for row in json.loads(run_cli("list", "--json").stdout)}
    assert {"drop-folder", "http", "sql"} <= set(rows)
    assert rows["http"]["kind"] == "sink"
    assert all(row["guarantee"] and row["description"] for row in rows.values())
    assert "drop-folder" in run_cli("list").stdout


def test_a_config_knows_its_connector(tmp_path: Path) -> None:
    """`make` gives a new connector each time."""
    configs: list[ConnectorConfig] = configured(tmp_path, http_sink("http://127.0.0.1/"))
    assert configs[0].make() is not configs[0].make()


def test_a_variable_that_is_not_set_hides_no_other_fault(tmp_path: Path) -> None:
    """All of them, and every other fault of the document, are found in one go."""
    text = GOOD.replace("sqlite:///register.db", "${ENV:URL}").replace("  table:", "  tabel: ${ENV:X} #")
    text = text.replace("$.reference", "$.refe rence")
    found = findings_of(tmp_path, text)
    assert [finding.code for finding in found if finding.code == "C005"] == ["C005", "C005"]
    assert {finding.code for finding in found} >= {"C001", "C002", "C005", "C008"}


@pytest.mark.parametrize("url", ["${ENV:URL}", "https://${ENV:HOST}/x"])
def test_offline_needs_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """As where changes are checked, and no secret is: the rest, the contract too, is checked all the same."""
    monkeypatch.delenv("URL", raising=False)
    monkeypatch.delenv("HOST", raising=False)
    sink = http_sink(url, headers={"Authorization": "${ENV:TOKEN}"})
    file = written(tmp_path, yaml.safe_dump(sink))
    done = CliRunner().invoke(connect, ["check", "--offline", str(file)])
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    online = CliRunner().invoke(connect, ["check", str(file)])
    assert (online.exit_code, online.stdout.count("is not set")) == (100, 2)
    sink["write"] = {"name": "$.data.nothing"}
    file.write_text(yaml.safe_dump(sink))
    for line in (["check", "--offline", str(file)], ["check", str(file)]):
        assert "the contract has no `nothing` there" in CliRunner().invoke(connect, line).stdout
