"""A record as it is shown to whoever looks at a topic. Pure.

Law of this file: no record stops the look. What is no event, or breaks its contract, is shown as that, with
its place and sizes, and with none of its bytes unless data was asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bus import envelope
from bus.event import Event
from bus.record import Record
from bus.stages import decode, validate
from bus.stages.decode import Expected
from bus.tail.conditions import Condition
from contracts import ContractVersion, Mask, visible_json

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class RecordView:
    """What is shown of some topics, and which events.

    Attributes:
        expected: what each topic holds.
        masks: what is hidden of each version.
        conditions: what an event must hold; what is no event is shown where there are none.
        data: whether personal data was asked for, and so the bytes of what is no event, where all fields
            are granted.
    """

    expected: Mapping[str, Expected]
    masks: Mapping[ContractVersion, Mask]
    conditions: Sequence[Condition] = ()
    data: bool = False

    def at(self, record: Record) -> dict[str, Any] | None:
        """Return the facts about a record; None if it is not to be shown."""
        facts: dict[str, Any] = {
            "time": envelope.moment_of(record.timestamp * MILLISECONDS).isoformat(timespec="milliseconds"),
            "topic": record.topic, "partition": record.partition, "offset": record.offset,
        }  # fmt: skip
        event = decode.decode(record, self.expected[record.topic])
        fault = validate.validate(event) if isinstance(event, Event) else event
        if not isinstance(event, Event) or fault is not None:
            assert fault is not None  # noqa: S101 - it is no event for a reason
            return None if self.conditions else {**facts, **self._fault(record, event, fault)}
        mask = self.masks[event.contract]
        rule = event.contract.contract.key
        key = None if event.key is None or mask.hides(rule.path) else event.key
        if not all(condition.holds(event, key) for condition in self.conditions):
            return None
        masked = mask.apply(event.data)
        occurred = event.time
        return {
            **facts, "key": key, "version": event.written_version, "id": event.id, "source": event.source,
            "transaction": event.transaction or event.id, "service": event.service, "cause": event.causation,
            "derived_from": _text(event.attributes.get(envelope.DERIVED_FROM)),
            "occurred": None if occurred is None else occurred.isoformat(),
            "data": masked.data, "hidden": masked.hidden,
        }  # fmt: skip

    def _fault(self, record: Record, event: object, fault: Any) -> dict[str, Any]:
        found = {
            "fault": "breaks its contract" if isinstance(event, Event) else "not an event",
            "reason": fault.reason, "detail": fault.detail,
            "key_bytes": len(record.key or b""), "value_bytes": len(record.value or b""),
            "headers": len(record.headers),
        }  # fmt: skip
        versions = self.expected[record.topic].versions.values()
        if self.data and all(self.masks[version].sees_everything for version in versions):
            found |= {"key": _text(record.key), "value": _text(record.value)}
        return found


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")


def lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the facts about a record as lines for a person, in 80 columns as far as names allow."""
    place = f"{facts['topic']}/{facts['partition']}/{facts['offset']}"
    head = f"{_clock(facts['time'])}  {place}"
    if "fault" in facts:
        sizes = (
            f"key {facts['key_bytes']} bytes, value {facts['value_bytes']} bytes, headers {facts['headers']}"
        )
        shown = [f"{head}  {facts['fault']}", f"  {facts['reason']}: {facts['detail']}", f"  {sizes}"]
        return [*shown, *(f"  {name} {facts[name]}" for name in ("key", "value") if facts.get(name))]
    one = _said(facts, ("key", "id"))
    two = _said(facts, ("transaction", "service"))
    three = _said(facts, ("cause", "derived_from"))
    data = visible_json(facts["data"])
    return [f"{head}  version {facts['version']}", *(f"  {said}" for said in (one, two, three, data) if said)]


def _said(facts: Mapping[str, Any], names: Sequence[str]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {facts[name]}" for name in names if facts[name])


def _clock(time: str) -> str:
    return time[:23].replace("T", " ")
