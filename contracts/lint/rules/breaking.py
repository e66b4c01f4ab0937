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
SERVICE_REMOVED: Final = Rule(
    "service-kept",
    "publishers that name a service which is gone are refused, and nobody follows its transactions",
    "restore the service; remove it once no publisher names it and its last transaction has ended",
)
CLUSTER: Final = Rule(
    "cluster-kept",
    "what `cluster.yaml` gives is relied on by every agency, and by the principals that it spares",
    "make sure that whoever loses it knows; `apply` waits for `--allow-destroy`",
    severity="warning",
)
SUBSCRIPTION: Final = Rule(
    "subscription-kept",
    "the reader's running program is denied access, or starts anew",
    "restore the document, or let the event's owner or the reader approve the revocation in a waiver",
)
GRANT: Final = Rule(
    "grant-kept",
    "the reader still gets the event, but may no longer use it as it did",
    "make sure that no program of the reader still does",
    severity="warning",
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
SUNSET_EARLIER: Final = Rule(
    "sunset-kept",
    "publishers and readers plan with the day that was announced, and after it nothing is published",
    "restore the day, or have the readers approve a waiver",
)
SUNSET_NEAR: Final = Rule(
    "sunset-announced",
    "readers need time to move to another version",
    "choose a later day, or make sure that every reader has moved",
    severity="warning",
)
CONVERSION_REMOVED: Final = Rule(
    "conversion-kept",
    "without the conversion, readers of one version get nothing from publishers of the other",
    "restore the `upcast` or `downcast`, until the `sunset` of the older version",
)
CONVERSION_CHANGED: Final = Rule(
    "conversion-unchanged",
    "readers of a converted event may rely on fields that it no longer has",
    "make sure that what they read stays, as `govbus contracts prove` shows",
    severity="warning",
)
CLASSIFICATION: Final = Rule(
    "classification-kept",
    "readers protect an event as it was classified when they were approved",
    "make sure that every reader treats it by its new classification",
    severity="warning",
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
    SERVICE_REMOVED,
    CLUSTER,
    SUBSCRIPTION,
    GRANT,
    CONTRACT_REMOVED,
    CONTRACT_RENAMED,
    VERSION_REMOVED,
    SUNSET_EARLIER,
    SUNSET_NEAR,
    CONVERSION_REMOVED,
    CONVERSION_CHANGED,
    CLASSIFICATION,
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
