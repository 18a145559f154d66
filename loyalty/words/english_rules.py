"""What earning rules say, in English: how they reckon, what cut them, and why they paid nothing."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from loyalty.words.speech import Sentence, Speech

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CONDITIONS: Final = {
    "kind": "kind of partner",
    "region": "region",
    "tier": "tier",
    "partner": "partner",
    "segment": "segment",
}
PERIODS: Final = {
    "ACTIVITY": "for one activity",
    "DAY": "of that day",
    "MONTH": "of that month",
    "PARTNER": "in all",
}


def _rule(step: Mapping[str, Any], say: Speech) -> str:
    name, rate = say.name("rule", step["rule"]), say.points(step["rate"])
    told = f"{name}, version {step['version']}: {rate} for each"
    size = f"full {say.number(step['size'])}" if "size" in step else ""
    match step["basis"]:
        case "ACTIVITY":
            return f"{told} activity"
        case "QUANTITY":
            return f"{told} {size or 'unit'}, {say.number(step['counted'])} counted"
        case _:
            return f"{told} {size or 'unit'} of money, {say.number(step['counted'])} counted"


def _cap(step: Mapping[str, Any], say: Speech) -> str:
    used = f", {say.number(step['used'])} of them given before" if step["used"] else ""
    left = say.points(step["points"], step.get("unit", "POINT"))
    return f"At most {say.points(step['limit'])} {PERIODS[step['per']]}{used}: that leaves {left}"


def _budget(step: Mapping[str, Any], say: Speech) -> str:
    left = say.points(step["points"], step.get("unit", "POINT"))
    return f"Of the rule's budget of {say.points(step['limit'])} this was left: {left}"


def _nth(step: Mapping[str, Any], say: Speech) -> str:
    which = "each purchase whose number divides by" if step["repeats"] else "only purchase number"
    when = "" if step["per"] == "PARTNER" else f" {PERIODS[step['per']]}"
    return f"{which} {say.number(step['number'])}{when} earns; this was number {say.number(step['place'])}"


def _basket(step: Mapping[str, Any], say: Speech) -> str:
    worth = f"the activity is worth {say.number(step['worth'])}"
    if "least" in step:
        return f"{worth}, and must be worth {say.number(step['least'])} at least"
    return f"{worth}, and may be worth {say.number(step['most'])} at most"


def _weekday(step: Mapping[str, Any], say: Speech) -> str:
    days = ", ".join(DAYS[day - 1] for day in step["weekdays"])
    return f"it applies on {days} only, and this was a {DAYS[step['weekday'] - 1]}"


WHY: Final[Mapping[str, Callable[[Mapping[str, Any], Speech], str]]] = {
    "cap": lambda s, say: (
        f"cap reached: {say.number(s['used'])} of {say.points(s['limit'])} {PERIODS[s['per']]} are given"
    ),
    "budget": lambda s, say: f"its budget of {say.points(s['limit'])} is used up",
    "nth": _nth,
    "group": lambda s, say: (
        f"{say.name('rule', s['winner'])} comes before it, and only one of the group “{s['group']}” pays"
    ),
    "audience": lambda s, say: f"not in its audience: {CONDITIONS.get(s['condition'], s['condition'])}",
    "kind": lambda s, say: f"it is for another kind of activity: {say.kind(s['kind'])}",
    "later": lambda s, say: f"it did not exist yet: it was created on {say.day(s['on'])}",
    "not_begun": lambda s, say: f"it begins on {say.day(s['on'])}",
    "over": lambda s, say: f"it ended on {say.day(s['on'])}",
    "lines": lambda s, say: "none of the lines counts for it",
    "basket": _basket,
    "weekday": _weekday,
    "hours": lambda s, say: f"it applies from {s['opens']} to {s['closes']} only, and this was at {s['at']}",
    "step": lambda s, say: f"{say.number(s['counted'])} counted do not make a full {say.number(s['size'])}",
    "band": lambda s, say: f"{say.number(s['counted'])} counted earn nothing yet",
    "rounding": lambda s, say: f"{say.number(s['exact'])} is less than one point",
}


def _withheld(step: Mapping[str, Any], say: Speech) -> str:
    return f"{say.name('rule', step['rule'])}, version {step['version']}: {WHY[step['why']](step, say)}"


def _outside(step: Mapping[str, Any], say: Speech) -> str:
    told = (
        f"{say.name('rule', rule)} ({CONDITIONS.get(condition, condition)})"
        for rule, _, condition in step["rules"]
    )
    return f"Not in the audience of {', '.join(told)}"


WORDS: Final[Mapping[str, tuple[str, Sentence]]] = {
    "rule": ("Earning rule", _rule),
    "band": (
        "Table",
        lambda s, say: f"From {say.number(s['least'])} on, {say.points(s['rate'])} for each",
    ),
    "full_steps": (
        "Full steps",
        lambda s, say: f"{say.number(s['times'])} times a full {say.number(s['size'])}",
    ),
    "boost": (
        "Segment",
        lambda s, say: f"{say.bare('segment', s['segment'])} multiplies by {say.number(s['multiplier'])}",
    ),
    "cap": ("Cap", _cap),
    "budget": ("Budget", _budget),
    "withheld": ("Not paid", _withheld),
    "outside": ("Not paid", _outside),
}
