"""What a plan says: nothing shrinks or goes unasked, access that nobody grants goes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import (
    Access,
    Catalog,
    CatalogParts,
    ClusterState,
    Plan,
    PlanScope,
    RegistryEntry,
    RegistryKeyError,
    SigningKey,
    TopicState,
    TrustedKeys,
    compare_states,
    registry_entries,
    withdrawal,
    write_registry_folder,
)
from contracts.cluster.drift_rules import drift
from contracts.cluster.plan import duration
from contracts.cluster.plan_text import render_plan
from contracts.cluster.registry import canonical
from contracts.cluster.weakening import SETTINGS

DAY = 86_400_000
TOPIC = "tax.refund-paid.v1"
SCOPE = PlanScope(
    frozenset({"tax", "health"}),
    lambda topic: topic.startswith(("tax.", "health.")),
    frozenset({"User:tax", "User:health"}),
    frozenset({"User:backup"}),
)
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def topic(partitions: int = 3, days: int = 7) -> TopicState:
    """A topic of the tax agency."""
    return TopicState(TOPIC, partitions, {"retention.ms": str(days * DAY)})


def may(principal: str, name: str, operation: str = "read", **more: Any) -> Access:
    """A grant on a topic."""
    return Access(principal, more.get("resource", "topic"), name, more.get("prefixed", False), operation)


def of(*topics: TopicState, access: frozenset[Access] | None = frozenset(), **more: Any) -> ClusterState:
    """A state of some topics."""
    return ClusterState({one.name: one for one in topics}, access, **more)


def told(plan: Plan) -> list[tuple[str, str, str]]:
    """Action, kind and name of every change."""
    return [(change.action, change.kind, change.name) for change in plan.changes]


def test_equal_states_need_nothing() -> None:
    """And the plan says how much was compared."""
    state = of(
        topic(), access=frozenset({may("User:tax", TOPIC)}), quotas={"tax": {"producer_byte_rate": 1.0}}
    )
    plan = compare_states(state, state, SCOPE)
    assert (told(plan), plan.unchanged) == ([], 3)
    assert render_plan(plan) == ["No changes: the cluster matches the catalogue (3 items compared)."]


def test_changes_come_in_the_order_in_which_they_are_safe() -> None:
    """Access goes first; topics are there before anyone may use them, and go last."""
    desired = of(topic(), access=frozenset({may("User:tax", TOPIC, "write")}), quotas={"tax": {"q": 1.0}})
    gone = TopicState("health.gone.v1", 1)
    observed = of(gone, access=frozenset({may("User:health", TOPIC)}))
    plan = compare_states(desired, observed, SCOPE, allow_destroy=["all"])
    assert told(plan) == [
        ("-", "access", f"User:health topic {TOPIC}"),
        ("+", "topic", TOPIC),
        ("+", "access", f"User:tax topic {TOPIC}"),
        ("+", "quota", "User:tax"),
        ("-", "topic", "health.gone.v1"),
    ]
    assert not plan.refusals


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (topic(days=7), topic(days=3)),
        (TopicState(TOPIC, 3, {"retention.ms": "-1"}), topic(days=3650)),
        (TopicState(TOPIC, 3, {"cleanup.policy": "compact"}), TopicState(TOPIC, 3)),
    ],
)
def test_events_are_not_deleted_earlier_without_leave(before: TopicState, after: TopicState) -> None:
    """`--allow-destroy`, with the name of the change, gives it."""
    assert compare_states(of(after), of(before), SCOPE).refusals
    assert not compare_states(of(after), of(before), SCOPE, allow_destroy=["all"]).refusals


ANY = {
    "lower": ("4", "3"), "for ever": ("-1", "3"), "higher": ("3", "4"), "on": ("false", "true"),
    "off": ("true", "false"), "policy": ("compact", "compact,delete"),
    "clock": ("LogAppendTime", "CreateTime"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("retention.ms", "lower"), ("retention.ms", "for ever"), ("retention.bytes", "for ever"),
        ("cleanup.policy", "policy"), ("min.insync.replicas", "lower"), ("max.message.bytes", "lower"),
        ("unclean.leader.election.enable", "on"), ("message.timestamp.type", "clock"),
        ("min.compaction.lag.ms", "lower"), ("delete.retention.ms", "lower"), ("flush.messages", "higher"),
        ("remote.storage.enable", "off"), ("message.timestamp.after.max.ms", "lower"),
        ("setting.of.a.later.kafka", "higher"),
    ],
)  # fmt: skip
def test_no_setting_gets_weaker_without_leave(setting: str, kind: str) -> None:
    """Whichever it is, and one that nobody judged is taken for the worst; the other way is free."""
    weak, strong = (TopicState(TOPIC, 3, {setting: value}) for value in reversed(ANY[kind]))
    assert compare_states(of(weak), of(strong), SCOPE).refusals
    assert not compare_states(of(weak), of(strong), SCOPE, allow_destroy=["all"]).refusals
    known = setting in SETTINGS
    assert bool(compare_states(of(strong), of(weak), SCOPE).refusals) is not known


def test_a_setting_that_the_topic_does_not_have_is_judged_by_the_brokers_default() -> None:
    """So a topic without `min.insync.replicas` on a cluster whose default is 2 does not get 1."""
    plain, one = TopicState(TOPIC, 3), TopicState(TOPIC, 3, {"min.insync.replicas": "1"})
    assert compare_states(of(one), of(plain, defaults={"min.insync.replicas": "2"}), SCOPE).refusals
    assert not compare_states(of(one), of(plain, defaults={"min.insync.replicas": "1"}), SCOPE).refusals
    kept = TopicState(TOPIC, 3, {"retention.ms": str(30 * DAY)})
    assert compare_states(of(plain), of(kept), SCOPE).refusals
    assert not compare_states(of(plain), of(kept, defaults={"retention.ms": "-1"}), SCOPE).refusals


def with_copies(replicas: int) -> TopicState:
    """The topic with some copies."""
    return replace(topic(), replicas=replicas)


def test_fewer_copies_wait_for_leave_and_more_do_not() -> None:
    """Also where nothing else of the topic differs."""
    found = of(with_copies(3), brokers=3)
    plan = compare_states(of(with_copies(2)), found, SCOPE)
    assert [change.what for change in plan.refusals] == [("replicas: 3 -> 2",)]
    assert "fewer brokers" in plan.refusals[0].refusal
    assert not compare_states(of(with_copies(2)), found, SCOPE, allow_destroy=["all"]).refusals
    more = compare_states(of(with_copies(3)), of(with_copies(1), brokers=3), SCOPE)
    assert (told(more), more.refusals) == ([("~", "topic", TOPIC)], ())


@pytest.mark.parametrize(
    "observed", [of(brokers=3), of(with_copies(3), brokers=3), of(with_copies(2), brokers=2)]
)
def test_one_copy_on_several_brokers_is_refused_even_with_leave(observed: ClusterState) -> None:
    """A broker that fails would take the events with it."""
    plan = compare_states(of(with_copies(1)), observed, SCOPE, allow_destroy=["all"])
    assert ["is lost with its broker" in change.refusal for change in plan.refusals] == [True]


def test_more_copies_than_brokers_are_refused_before_anything_is_done() -> None:
    """Kafka would refuse in the middle."""
    plan = compare_states(of(with_copies(3)), of(brokers=2), SCOPE)
    assert ["the cluster has 2" in change.refusal for change in plan.refusals] == [True]


def test_one_copy_that_is_there_is_told_and_mended() -> None:
    """`verify` names a topic that has fewer copies than it should, and `apply` adds them."""
    plan = compare_states(of(with_copies(3)), of(with_copies(1), brokers=3), SCOPE)
    assert "replicas: 1 -> 3" in drift(plan.changes[0]).what


def test_events_may_be_kept_longer() -> None:
    """That takes nothing from anyone."""
    plan = compare_states(of(topic(days=30)), of(topic(days=7)), SCOPE)
    assert [change.what for change in plan.changes] == [("retention.ms: 7 days -> 30 days",)]
    assert not plan.refusals


def test_a_setting_made_by_hand_goes_back_to_the_default() -> None:
    """It may lose events, as `retention.bytes` does."""
    by_hand = TopicState(TOPIC, 3, {**topic().config, "retention.bytes": "1"})
    plan = compare_states(of(topic()), of(by_hand), SCOPE)
    assert plan.changes[0].config == {"retention.bytes": None}
    assert plan.changes[0].what == ("retention.bytes: 1 -> the broker's default",)


def test_a_topic_that_no_contract_needs_is_refused_until_allowed() -> None:
    """Its events would be gone."""
    plan = compare_states(of(), of(topic()), SCOPE)
    assert [change.name for change in plan.refusals] == [TOPIC]
    assert not compare_states(of(), of(topic()), SCOPE, allow_destroy=["all"]).refusals


def test_leave_is_for_the_change_that_it_names_and_for_no_other() -> None:
    """Each refusal says what to type for it; typed, that one is allowed and the others stay refused."""
    version = RegistryEntry("version/health.x/1.0", b"{}", "1")
    parts = CatalogParts(agencies=frozenset({"tax", "health"}))
    desired = of(topic(days=3), quotas={"tax": {"q": 1.0}}, entries={})
    observed = of(
        topic(days=7), TopicState("health.gone.v1", 1), TopicState("health.gone.v2", 1),
        quotas={"tax": {"q": 2.0}}, entries={version.key: version}, parts=parts,
    )  # fmt: skip
    refused = compare_states(desired, observed, SCOPE).refusals
    assert [change.leave for change in refused] == [
        "catalogue:agencies", f"topic:{TOPIC}", "quota:User:tax", "entry:version/health.x/1.0",
        "topic:health.gone.v1", "topic:health.gone.v2",
    ]  # fmt: skip
    for change in refused:
        assert f"`--allow-destroy {change.leave}` " in change.refusal
        plan = compare_states(desired, observed, SCOPE, allow_destroy=[change.leave])
        assert plan.refusals == tuple(other for other in refused if other != change)
    some = compare_states(desired, observed, SCOPE, allow_destroy=["topic:health.gone.*"])
    assert [change.leave for change in some.refusals] == [change.leave for change in refused[:4]]


def test_the_plan_ends_with_what_to_type() -> None:
    """And says which leave was given in vain, as for a name that is mistyped."""
    gone = of(topic(), TopicState("health.gone.v1", 1))
    assert render_plan(compare_states(of(), gone, SCOPE))[-1] == (
        "All that is refused has leave by: govbus contracts apply --allow-destroy topic:health.gone.v1 "
        f"--allow-destroy topic:{TOPIC}"
    )
    grown = compare_states(of(counts={"tax.x": 6}), replace(gone, counts={"tax.x": 3}), SCOPE)
    assert render_plan(grown)[-1] == (
        "All that is refused has leave by: govbus contracts apply --grow --allow-destroy growth:tax.x "
        f"--allow-destroy topic:health.gone.v1 --allow-destroy topic:{TOPIC}"
    )
    plan = compare_states(of(), gone, SCOPE, allow_destroy=["topic:helth.gone.v1", f"topic:{TOPIC}"])
    assert plan.notes == ("`--allow-destroy topic:helth.gone.v1` allows nothing of this plan",)


@pytest.mark.parametrize(
    ("here", "there", "refused"),
    [(1_000, 2_000, True), (2_000, 2_000, False), (0, 2_000, False), (3_000, 0, False)],
)
def test_an_older_commit_undoes_nothing_without_leave(here: int, there: int, refused: bool) -> None:
    """A checkout that was not updated would withdraw access that a newer one has granted."""
    access = frozenset({may("User:tax", TOPIC)})
    desired, found = of(topic(), committed=here), of(topic(), access=access, committed=there)
    plan = compare_states(desired, found, SCOPE)
    assert ["git pull" in change.refusal for change in plan.refusals] == [True] * refused
    assert not compare_states(desired, found, SCOPE, allow_destroy=["all"]).refusals
    assert not compare_states(desired, replace(found, access=frozenset()), SCOPE).changes


def test_foreign_things_are_left_alone() -> None:
    """Another's topic, group, quota and access; and what the operators' own principals may do."""
    observed = of(
        TopicState("warehouse.stock.v1", 1),
        access=frozenset(
            {
                may("User:warehouse", "warehouse.stock.v1"),
                may("User:warehouse", "warehouse.", resource="group", prefixed=True),
                may("User:backup", "*"),
            }
        ),
        quotas={"warehouse": {"producer_byte_rate": 1.0}},
    )
    assert told(compare_states(of(), observed, SCOPE)) == []


@pytest.mark.parametrize(
    "access",
    [
        may("User:stranger", TOPIC),
        may("User:stranger", "tax.", prefixed=True),
        may("User:stranger", "*"),
        may("User:stranger", "*", resource="group"),
        may("User:stranger", "t", resource="group", prefixed=True),
        may("User:stranger", "tax.readers", resource="group"),
        may("User:tax", "kafka-cluster", "alter", resource="cluster"),
    ],
)
def test_access_to_what_is_ours_is_taken_from_whom_the_repo_does_not_name(access: Access) -> None:
    """However it is written."""
    plan = compare_states(of(topic()), of(topic(), access=frozenset({access})), SCOPE)
    assert [(change.action, change.access) for change in plan.changes] == [("-", access)]
    assert not plan.refusals


def test_a_cluster_without_authorizer_is_planned_without_access() -> None:
    """Nothing can be granted there."""
    desired = of(topic(), access=frozenset({may("User:tax", TOPIC)}))
    plan = compare_states(desired, of(topic(), access=None), SCOPE)
    assert (told(plan), plan.unchanged) == ([], 1)


def test_a_published_version_never_changes() -> None:
    """Other parts of the registry may; what nobody signed is written anew."""
    old, new = (
        RegistryEntry("version/tax.paid/1.0", b"a", "1"),
        RegistryEntry("version/tax.paid/1.0", b"b", "2"),
    )
    plan = compare_states(
        of(entries={old.key: new}), of(entries={old.key: old}), SCOPE, allow_destroy=["all"]
    )
    assert "never changes" in plan.refusals[0].refusal
    deprecated = replace(old, content=b"c")
    plan = compare_states(of(entries={old.key: deprecated}), of(entries={old.key: old}), SCOPE)
    assert (told(plan), plan.refusals) == ([("~", "entry", old.key)], ())
    forged = replace(old, content=b"", sha256="", fault="not signed with a trusted key")
    sound = {"agency/tax": RegistryEntry("agency/tax", b"a")}
    plan = compare_states(of(entries={old.key: new, **sound}), of(entries={old.key: forged, **sound}), SCOPE)
    assert (told(plan), plan.refusals) == ([("~", "entry", old.key)], ())


def test_a_version_is_withdrawn_only_with_leave_and_once() -> None:
    """Its hash stays: the number is not given to another schema."""
    old = RegistryEntry("version/tax.paid/1.0", b"{}", "1")
    assert compare_states(of(entries={}), of(entries={old.key: old}), SCOPE).refusals
    gone = withdrawal(old)
    assert told(compare_states(of(entries={}), of(entries={old.key: gone}), SCOPE)) == []
    again = replace(old, sha256="2")
    assert compare_states(of(entries={old.key: again}), of(entries={old.key: gone}), SCOPE).refusals


def test_drift_points_at_the_document_that_decides() -> None:
    """So that a code host shows it there."""
    desired = of(topic(), access=frozenset({may("User:tax", TOPIC)}))
    plan = compare_states(desired, of(), SCOPE)
    assert [(finding.code, finding.place.file) for finding in map(drift, plan.changes)] == [
        ("drift-topic", "agencies/tax/refund-paid/contract.yaml"),
        ("drift-access", "agencies/tax/agency.yaml"),
    ]


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(-1, "forever"), (DAY, "1 day"), (30 * DAY, "30 days"), (3_600_000, "1 hour"), (1_500, "1500 ms")],
)
def test_durations_are_told_in_their_largest_whole_unit(milliseconds: int, expected: str) -> None:
    """`retention.ms: 604800000` says nothing to a person."""
    assert duration(milliseconds) == expected


def signing_key() -> SigningKey:
    """A new key."""
    return SigningKey(Ed25519PrivateKey.generate())


def test_the_registry_is_the_repo_again(root: Path, tmp_path: Path) -> None:
    """Signed, opened, and written as a folder, it is the same catalogue."""
    key, entries = signing_key(), registry_entries(root)
    opened = {name: key.trusted.open(name, key.sign(entry, NOW, "c0ffee")) for name, entry in entries.items()}
    assert opened == entries
    write_registry_folder(opened.values(), tmp_path / "again")
    before, after = Catalog.open(root), Catalog.open(tmp_path / "again")
    assert {s: [v.sha256 for v in c.versions] for s, c in before.contracts.items()} == {
        s: [v.sha256 for v in c.versions] for s, c in after.contracts.items()
    }
    assert (before.agencies, before.services) == (after.agencies, after.services)
    assert registry_entries(tmp_path / "again") == entries


def test_an_entry_is_believed_only_as_it_was_signed() -> None:
    """Another key's, another name's, changed or broken bytes are not; a removal has no signature."""
    key, entry = signing_key(), RegistryEntry("agency/tax", b'{"documents":{},"key":"agency/tax"}')
    value = key.sign(entry, NOW, "")
    assert key.trusted.open(entry.key, value) == entry
    faults = {
        signing_key().trusted.open(entry.key, value).fault,
        key.trusted.open("agency/health", value).fault,
        key.trusted.open(entry.key, value.replace(b'"payload":"', b'"payload":"AAAA')).fault,
        key.trusted.open(entry.key, value[:-1]).fault,
        key.trusted.open(entry.key, b"[]").fault,
        key.trusted.open(entry.key, b"\xff").fault,
        key.trusted.open(entry.key, None).fault,
    }
    assert faults == {
        "not signed with a trusted key", "signed for another key", "not a signed entry",
        "removed without a signature",
    }  # fmt: skip


def test_an_entry_says_when_its_commit_was_made() -> None:
    """And when the broker took it."""
    key, entry = signing_key(), RegistryEntry("agency/tax", b'{"documents":{},"key":"agency/tax"}')
    opened = key.trusted.open(entry.key, key.sign(entry, NOW, "c0ffee", 1_000), 2_000)
    assert (opened.committed, opened.timestamp) == (1_000, 2_000)


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    """Not even for a signature."""
    documents = '{"../a": "x", "/etc/b": "x", "agencies/../../c": "x", "agencies/t/agency.yaml": "x"}'
    entry = RegistryEntry("agency/t", f'{{"documents":{documents},"key":"agency/t"}}'.encode())
    write_registry_folder([entry], tmp_path / "catalog")
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert files == ["catalog/agencies/t/agency.yaml"]


def test_keys_are_read_from_pem_files(tmp_path: Path) -> None:
    """Several public ones while one key replaces another; anything else is refused with the file's name."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    private.write_bytes(
        keys[0].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        b"".join(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            for key in keys
        )
    )
    entry = RegistryEntry("agency/tax", b'{"documents":{},"key":"agency/tax"}')
    assert TrustedKeys.read(public).open(entry.key, SigningKey.read(private).sign(entry, NOW, "")) == entry
    assert len(TrustedKeys.read(public).by_id) == 2
    for wrong in (private, tmp_path / "absent.pem"):
        with pytest.raises(RegistryKeyError, match=wrong.name):
            TrustedKeys.read(wrong)
    for wrong in (public, tmp_path / "absent.pem"):
        with pytest.raises(RegistryKeyError, match=wrong.name):
            SigningKey.read(wrong)


def read(*days: float) -> ClusterState:
    """A catalogue that has subscriptions to topics that keep events for so many days; -1 is for ever."""
    topics = [
        TopicState(f"tax.event-{index}.v1", 1, {"retention.ms": str(int(kept * DAY) if kept > 0 else -1)})
        for index, kept in enumerate(days)
    ]
    return of(*topics, subscribed=frozenset(one.name for one in topics))


@pytest.mark.parametrize(
    ("desired", "brokers", "expected"),
    [
        (read(30), {1: 43_200}, ()),
        (read(30), {1: 43_199}, ("43199 -> 43200 on broker 1",)),
        (read(30), {1: 100_000, 2: 10_080, 3: 10_080}, ("10080 -> 43200 on brokers 2, 3",)),
        (read(30), {1: 1_440, 2: 10_080}, ("1440 -> 43200 on broker 1", "10080 -> 43200 on broker 2")),
        (read(7, 180, 30), {1: 10_080}, ("10080 -> 259200 on broker 1",)),
        (read(1 / 86_400), {1: 1}, ()),
        (read(90 / 86_400), {1: 1}, ("1 -> 2 on broker 1",)),
        (read(-1), {1: 10_080}, ("10080 -> 2147483647 on broker 1",)),
        (read(-1), {1: 2_147_483_647}, ()),
        (of(topic(days=30)), {1: 10_080}, ()),
        (read(), {1: 1}, ()),
        (read(30), {}, ()),
    ],
    ids=[
        "as long", "a minute less", "some brokers", "each its own", "the longest counts", "a second",
        "a minute and a half", "for ever", "never forgotten", "nobody reads", "no topic", "not known",
    ],
)  # fmt: skip
def test_offsets_are_kept_as_long_as_the_events_that_subscriptions_read(
    desired: ClusterState, brokers: dict[int, int], expected: tuple[str, ...]
) -> None:
    """Otherwise a subscriber that was stopped finds its events there, and its place gone."""
    plan = compare_states(desired, replace(desired, offsets_retention_minutes=brokers), SCOPE)
    assert plan.changes == ()
    assert tuple(what for change in plan.left for what in change.what) == expected


def test_offsets_that_go_too_early_are_drift_with_what_to_do() -> None:
    """`apply` cannot mend it: the setting is read when a broker starts."""
    desired = replace(of(topic(days=30)), subscribed=frozenset({TOPIC}))
    plan = compare_states(desired, replace(desired, offsets_retention_minutes={1: 10_080}), SCOPE)
    assert [str(drift(change)) for change in plan.left] == [
        "agencies/tax/refund-paid/contract.yaml:1:1 drift-offsets `offsets.retention.minutes` differs: "
        f"10080 -> 43200 on broker 1; `{TOPIC}` keeps events longer (30 days), and a subscriber that is "
        "stopped for 7 days loses its place: it begins at its last mark, with `exactly_once` it waits for an "
        "operator - a subscriber that was stopped has its place for as long as its topics have their events "
        "- set it in the configuration of every broker named, to what is after `->` or more, and restart "
        "them one by one"
    ]
    assert "Left as it is" in render_plan(plan)


def test_a_lower_quota_waits_for_leave_and_a_higher_one_does_not() -> None:
    """As where `cluster.yaml` is lost, and the quotas would be those of a new cluster."""
    high, low = (
        of(quotas={"tax": {"producer_byte_rate": rate, "consumer_byte_rate": 9.0}}) for rate in (5.0, 1.0)
    )
    plan = compare_states(low, high, SCOPE)
    assert [change.name for change in plan.refusals] == ["User:tax"]
    assert not compare_states(low, high, SCOPE, allow_destroy=["all"]).refusals
    assert not compare_states(high, low, SCOPE).refusals
    assert not compare_states(high, of(), SCOPE).refusals


def _catalog_entry(*names: str, text: str = "") -> dict[str, RegistryEntry]:
    content = {"key": "catalog", "documents": dict.fromkeys(names, text)}
    return {"catalog": RegistryEntry("catalog", canonical(content))}


def test_a_catalogue_that_lost_its_cluster_yaml_waits_for_leave() -> None:
    """Copies, quotas and spared principals would be as if nobody had ever decided them."""
    both = of(entries=_catalog_entry("cluster.yaml", "waivers.yaml"))
    one = of(entries=_catalog_entry("waivers.yaml"))
    plan = compare_states(one, both, SCOPE)
    assert ["`cluster.yaml` would be gone" in change.refusal for change in plan.changes] == [True]
    assert not compare_states(one, both, SCOPE, allow_destroy=["all"]).refusals
    assert not compare_states(both, one, SCOPE).refusals
    assert not compare_states(of(entries=_catalog_entry("cluster.yaml", text="x")), both, SCOPE).refusals


def test_a_registry_is_not_signed_anew_by_another_key_without_leave() -> None:
    """Every process would refuse it; one entry of a stranger among sound ones is written again."""
    ours, theirs = (SigningKey(Ed25519PrivateKey.generate()) for _ in range(2))
    wanted = {name: RegistryEntry(name, canonical({"key": name, "documents": {}})) for name in "abc"}

    def observed(*signers: SigningKey) -> ClusterState:
        signed = zip(wanted.items(), signers, strict=True)
        return of(
            entries={name: ours.trusted.open(name, by.sign(entry, NOW, "")) for (name, entry), by in signed}
        )

    plan = compare_states(of(entries=wanted), observed(theirs, theirs, theirs), SCOPE)
    assert [change.name for change in plan.refusals] == ["signatures"]
    assert "GOVBUS_REGISTRY_KEY" in plan.refusals[0].refusal
    forced = compare_states(
        of(entries=wanted), observed(theirs, theirs, theirs), SCOPE, allow_destroy=["all"]
    )
    assert told(forced) == [("~", "entry", name) for name in "abc"]
    assert not compare_states(of(entries=wanted), observed(ours, theirs, ours), SCOPE).refusals
    assert not compare_states(of(entries=wanted), of(entries={}), SCOPE).refusals
