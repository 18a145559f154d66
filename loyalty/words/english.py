"""Because in English."""

from collections.abc import Mapping
from typing import Any, Final

from loyalty.ledger.books import POINT
from loyalty.words.english_rules import WORDS as RULES
from loyalty.words.speech import Sentence, Speech


def _points(written: str, single: bool) -> str:
    return f"{written} point" if single else f"{written} points"


SPEECH: Final = Speech(
    thousands=",",
    point=".",
    quotes=("“", "”"),
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    kinds={
        "SALE": "Sale",
        "RETURN": "Return",
        "RECEIPT": "Receipt",
        "TRAINING": "Training",
        "VISIT": "Visit",
    },
    points_word=_points,
    joined=(", ", " and "),
)


def _floored(step: Mapping[str, Any], say: Speech) -> str:
    unit = step.get("unit", POINT)
    exact, points = say.count(step["exact"], unit), say.points(step["points"], unit)
    return points if exact == say.count(step["points"], unit) else f"{exact}, rounded down to {points}"


def _be(step: Mapping[str, Any], say: Speech, one: str, more: str) -> str:
    """The amount of a step with its verb."""
    unit = step.get("unit", POINT)
    return f"{say.points(step['points'], unit)} {one if say.is_one(step['points'], unit) else more}"


def _reversal(step: Mapping[str, Any], say: Speech) -> str:
    unit = step.get("unit", POINT)
    by = f" by {say.name('rule', step['rule'])}" if "rule" in step else ""
    told = f"{say.percent(step['share'])}% of what earned {say.points(step['granted'], unit)}{by} came back"
    if step["recalled"]:
        verb = "was" if say.is_one(step["recalled"], unit) else "were"
        told += f", of which {say.count(step['recalled'], unit)} {verb} taken back before"
    told += f": {_be(step, say, 'is', 'are')} taken back"
    if step.get("rounded"):
        told += ", rounded down"
    if step.get("owed"):
        left, verb = step["points"] - step["owed"], "is" if say.is_one(step["owed"], unit) else "are"
        told += (
            f"; {say.count(left, unit)} out of the wallet, and {say.count(step['owed'], unit)} {verb} owed"
        )
    return told


def _mission(step: Mapping[str, Any], say: Speech) -> str:
    again = f" again (no. {step['n']})" if step["n"] > 1 else ""
    window = "" if step["window"] == "once" else f" ({step['window']})"
    return f"{say.name('mission', step['mission'])}{window} is completed{again}"


def _badge(step: Mapping[str, Any], say: Speech) -> str:
    told = f"{say.name('badge', step['badge'])}, level {step['level']}"
    if step.get("threshold") is not None:
        told += f": {say.number(step['value'])} counted, {say.number(step['threshold'])} needed"
    return told


def _tier(step: Mapping[str, Any], say: Speech) -> str:
    before, after = say.bare("tier", step["from"]) or "none", say.bare("tier", step["to"]) or "none"
    told = f"From {before} to {after}"
    if step.get("threshold") is not None and step.get("value") is not None:
        told += f": {say.number(step['value'])} counted, {say.number(step['threshold'])} needed"
    return told


def _opening(step: Mapping[str, Any], say: Speech) -> str:
    told = f"Brought over: {say.points(step['points'], step['unit'])}"
    if step["grantedOn"] is not None:
        told += f", granted on {say.day(step['grantedOn'])}"
    if step["expiresOn"] is not None:
        told += f", valid through {say.day(step['expiresOn'])}"
    return told


def _counted(step: Mapping[str, Any], say: Speech) -> str:
    return say.points(step["points"], step.get("unit", POINT))


def _lot(step: Mapping[str, Any], say: Speech) -> str:
    told = []
    if step["maturesOn"] is not None:
        told.append(f"Pending until {say.day(step['maturesOn'])}")
    if step["expiresOn"] is not None:
        valid = "valid" if told else "Valid"
        told.append(f"{valid} through {say.day(step['expiresOn'])}")
    if step["sliding"]:
        told.append("longer whenever points are earned before")
    return ", ".join(told)


def _waived(step: Mapping[str, Any], say: Speech) -> str:
    if step["returns"] == "ONLY_PENDING":
        return f"{_be(step, say, 'was no longer pending, and is', 'were no longer pending, and are')} not taken back"
    return f"{_gone(step, say)} not taken back"


def _gone(step: Mapping[str, Any], say: Speech) -> str:
    """An amount that is no longer in the wallet, up to what becomes of it."""
    return _be(step, say, "was spent or reserved before, and is", "were spent or reserved before, and are")


def _purpose(step: Mapping[str, Any]) -> str:
    return f": {step['purpose']}" if "purpose" in step else ""


def _by_hand(step: Mapping[str, Any], say: Speech) -> str:
    if step["tier"] is None:
        return f"What had been given by hand was taken back: {step['reason']}"
    tier = say.bare("tier", step["tier"])
    until = "" if step["until"] is None else f" until {say.day(step['until'][:10])}"
    return f"{tier} was given by hand{until}: {step['reason']}"


def _too_late(step: Mapping[str, Any], say: Speech) -> str:
    if "mission" in step:
        return f"{say.name('mission', step['mission'])} had ended when this was booked, and stays as it was"
    return (
        f"The time up to {say.day(step['through'])} had been reviewed when this was booked, "
        "and the tier stays as it was"
    )


WORDS: Final[Mapping[str, tuple[str, Sentence]]] = {
    "activity": (
        "Activity",
        lambda s, say: f"{say.kind(s['kind'])} {s['externalId']}, reported by {s['source']}",
    ),
    **RULES,
    "multiplier": (
        "Tier",
        lambda s, say: f"{say.bare('tier', s['tier'])} multiplies by {say.number(s['multiplier'])}",
    ),
    "points": ("Points", _floored),
    "lot": ("Validity", _lot),
    "renewed": (
        "Renewal",
        lambda s, say: f"Points that are kept alive by earning are now valid through {say.day(s['until'])}",
    ),
    "matured": (
        "Available",
        lambda s, say: f"{_be(s, say, 'was pending, and is', 'were pending, and are')} now available",
    ),
    "expired": (
        "Expiry",
        lambda s, say: (
            f"{_be(s, say, 'was not used in time, and has', 'were not used in time, and have')} expired"
        ),
    ),
    "hold": ("Reserved", lambda s, say: f"{say.points(s['points'], s['unit'])} reserved: {s['purpose']}"),
    "captured": (
        "Spent",
        lambda s, say: f"{_be(s, say, 'that was reserved is', 'that were reserved are')} spent{_purpose(s)}",
    ),
    "released": (
        "Given back",
        lambda s, say: (
            f"{_be(s, say, 'that was reserved is', 'that were reserved are')} available again{_purpose(s)}"
        ),
    ),
    "repaid": ("Repayment", lambda s, say: f"{_counted(s, say)} went to what was owed"),
    "return": (
        "Return",
        lambda s, say: (
            f"{say.kind(s['kind'])} {s['externalId']}, reported by {s['source']}, takes back {s['of']}"
        ),
    ),
    "reversal": ("Taken back", _reversal),
    "owed": ("Owed", lambda s, say: f"{_gone(s, say)} owed"),
    "waived": ("Let go", _waived),
    "objective": (
        "Objective",
        lambda s, say: (
            f"{say.name('objective', s['mission'] + '/' + s['objective'])}: "
            f"{say.number(s['current'])} of {say.number(s['target'])}"
        ),
    ),
    "mission": ("Mission", _mission),
    "no_room": (
        "No room",
        lambda s, say: (
            f"The {say.points(s['points'])} of {say.name('mission', s['mission'])} "
            "would bring the wallet above what it can hold"
        ),
    ),
    "mission_revoked": (
        "Mission undone",
        lambda s, say: f"{say.name('mission', s['mission'])} is no longer completed",
    ),
    "reward": (
        "Reward",
        lambda s, say: f"The mission rewards {say.points(s['points'], s.get('unit', POINT))}",
    ),
    "badge": ("Badge", _badge),
    "tier": ("Tier", _tier),
    "tier_review": (
        "Tier review",
        lambda s, say: (
            f"From {say.day(s['startsOn'])} through {say.day(s['through'])}, "
            f"{say.number(s['value'])} counted towards the tier"
        ),
    ),
    "tier_override": ("Tier by hand", _by_hand),
    "override_ended": (
        "Tier by hand",
        lambda s, say: f"{say.bare('tier', s['tier'])} had been given by hand, and the time for it is over",
    ),
    "approval": (
        "Approval",
        lambda s, say: (
            f"Asked for by {s['askedBy']}, approved by {s['approvedBy']}"
            if "askedBy" in s
            else "Asked for by one person, and approved by another"
        ),
    ),
    "adjustment": ("Adjustment", lambda s, say: f"Adjusted by hand: {s['reason']}"),
    "opening": ("Opening balance", _opening),
    "counted_too_late": ("Too late", _too_late),
    "review": (
        "Review",
        lambda s, say: "The program's rules changed, and what had been counted before was looked at again",
    ),
}
