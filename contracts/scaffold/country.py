"""A new country: two agencies, an event of each, a service of both, two programs and their test. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from contracts.imports.sources import ImportedSchema
from contracts.scaffold.documents import (
    EventText,
    Wanted,
    agency_documents,
    event_documents,
    office_of,
    service_documents,
    subscription_documents,
)
from contracts.schema.dialect import DRAFT_2020_12

REGISTER: Final = "business-register"
LICENSING: Final = "licensing-office"
REGISTERED: Final = f"{REGISTER}.shop-registered"
LICENSED: Final = f"{LICENSING}.licence-issued"

_REFERENCE: Final = {
    "type": "string",
    "description": "Opaque reference of the shop in the register. Identifies nobody.",
    "minLength": 8,
    "maxLength": 64,
    "pattern": "^[A-Z0-9-]+$",
    "examples": ["SHOP-000001"],
}
_SHOP: Final[dict[str, Any]] = {
    "reference": _REFERENCE,
    "trade_name": {
        "type": "string",
        "description": "Name of the shop, as on its sign.",
        "minLength": 1,
        "maxLength": 100,
        "examples": ["Bakery by the Bridge"],
    },
    "keeper_name": {
        "type": "string",
        "description": "Name of the person who keeps the shop.",
        "minLength": 1,
        "maxLength": 100,
        "examples": ["Zoë Ångström"],
    },
    "registered_on": {
        "type": "string",
        "format": "date",
        "description": "Day of the entry.",
        "examples": ["2026-03-02"],
    },
}
_LICENCE: Final[dict[str, Any]] = {
    "reference": _REFERENCE,
    "licence_number": {
        "type": "string",
        "description": "Number of the licence.",
        "minLength": 1,
        "maxLength": 40,
        "examples": ["L-000001"],
    },
    "issued_on": {
        "type": "string",
        "format": "date",
        "description": "Day from which the licence is valid.",
        "examples": ["2026-03-03"],
    },
}
SHOP: Final = {name: schema["examples"][0] for name, schema in _SHOP.items()}
LICENCE: Final = {name: schema["examples"][0] for name, schema in _LICENCE.items()}

_PERSONAL: Final = """\
classification: personal # because of what follows; `internal` where nothing says anything about a person
personal_fields:
  $.keeper_name: name # path and category; such a field is masked wherever people look
other_fields: internal
legal_basis: Trade Act, section 4 # the law that allows to share it
"""


def country_files(today: date) -> dict[str, str]:
    """Every file of a new country, by path.

    Args:
        today: The day on which its subscription is approved.
    """
    registered = event_documents(REGISTERED, _draft(_SHOP), EventText("Shop registered", classes=_PERSONAL))
    licensed = event_documents(LICENSED, _draft(_LICENCE), EventText("Licence issued"))
    return {
        "README.md": _README,
        "govbus.toml": _PROJECT,
        **agency_documents(REGISTER),
        **registered,
        **agency_documents(LICENSING),
        **licensed,
        **subscription_documents(LICENSING, "issue-licence", _WANTED, today),
        **service_documents("opening-a-shop", REGISTERED, LICENSED, "apply-for-business-licence"),
        "register.py": _REGISTER_PROGRAM,
        "licensing.py": _LICENSING_PROGRAM,
        "test_country.py": _TEST,
    }


_WANTED: Final = Wanted(
    REGISTERED, 1, office_of(REGISTER), tuple(f"$.{name}" for name in _SHOP), is_personal=True
)


def _draft(properties: dict[str, Any]) -> ImportedSchema:
    schema = {
        "$schema": DRAFT_2020_12,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    sample = {name: each["examples"][0] for name, each in properties.items()}
    return ImportedSchema(schema, (sample,))


_PROJECT: Final = """\
# The folder of this file is the project: every command and program in it, or below, uses the catalogue here.
catalog = "."
"""

_REGISTER_PROGRAM: Final = '''\
"""The business register publishes `business-register.shop-registered`.

    python register.py SHOP-000001      # GOVBUS_BOOTSTRAP_SERVERS names the cluster
"""

import asyncio
import sys
from datetime import date

from bus import Bus, Receipt

bus = Bus("business-register")


async def register(reference: str, trade_name: str, keeper_name: str) -> Receipt:
    """Publish that a shop is in the register now, which begins the service `opening-a-shop`."""
    shop = {
        "reference": reference,
        "trade_name": trade_name,
        "keeper_name": keeper_name,
        "registered_on": date.today().isoformat(),
    }
    # It returns when the broker has the event. What breaks the contract is refused before it is sent.
    return await bus.publish(
        "business-register.shop-registered", shop, version="1.0", service="opening-a-shop"
    )


async def main() -> None:
    async with bus:
        receipt = await register(sys.argv[1], "Bakery by the Bridge", "Zoë Ångström")
        print("published", receipt.id)


if __name__ == "__main__":
    asyncio.run(main())
'''

_LICENSING_PROGRAM: Final = '''\
"""The licensing office reads `business-register.shop-registered`, and issues a licence.

    govbus run licensing:bus --reload   # until Ctrl-C; GOVBUS_BOOTSTRAP_SERVERS names the cluster
"""

from datetime import date

from bus import Bus, Event

bus = Bus("licensing-office")


@bus.subscribe("business-register.shop-registered", version=1, purpose="issue-licence")
async def issue(event: Event) -> None:
    # What is raised here is tried again, by a schedule; later events of the same key wait, others go on.
    reference = event.data["reference"]
    licence = {
        "reference": reference,
        "licence_number": f"L-{reference}",
        "issued_on": date.today().isoformat(),
    }
    # It continues the transaction of the shop. A handler that is repeated publishes the same event.
    await event.publish("licensing-office.licence-issued", licence, version="1.0")
    print("issued", licence["licence_number"])
'''

_TEST: Final = '''\
"""Both programs together, on a bus in memory: `python -m pytest`."""

import asyncio
import json

from bus.testing import patched

import licensing
import register


def test_a_registered_shop_gets_its_licence() -> None:
    async def play() -> list[bytes | None]:
        async with patched(register.bus, licensing.bus) as cluster:
            await register.register("SHOP-000007", "Bakery by the Bridge", "Zoë Ångström")
            await cluster.deliveries("business-register.shop-registered.v1")
            return [record.value for record in cluster.records("licensing-office.licence-issued.v1")]

    (licence,) = asyncio.run(play())
    assert licence is not None
    assert json.loads(licence)["licence_number"] == "L-SHOP-000007"
'''

_README: Final = """\
# A country of two agencies

The business register publishes that a shop is registered. The licensing office reads that, and
issues a licence.

```sh
govbus contracts lint       # the catalogue is sound: no output but its name
python -m pip install pytest
python -m pytest            # both programs, in memory
govbus up --port 9092       # a Kafka on this machine, with the topics of this catalogue
```

In a second terminal, then in a third:

```sh
govbus run licensing:bus
python register.py SHOP-000001
```

`govbus monitor` reads the receipts of both; `govbus transactions list` then shows how long the licence took.

| File | What it is |
|---|---|
| `govbus.toml` | makes this folder a project |
| `agencies/business-register/` | an agency, and the contract of its event: schema, examples |
| `agencies/licensing-office/` | another one; `subscriptions/` has what it may read, and what for |
| `services/opening-a-shop.yaml` | the service that both make together |
| `register.py`, `licensing.py` | their programs |
| `test_country.py` | a test of both |

Next: `govbus new event AGENCY.EVENT`, `subscription`, `service`, `subscriber`, `publisher`, `connector`.
"""
