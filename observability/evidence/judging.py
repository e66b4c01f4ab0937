"""From what agencies wrote to what is believed of it, and what is not.

Law of this file: nothing that is not believed reaches the database's receipts. What its topic
could not be asked about now is believed for now, and remembered as unchecked; nothing is of a topic or
partition that nobody has heard of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bus import PublishReceipt
from observability.evidence.topic_check import TopicCheck
from observability.evidence.trust import (
    Fault,
    Refusal,
    Standing,
    Word,
    disbelief,
    fault_of,
    is_checkable,
    whom,
)
from observability.identity import AnyReceipt, PublishKey, publish_key


@dataclass(frozen=True, slots=True)
class Judged:
    """What is believed, what of it is unchecked or undated, and what is not believed."""

    receipts: tuple[AnyReceipt, ...] = ()
    unchecked: tuple[Word, ...] = ()
    undated: tuple[Word, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What the topics said of unchecked publishes.

    Attributes:
        confirmed: those that stay, since no topic will say more.
        undated: those whose topics keep the times of publishers.
        refuted: those that were false, and why.
    """

    confirmed: list[PublishKey] = field(default_factory=list)
    undated: list[PublishKey] = field(default_factory=list)
    refuted: dict[PublishKey, Fault] = field(default_factory=dict)


def settled(words: Sequence[Word], standings: Sequence[Standing | None]) -> Settled:
    """Return what the topics said of unchecked publishes."""
    found = Settled()
    for word, standing in zip(words, standings, strict=True):
        assert isinstance(word.receipt, PublishReceipt)  # noqa: S101 - nothing else is unchecked
        match standing:
            case "no-such-offset" | "wrong-time":
                found.refuted[publish_key(word.receipt)] = standing
            case "confirmed" | "uncheckable":
                found.confirmed.append(publish_key(word.receipt))
            case "undated":
                found.undated.append(publish_key(word.receipt))
            case "unchecked" | None:
                pass
    return found


async def judge(words: Sequence[Word], check: TopicCheck) -> Judged:
    """Return which words are believed.

    Raises:
        BusError: it is not known whether a topic or partition is there; nothing is believed before.
    """
    receipts: list[AnyReceipt] = []
    unchecked: list[Word] = []
    undated: list[Word] = []
    refused: list[Refusal] = []
    plausible: list[Word] = []
    for word in words:
        if (fault := fault_of(word)) is None:
            plausible.append(word)
        else:
            refused.append(_refusal(word, fault))
    for word, standing in zip(plausible, await ask(plausible, check), strict=True):
        if standing is not None:
            assert isinstance(word.receipt, PublishReceipt)  # noqa: S101 - nothing else is asked about
            fault = disbelief(standing, word.receipt.broker_time_us, word.written_us)
            if fault is not None:
                refused.append(_refusal(word, fault))
                continue
            if standing == "unchecked":
                unchecked.append(word)
            elif standing == "undated":
                undated.append(word)
        receipts.append(word.receipt)
    return Judged(tuple(receipts), tuple(unchecked), tuple(undated), tuple(refused))


def _refusal(word: Word, fault: Fault) -> Refusal:
    return Refusal(word.speaker, fault, word.place, whom(word.receipt, word.speaker))


async def ask(words: Sequence[Word], check: TopicCheck) -> list[Standing | None]:
    """Return what the topics say of each plausible word; None where they know nothing of it.

    Raises:
        BusError: as `judge` says.
    """
    asked = [
        (index, word.receipt)
        for index, word in enumerate(words)
        if isinstance(word.receipt, PublishReceipt) and is_checkable(word.receipt)
    ]
    found: list[Standing | None] = [None] * len(words)
    for (index, _), standing in zip(asked, await check.standings([one for _, one in asked]), strict=True):
        found[index] = standing
    return found
