"""Rules about changes of a catalogue: promises are kept."""

from __future__ import annotations

from typing import Final

from contracts.finding import Rule

UNREADABLE: Final = Rule(
    "base-readable",
    "an unreadable contract in the earlier catalogue cannot be compared",
    "compare with a catalogue that passes `govbus contracts lint`",
)
AGENCY_REMOVED: Final = Rule(
    "agency-kept",
    "readers of the agency's events still need its contact",
    "restore `agency.yaml`; remove an agency only after its last event",
)
CONTRACT_REMOVED: Final = Rule(
    "contract-kept",
    "subscribers still read the topic, and it still holds events",
    "restore the contract, give its versions a `sunset`, and remove it after that day",
)
CONTRACT_RENAMED: Final = Rule(
    "contract-name-kept",
    "the subject names the topic: under another name, subscribers find nothing",
    "restore the old name, and publish under both until the `sunset` of the old one",
)
VERSION_REMOVED: Final = Rule(
    "version-kept",
    "events of the version are still in the topic, and may still be published or read",
    "restore the version, give it a `sunset`, and remove it after that day",
)
VERSION_CHANGED: Final = Rule(
    "version-unchanged",
    "a published schema never changes: its readers rely on the exact bytes that were reviewed",
    "restore the file, and publish the change as a new version",
)
MODE_LOOSENED: Final = Rule(
    "compatibility-kept",
    "readers rely on the promised compatibility mode",
    "restore `compatibility`, or get the agreement of the readers and add a waiver",
)
CONTENT_MODEL: Final = Rule(
    "content-model-kept",
    "the content model decides what every published version accepts",
    "restore `content_model`, or change it in a new contract",
)
FORMATS: Final = Rule(
    "formats-kept",
    "`formats` decides what every published version accepts",
    "restore `formats`, or change it in a new contract",
)
KEY_CHANGED: Final = Rule(
    "key-kept",
    "the key selects the partition: with another key, events of one case lose their order",
    "restore `key`, or publish the event under another subject",
)
RETENTION: Final = Rule(
    "retention-kept",
    "a subscriber that is further behind than the retention loses events",
    "make sure that every subscriber keeps up with the shorter retention",
    severity="warning",
)
PARTITIONS: Final = Rule(
    "partitions-kept",
    "another number of partitions moves keys, so events of one case may be out of order across the change",
    "change it while the topic is empty or quiet",
    severity="warning",
)
MAX_BYTES: Final = Rule(
    "max-bytes-kept",
    "events that were allowed before may be too large now",
    "make sure that no publisher sends events of that size",
    severity="warning",
)
DUAL_PUBLISH: Final = Rule(
    "dual-publish-window",
    "subscribers move to a new major version one by one, so both are published for a time",
    "give every version of the previous major version a `sunset` date",
)
MAJOR_NEEDLESS: Final = Rule(
    "major-needed",
    "a new major version costs every subscriber a migration, and this one breaks nobody",
    "publish it as a minor version",
    severity="note",
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
