"""Rules about a change of a catalogue: what was promised stays promised."""

from __future__ import annotations

from typing import Final

from contracts.finding import Rule

UNREADABLE: Final = Rule(
    "base-readable",
    "what cannot be read of the catalogue before cannot be compared",
    "compare with a catalogue that `govbus contracts lint` passes",
)
AGENCY_REMOVED: Final = Rule(
    "agency-kept",
    "whoever reads the agency's events still needs to know whom to ask",
    "restore `agency.yaml`; an agency goes when its last event has",
)
CONTRACT_REMOVED: Final = Rule(
    "contract-kept",
    "subscribers still read its topic, and its events are kept there",
    "restore the contract, give its versions a `sunset`, and remove it when that is over",
)
CONTRACT_RENAMED: Final = Rule(
    "contract-name-kept",
    "a subject names a topic: under another name subscribers find nothing",
    "restore the old name, and publish both until the old one's `sunset` is over",
)
VERSION_REMOVED: Final = Rule(
    "version-kept",
    "events of the version are still in the topic, and someone may still send or ask for it",
    "restore the version, give it a `sunset`, and remove it when that is over",
)
VERSION_CHANGED: Final = Rule(
    "version-unchanged",
    "a published schema never changes: who reads it relies on the very bytes that were reviewed",
    "restore the file, and publish the change as a new version",
)
MODE_LOOSENED: Final = Rule(
    "compatibility-kept",
    "readers were promised that changes keep to the mode",
    "restore `compatibility`, or let the readers agree and have it waived",
)
CONTENT_MODEL: Final = Rule(
    "content-model-kept",
    "it decides what every published version accepts, and so changes them all",
    "restore `content_model`, or change it with a new contract",
)
FORMATS: Final = Rule(
    "formats-kept",
    "whether `format` refuses decides what every published version accepts",
    "restore `formats`, or change it with a new contract",
)
KEY_CHANGED: Final = Rule(
    "key-kept",
    "the key decides the partition: events of one case would no longer stay in order",
    "restore `key`, or publish the event anew under another subject",
)
RETENTION: Final = Rule(
    "retention-kept",
    "a subscriber that is behind by more than the retention loses events",
    "see that every subscriber keeps up with the shorter time",
)
PARTITIONS: Final = Rule(
    "partitions-kept",
    "another number of partitions moves keys: events of one case are out of order across the change",
    "change it while the topic is empty or quiet",
)
MAX_BYTES: Final = Rule(
    "max-bytes-kept",
    "an event that could be published may be too large now",
    "see that no publisher sends events of that size",
)
DUAL_PUBLISH: Final = Rule(
    "dual-publish-window",
    "subscribers move to a new major version one by one: until the last has, both are published",
    "give every version of the major before a `sunset` date",
)
MAJOR_NEEDLESS: Final = Rule(
    "major-needed",
    "a major version costs every subscriber a move, and this one breaks nobody",
    "publish it as a minor version",
)
RULES: Final = (
    UNREADABLE,
    AGENCY_REMOVED,
    CONTRACT_REMOVED,
    CONTRACT_RENAMED,
    VERSION_REMOVED,
    VERSION_CHANGED,
    MODE_LOOSENED,
    CONTENT_MODEL,
    FORMATS,
    KEY_CHANGED,
    RETENTION,
    PARTITIONS,
    MAX_BYTES,
    DUAL_PUBLISH,
    MAJOR_NEEDLESS,
)
