"""The page for programs without asyncio: its programs run as written, over real databases and brokers."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import create_engine, make_url, select

from bus import Outbox, OutboxEvent
from contracts import Catalog
from tests.postgresql import new_database
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, until

PAGE = (Path(__file__).parents[2] / "bus" / "without-asyncio.md").read_text("utf-8")

SETTINGS = """
import json, os
SECRET_KEY = "of-a-test"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = ["registry"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": json.loads(os.environ["DJANGO_DATABASE"])}
"""

URLS = """
from django.urls import path
from registry import views
urlpatterns = [path("register", views.register), path("announce", views.announce)]
"""

MODELS = """
from django.db import models

class Business(models.Model):
    reference = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=200)
    registered_on = models.DateField()
"""

INITIAL = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Business",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("reference", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=200)),
                ("owner", models.CharField(max_length=200)),
                ("registered_on", models.DateField()),
            ],
        )
    ]
"""

CHECK = """
import asyncio
import subscriber
from bus import ContractViolationError, Draft, PublishManyError, UsageError
from bus.testing import patched
from django.core.management import call_command
from django.db import connection, transaction
from registry.events import bus, outbox
from registry.models import Business
from registry.tests import FORM
from registry.views import announced

def expect(error, call):
    try:
        call()
    except error as caught:
        return str(caught)
    raise AssertionError(f"no {error.__name__}")

call_command("migrate", verbosity=0)
with transaction.atomic():
    subscriber.handled.create_table(connection)
business = Business.objects.create(**FORM)
business.refresh_from_db()
data, subject = announced(business), "tax.business-registered"

def broken():
    with transaction.atomic():
        Business.objects.create(**{**FORM, "reference": "BIZ-2026-000002"})
        outbox.add(connection, subject, {**data, "reference": 7}, version="1.0")

def taken_back():
    with transaction.atomic():
        outbox.add(connection, subject, data, version="1.0", id="taken-back")
        raise LookupError

expect(ContractViolationError, broken)
expect(LookupError, taken_back)
print(expect(UsageError, lambda: outbox.add(connection, subject, data, version="1.0")))
print(expect(UsageError, lambda: outbox.add(object(), subject, data, version="1.0")))
with transaction.atomic():
    outbox.add(connection, subject, data, version="1.0", id="one", key="k%s-Ö")
    with transaction.atomic():
        many = [Draft({**data, "business_name": "100 % 'Zoë'"}, id=f"many-{n}") for n in range(3)]
        outbox.add_many(connection, subject, many, version="1.0")
assert Business.objects.count() == 1

async def deliver():
    async with patched(subscriber.municipality, bus) as cluster:
        renamed = {**data, "business_name": "New"}
        await asyncio.to_thread(bus.publish, subject, renamed, version="1.0", id="same")
        await cluster.deliveries("tax.business-registered.v1")

for name in ("New", "Old"):  # the second time it was handled before
    Business.objects.update(name="Old")
    asyncio.run(deliver())
    assert Business.objects.get().name == name
with transaction.atomic():
    assert subscriber.handled.prune(connection, older_than_days=1) == 0
    assert subscriber.handled.prune(connection, older_than_days=-1) == 1
"""


def pages() -> Mapping[str, str]:
    """The files of the page, by path."""
    blocks = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return dict(blocks)


@pytest.fixture(params=["sqlite", "postgresql"])
def django(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Callable[..., str], str]:
    """Runs Python in a Django project with the page's files; and the URL of its database."""
    if request.param == "sqlite":
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "registry.db")}
        url = f"sqlite:///{tmp_path / 'registry.db'}"
    else:
        url = new_database(request.getfixturevalue("postgresql"))
        parts = make_url(url)
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": str(parts.database),
            "USER": parts.username or "",
            "HOST": str(parts.query.get("host", parts.host or "")),
        }
    files = {"settings.py": SETTINGS, "urls.py": URLS, "registry/__init__.py": "", "check.py": CHECK}
    files |= {"registry/models.py": MODELS, "registry/migrations/__init__.py": ""}
    files |= {"registry/migrations/0001_initial.py": INITIAL, **pages()}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    named = {"DJANGO_SETTINGS_MODULE": "settings", "DJANGO_DATABASE": json.dumps(database)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=tmp_path, env={**os.environ, **named, "GOVBUS_CATALOG": "reference"},
            capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run, url


def test_the_django_project_of_the_page_passes_its_own_tests(django: tuple[Callable[..., str], str]) -> None:
    """Views, outbox, migration and `patched`, as written, on SQLite and PostgreSQL."""
    django[0]("-m", "django", "test")


def test_outbox_and_handled_events_share_the_transaction_of_django(
    django: tuple[Callable[..., str], str],
) -> None:
    """What is rolled back leaves nothing, a repeat has no effect; outside of a transaction both refuse."""
    run, url = django
    alone, foreign = run("check.py").splitlines()
    assert "Call this inside `with transaction.atomic():`" in alone
    assert "or a connection of Django, got `object`" in foreign
    engine = create_engine(url)
    with engine.connect() as connection:
        table = Outbox("tax", catalog=Catalog.open("reference")).table
        rows = connection.execute(select(*table.columns).order_by(table.c.position)).all()
    engine.dispose()
    events = [OutboxEvent.read(tuple(row)) for row in rows]
    assert [event.draft.id for event in events] == ["one", "many-0", "many-1", "many-2"]
    assert events[0].draft.key == "k%s-Ö"
    assert events[1].draft.data["business_name"] == "100 % 'Zoë'"


async def test_the_fastapi_program_of_the_page_publishes(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lifespan connects the bus, in the event loop of the server."""
    country = kafka_world.country
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", kafka_world.bootstrap_servers)
    monkeypatch.setenv("GOVBUS_CATALOG", str(country.folder))
    program = pages()["api.py"].replace('"tax"', f'"{country.north}"')
    names: dict[str, Any] = {}
    exec(program.replace("tax.business-registered", country.opened), names)
    server = uvicorn.Server(uvicorn.Config(names["app"], port=0, lifespan="on", log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        assert await asyncio.to_thread(posted, port) == (200, 0)
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, PATIENCE_SECONDS)


def posted(port: int) -> tuple[int, int]:
    """Status and offset that the program answers with."""
    client = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    client.request("POST", "/businesses", json.dumps(case(1)), {"Content-Type": "application/json"})
    answer = client.getresponse()
    said = json.loads(answer.read())
    client.close()
    return answer.status, said["offset"]
