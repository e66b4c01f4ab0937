"""Dashboards, alerts and the configuration of what shows them, checked with their own tools."""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus.times.clock import BrokerClock
from observability.metrics import METRICS

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "observability/alerts").glob("*.rules.yaml"))
RULE_TESTS = sorted((ROOT / "observability/alerts").glob("*.test.yaml"))
DASHBOARDS = sorted((ROOT / "observability/dashboards").glob("*.json"))
PROMETHEUS = ROOT / ".docker/prometheus.yml"
PROVISIONING = ROOT / ".docker/grafana/provisioning"
OWN_OF_PROMETHEUS = {"up"}
OF_EXPORTERS = {"kafka_topic_partition_under_replicated_partition", "pg_up", "probe_success"}
"""The metrics of blackbox, kafka_exporter and postgres_exporter that our alerts read."""
SUFFIX_OF_UNIT = {"s": "_seconds"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed; it comes with the distribution's prometheus",
)


@dataclass
class Declared:
    """A meter that writes down what is declared on it: name, kind, unit."""

    instruments: list[tuple[str, str, str]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a `create_*` that notes its instrument."""

        def create(instrument: str, unit: str = "", *_: object, **__: object) -> None:
            self.instruments.append((instrument, name, unit))

        return create


def exported(name: str, kind: str, unit: str) -> set[str]:
    """Return the names under which Prometheus sees an instrument."""
    base = name.replace(".", "_") + SUFFIX_OF_UNIT.get(unit, "")
    if "histogram" in kind:
        return {f"{base}_bucket", f"{base}_count", f"{base}_sum"}
    return {f"{base}_total"} if "counter" in kind else {base}


@cache
def declared_names() -> frozenset[str]:
    """Return every metric name the code declares, as Prometheus sees it."""
    telemetry = importlib.import_module("bus.telemetry")
    meter = Declared()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry.metrics, "get_meter", lambda *_, **__: meter)
        telemetry.Telemetry("health", BrokerClock())
    rows = [*meter.instruments, *((metric.name, metric.kind, metric.unit) for metric in METRICS)]
    return frozenset(name for row in rows for name in exported(*row))


@cache
def declared_labels() -> frozenset[str]:
    """Return every label a metric of ours may carry."""
    telemetry = importlib.import_module("bus.telemetry")
    names = {value for value in vars(telemetry).values() if isinstance(value, str) and "." in value}
    ours = {label for metric in METRICS for label in metric.labels}
    return frozenset(ours | {name.replace(".", "_") for name in names if " " not in name} | {"le", "job"})


def alerts() -> list[dict[str, Any]]:
    """Return every alert rule."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def panels(path: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something."""
    return [panel for panel in json.loads(path.read_text("utf-8"))["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[Any]:
    """Give each expression of an alert, a panel or a variable as one test case."""
    for rule in alerts():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                yield pytest.param(target["expr"], id=f"{path.stem}-{panel['id']}{target['refId']}")
        for variable in json.loads(path.read_text("utf-8"))["templating"]["list"]:
            yield pytest.param(variable["definition"], id=f"{path.stem}-{variable['name']}")


each_expression = pytest.mark.parametrize("expression", list(expressions()))


def bare(expression: str) -> str:
    """Return an expression without its strings."""
    return re.sub(r'"[^"]*"', '""', expression)


@each_expression
def test_every_metric_shown_or_alerted_on_is_one_the_code_declares(expression: str) -> None:
    """A renamed metric empties a panel and silences an alert without a word; here it fails."""
    # What is left without strings, matchers, groupings and the label a variable lists are metric names.
    names_only = re.sub(r"\{[^}]*\}|(?:by|on) \([^)]*\)|, \w+\)$", "", bare(expression))
    used = re.findall(r"\b(?:govbus_\w+|messaging_\w+|kafka_\w+|pg_\w+|probe_\w+|up)\b", names_only)
    assert used
    assert set(used) <= declared_names() | OWN_OF_PROMETHEUS | OF_EXPORTERS


@each_expression
def test_every_label_used_is_one_the_code_gives(expression: str) -> None:
    """A matcher on a label that does not exist matches nothing."""
    plain = bare(expression)
    matched = re.findall(r"([a-z_]+)(?:=~|!~|!=|=)\"\"", plain)
    grouped = [
        label.strip() for part in re.findall(r"(?:by|on) \(([^)]+)\)", plain) for label in part.split(",")
    ]
    assert {*matched, *grouped} <= declared_labels()


@needs_promtool
def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    """`promtool check config` finds the file and the rules it names right."""
    shutil.copy(PROMETHEUS, tmp_path)
    shutil.copytree(RULES[0].parent, tmp_path / "rules")
    _promtool("check", "config", str(tmp_path / PROMETHEUS.name))


@needs_promtool
def test_alert_rules_are_right() -> None:
    """`promtool check rules` accepts every rule."""
    _promtool("check", "rules", *map(str, RULES))


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then() -> None:
    """`promtool test rules` runs each alert over series that must and must not fire it."""
    _promtool("test", "rules", *map(str, RULE_TESTS))


def test_every_alert_has_a_test() -> None:
    """An alert nobody has seen fire is a hope."""
    cases = [case for path in RULE_TESTS for case in yaml.safe_load(path.read_text("utf-8"))["tests"]]
    tested = {case["alertname"] for test in cases for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert {rule["alert"] for rule in alerts()} == tested


def test_every_alert_says_what_and_what_to_do() -> None:
    """Whoever is woken reads one sentence of what and one of what now."""
    for rule in alerts():
        assert {"summary", "description"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboard_reads_only_data_sources_that_are_provisioned(path: Path) -> None:
    """A panel over a missing data source shows an error instead of a number."""
    document = yaml.safe_load((PROVISIONING / "datasources/govbus.yaml").read_text("utf-8"))
    provisioned = {source["uid"] for source in document["datasources"]}
    used = {panel["datasource"]["uid"] for panel in panels(path)}
    used |= {target["datasource"]["uid"] for panel in panels(path) for target in panel["targets"]}
    assert used <= provisioned


def test_dashboards_have_unique_ids_and_titles() -> None:
    """Grafana keeps the last of two dashboards with one uid."""
    documents = [json.loads(path.read_text("utf-8")) for path in DASHBOARDS]
    assert len(documents) == len({document["uid"] for document in documents})
    assert len(documents) == len({document["title"] for document in documents})


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboard_panels_stand_side_by_side(path: Path) -> None:
    """No two panels share an id or a place, and none leaves the 24 columns."""
    places: set[tuple[int, int]] = set()
    document = json.loads(path.read_text("utf-8"))["panels"]
    assert len(document) == len({panel["id"] for panel in document})
    for panel in document:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert grid["x"] + grid["w"] <= 24
        assert not places & cells
        places |= cells


def test_grafana_finds_the_dashboards_where_compose_mounts_them() -> None:
    """The provider's folder is the mounted one, and the home dashboard is in it."""
    provider = yaml.safe_load((PROVISIONING / "dashboards/govbus.yaml").read_text("utf-8"))["providers"][0]
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["grafana"]
    folder = provider["options"]["path"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert f"./observability/dashboards:{folder}:ro" in grafana["volumes"]
    assert str(home.parent) == folder
    assert home.name in {path.name for path in DASHBOARDS}


@pytest.mark.parametrize("name", ["collector.yaml", "jaeger.yaml"])
def test_every_pipeline_uses_components_the_file_configures(name: str) -> None:
    """A pipeline that names an unknown component keeps the program from starting."""
    document = yaml.safe_load((ROOT / ".docker" / name).read_text("utf-8"))
    assert set(document["service"]["extensions"]) == set(document["extensions"])
    for part in ("receivers", "processors", "exporters"):
        used = {each for pipeline in document["service"]["pipelines"].values() for each in pipeline[part]}
        assert used == set(document[part])


def test_prometheus_scrapes_services_of_the_stack() -> None:
    """Each target is a service of the compose file, or Prometheus itself."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    jobs = yaml.safe_load(PROMETHEUS.read_text("utf-8"))["scrape_configs"]
    targets = {
        target.partition(":")[0]
        for job in jobs
        for group in job["static_configs"]
        for target in group["targets"]
    }
    assert targets <= set(services) | {"localhost"}


def _promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
