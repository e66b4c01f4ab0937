"""`govbus doctor`: what keeps a program from working, and the command that mends it."""

import asyncio
from dataclasses import asdict

import click

from bus.doctor.diagnoses import Diagnosis
from bus.doctor.examination import examine_catalog, examine_cluster, examine_settings
from contracts import FINDINGS, say, say_json, unopened_catalog_option

WORDS = {"ok": "ok", "fault": "FAULT", "note": "note", "skipped": "skipped"}


@click.command()
@unopened_catalog_option
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one an area.")
def doctor(*, catalog: str | None, as_json: bool) -> int:
    """Look at settings, catalogue and cluster, and name the command that mends each fault.

    Topics, access and quotas are compared with the catalogue, this machine's clock with the brokers';
    receipts must flow, and who has read before must read on. Exits with 100 if there is a fault. An
    administrator may look at all of it, an agency at less.
    """
    faults = asyncio.run(_examine(catalog, as_json=as_json))
    if not as_json:
        say(f"{faults} faults" if faults != 1 else "1 fault", err=True)
    return FINDINGS if faults else 0


async def _examine(named: str | None, *, as_json: bool) -> int:
    found, settings = examine_settings()
    more, catalog, folder = examine_catalog(named)
    faults = 0
    for diagnosis in (*found, *more):
        faults += _show(diagnosis, as_json=as_json)
    if settings is not None:
        async for diagnosis in examine_cluster(settings, catalog, folder):
            faults += _show(diagnosis, as_json=as_json)
    return faults


def _show(diagnosis: Diagnosis, *, as_json: bool) -> bool:
    if as_json:
        say_json(asdict(diagnosis))
    else:
        say(f"{WORDS[diagnosis.state]:<8}{diagnosis.area:<15}{diagnosis.what}")
        if diagnosis.remedy:
            say(f"{'':<8}{'':<15}-> {diagnosis.remedy}")
    return diagnosis.state == "fault"
