"""Which facts are told to a partner, and in which words. Pure.

One cause makes one message of each sort: what a return takes back by five rules is one sum in each unit. Each message
names the facts that it tells, and these say why.

Told are points that were rewarded, adjusted, spent, taken back, that matured or expired, missions, badges and tiers.
Not told are

- points that a sale earned, and how far a mission has come: a shop makes hundreds of sales a day, and its phone would
  not be quiet. Both show in the app, live. Points that were pending are told of once a day, when they mature;
- opening balances: a program tells its partners of its launch itself, and one partner's come in many rows;
- what is reserved, given back, or goes to what is owed: nothing was won or lost, and what it was for tells of itself;
- what time did to a past that was loaded: nobody waits for the days on which it would have been told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from loyalty.because import Step, chain
from loyalty.ledger.books import POINT
from loyalty.ledger.expiry import last_day
from push.messages import HISTORY, Addressee, Message, Name, Names, Teller

MENTIONS: Final = (
    ("mission", "mission"),
    ("badge", "badge"),
    ("tier", "from"),
    ("tier", "to"),
    ("unit", "unit"),
)
"""Kinds of things that have names, and what carries their keys."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A ledger transaction with what is needed to tell its facts."""

    to: Addressee
    transaction_id: int
    occurred_at: datetime
    posted_at: datetime
    steps: Sequence[Step]
    facts: Sequence[Mapping[str, Any]]

    def mentions(self) -> Iterator[tuple[int, str, str]]:
        """What its facts and reasons name (missions, badges, tiers, units): program, kind and key."""
        for told in (*self.facts, *self.steps):
            for kind, place in MENTIONS:
                if isinstance(key := told.get(place), str) and key != POINT:
                    yield self.to.program_id, kind, key


class Told(NamedTuple):
    """A fact's template, and what fills it. An amount is apart: it is added to others of the template and `about`."""

    template: str
    values: Mapping[str, str] = {}
    unit: str = POINT
    amount: int = 0
    about: str = ""
    owed: int = 0
    """What of an amount that is taken back was no longer there."""


@dataclass(slots=True)
class _Sort:
    """Facts that are told together."""

    values: Mapping[str, str]
    facts: list[int] = field(default_factory=list)
    amounts: dict[str, int] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)


def write_messages(happening: Happening, *, names: Names) -> Iterator[Message]:
    """The messages of a transaction's facts, in the order of the first fact of each."""
    teller = Teller(happening.to, names)
    sorts: dict[tuple[str, str | int], _Sort] = {}
    for place, fact in enumerate(happening.facts):
        told = _tell(fact, happening=happening, teller=teller)
        if told is not None:
            key = (told.template, told.about if told.amount else place)
            sort = sorts.setdefault(key, _Sort(told.values))
            sort.facts.append(place)
            if told.amount:
                sort.amounts[told.unit] = sort.amounts.get(told.unit, 0) + told.amount
            if told.owed:
                sort.owed[told.unit] = sort.owed.get(told.unit, 0) + told.owed
    for (template, _), sort in sorts.items():
        owed = {"owed": teller.list_amounts(sort.owed)} if sort.owed else {}
        yield teller.write(
            f"{template}_owed" if owed else template,
            {**sort.values, **owed},
            sort.amounts,
            posted_at=happening.posted_at,
            transaction_id=happening.transaction_id,
            facts=tuple(sort.facts),
        )


def _tell(fact: Mapping[str, Any], *, happening: Happening, teller: Teller) -> Told | None:
    """The template of a fact and what fills it; None where it is not told."""
    match fact["type"]:
        case "PointsPosted":
            return _tell_points(fact, happening=happening, teller=teller)
        case "PointsMatured":
            return _tell_matured(fact, happening=happening)
        case "MissionCompleted":
            return Told("mission_completed", {"mission": teller.name("mission", fact["mission"]).name})
        case "MissionRevoked":
            return Told("mission_revoked", {"mission": teller.name("mission", fact["mission"]).name})
        case "BadgeAwarded" | "BadgeRevoked" as kind:
            badge = teller.name("badge", fact["badge"])
            verb = "awarded" if kind == "BadgeAwarded" else "revoked"
            template = f"badge_level_{verb}" if badge.level > 1 else f"badge_{verb}"
            return Told(template, {"badge": badge.name, "level": teller.speech.number(fact["level"])})
        case "TierChanged":
            return _tell_tier(
                teller.name("tier", fact["from"]) if fact["from"] else None,
                teller.name("tier", fact["to"]) if fact["to"] else None,
            )
        case _:
            return None


def _tell_points(fact: Mapping[str, Any], *, happening: Happening, teller: Teller) -> Told | None:
    unit, amount = fact["unit"], fact["amount"]
    steps = chain(happening.steps, fact["because"])

    def found(step: str, carried: str) -> str:
        return next((one[carried] for one in reversed(steps) if one["step"] == step and carried in one), "")

    match fact["kind"]:
        case "REWARD" if mission := found("mission", "mission"):
            values = {"mission": teller.name("mission", mission).name}
            return Told("points_rewarded_for_mission", values, unit, amount, about=mission)
        case "REWARD":
            return Told("points_rewarded", {}, unit, amount)
        case "ADJUST":
            template = "points_added" if amount > 0 else "points_deducted"
            reason = found("adjustment", "reason")
            return Told(template, {"reason": reason}, unit, amount, about=reason)
        case "CAPTURE":
            purpose = found("captured", "purpose")
            return Told("points_spent", {"reason": purpose}, unit, amount, about=purpose)
        case "EXPIRE" if not _is_past(happening):
            day = last_day(happening.occurred_at, happening.to.time_zone)
            return Told("points_expired", {"date": teller.date(day, now=happening.posted_at)}, unit, amount)
        case "REVERSE" if amount > 0:
            return Told("points_restored", {}, unit, amount)
        case "REVERSE":
            template = "points_reversed_for_return" if found("return", "step") else "points_reversed"
            return Told(template, {}, unit, amount, owed=steps[-1].get("owed", 0))
        case _:
            return None


def _tell_matured(fact: Mapping[str, Any], *, happening: Happening) -> Told | None:
    """What is left of the points once they repaid what was owed; or that they did, where nothing is left."""
    if _is_past(happening):
        return None
    repaid = sum(
        step["points"]
        for step in happening.steps
        if step["step"] == "repaid" and step["on"] == fact["because"]
    )
    if repaid == fact["amount"]:
        return Told("points_repaid", {}, fact["unit"], repaid)
    return Told("points_matured", {}, fact["unit"], fact["amount"] - repaid)


def _is_past(happening: Happening) -> bool:
    """Whether it fell due so long before it was booked that it is of a past that was loaded."""
    return happening.posted_at - happening.occurred_at > HISTORY


def _tell_tier(previous: Name | None, tier: Name | None) -> Told | None:
    if tier is None:
        return Told("tier_lost", {"previous": previous.name}) if previous else None
    if previous is None:
        return Told("tier_reached", {"tier": tier.name})
    template = "tier_raised" if tier.level > previous.level else "tier_lowered"
    return Told(template, {"tier": tier.name, "previous": previous.name})
