"""Which facts are told to a partner, and in which words. Pure.

Told are points that were rewarded, adjusted or taken back, missions, badges and tiers. Points that a sale earned are
not, nor is a mission's progress: a shop makes hundreds of sales a day, and its phone would not be quiet. Both show in
the app, live.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from loyalty.because import Step, chain
from push.templates import choose_words, fallbacks, fill, format_amount, format_number
from push.words import Words

HISTORY: Final = timedelta(days=3)
"""Older news is history that was loaded, or a backlog: it is for the inbox, not for the phone in a pocket."""

NOT_CONFIGURED: Final = "NOT_CONFIGURED"  # the channel has no credentials here
OLD_NEWS: Final = "OLD_NEWS"
NO_DEVICE: Final = "NO_DEVICE"  # the partner registered none
DEVICE_GONE: Final = "DEVICE_GONE"  # it was forgotten, or moved to another partner, before its turn came


@dataclass(frozen=True, slots=True)
class Happening:
    """A ledger transaction with what is needed to tell its facts."""

    program_id: int
    transaction_id: int
    partner_id: int
    posted_at: datetime
    steps: Sequence[Step]
    facts: Sequence[Mapping[str, Any]]
    locale: str | None
    program_locale: str
    program_texts: Mapping[str, Any] = field(default_factory=dict)
    """The program's own texts: locale → template → title and body."""

    def mentions(self) -> Iterator[tuple[int, str, str]]:
        """The missions, badges and tiers that its facts and reasons name: program, kind and key."""
        for told in (*self.facts, *self.steps):
            for kind, place in (("mission", "mission"), ("badge", "badge"), ("tier", "from"), ("tier", "to")):
                if isinstance(key := told.get(place), str):
                    yield self.program_id, kind, key


@dataclass(frozen=True, slots=True)
class Name:
    """What a mission, badge or tier is called; a badge's number of levels, a tier's level."""

    name: str
    level: int = 0


Names = Mapping[tuple[int, str, str], Name]
"""By program, kind (mission, badge, tier) and key."""


@dataclass(frozen=True, slots=True)
class Message:
    """One fact, told."""

    program_id: int
    partner_id: int
    transaction_id: int
    fact: int
    """Its place in the transaction."""
    template: str
    locale: str
    title: str
    body: str
    posted_at: datetime


def write_messages(happening: Happening, *, names: Names) -> Iterator[Message]:
    """The messages of a transaction's facts, in their order."""
    words = choose_words(happening.locale, happening.program_locale)
    own = _own_texts(happening, words)
    for place, fact in enumerate(happening.facts):
        told = _tell(fact, happening=happening, names=names, words=words)
        if told is not None:
            template, values = told
            title, body = fill(template, values, words=words, own=own)
            yield Message(
                program_id=happening.program_id,
                partner_id=happening.partner_id,
                transaction_id=happening.transaction_id,
                fact=place,
                template=template,
                locale=words.locale,
                title=title,
                body=body,
                posted_at=happening.posted_at,
            )


def refuse_channel(*, posted_at: datetime, now: datetime, is_configured: bool) -> str | None:
    """Why nothing is sent over a channel; None where it is."""
    if not is_configured:
        return NOT_CONFIGURED
    if now - posted_at > HISTORY:
        return OLD_NEWS
    return None


def _own_texts(happening: Happening, words: Words) -> Mapping[str, Any]:
    """The program's own texts in the language of `words`, those of the closest locale first."""
    for locale in fallbacks(happening.locale, happening.program_locale):
        texts = happening.program_texts.get(locale)
        if isinstance(texts, Mapping) and locale.split("-")[0] == words.locale:
            return texts
    return {}


Told = tuple[str, dict[str, str]]


def _tell(fact: Mapping[str, Any], *, happening: Happening, names: Names, words: Words) -> Told | None:
    """The template of a fact and what fills it; None where it is not told."""

    def name(kind: str, key: str) -> Name:
        return names.get((happening.program_id, kind, key)) or Name(key)

    match fact["type"]:
        case "PointsPosted":
            steps = chain(happening.steps, fact["because"])
            mission = next((step["mission"] for step in reversed(steps) if step["step"] == "mission"), None)
            reason = next(
                (step.get("reason") for step in reversed(steps) if step["step"] == "adjustment"), None
            )
            return _tell_points(
                fact,
                mission=name("mission", mission).name if mission else None,
                reason=reason or "",
                is_return=any(step["step"] == "return" for step in steps),
                words=words,
            )
        case "MissionCompleted":
            return "mission_completed", {"mission": name("mission", fact["mission"]).name}
        case "MissionRevoked":
            return "mission_revoked", {"mission": name("mission", fact["mission"]).name}
        case "BadgeAwarded" | "BadgeRevoked" as kind:
            badge = name("badge", fact["badge"])
            verb = "awarded" if kind == "BadgeAwarded" else "revoked"
            template = f"badge_level_{verb}" if badge.level > 1 else f"badge_{verb}"
            return template, {"badge": badge.name, "level": format_number(words, fact["level"])}
        case "TierChanged":
            return _tell_tier(
                name("tier", fact["from"]) if fact["from"] else None,
                name("tier", fact["to"]) if fact["to"] else None,
            )
        case _:
            return None


def _tell_points(
    fact: Mapping[str, Any], *, mission: str | None, reason: str, is_return: bool, words: Words
) -> Told | None:
    amount = fact["amount"]
    values = {"amount": format_amount(words, abs(amount), fact["unit"]), "reason": reason}
    match fact["kind"]:
        case "REWARD" if mission is not None:
            return "points_rewarded_for_mission", {**values, "mission": mission}
        case "REWARD":
            return "points_rewarded", values
        case "ADJUST":
            return "points_added" if amount > 0 else "points_deducted", values
        case "REVERSE" if amount > 0:
            return "points_restored", values
        case "REVERSE":
            return "points_reversed_for_return" if is_return else "points_reversed", values
        case _:
            return None


def _tell_tier(previous: Name | None, tier: Name | None) -> Told | None:
    if tier is None:
        return ("tier_lost", {"previous": previous.name}) if previous else None
    if previous is None:
        return "tier_reached", {"tier": tier.name}
    template = "tier_raised" if tier.level > previous.level else "tier_lowered"
    return template, {"tier": tier.name, "previous": previous.name}
