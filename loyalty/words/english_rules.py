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
    "DAY": "for that day",
    "MONTH": "for that month",
    "PARTNER": "in all",
}
NUMBERED: Final = {"DAY": " of that day", "MONTH": " of that month", "PARTNER": ""}


def _unit(step: Mapping[str, Any]) -> str:
    return str(step.get("unit", "POINT"))


def _rule(step: Mapping[str, Any], say: Speech) -> str:
    name, rate = say.name("rule", step["rule"]), say.points(step["rate"], _unit(step))
    told = f"{name}, version {step['version']}: {rate} for each"
    size = f"full {say.number(step['size'])}" if "size" in step else ""
    match step["basis"]:
        case "ACTIVITY":
            return f"{told} activity"
        case "QUANTITY":
            units = f"{size} units" if size else "unit"
            return f"{told} {units}, {say.number(step['counted'])} counted"
        case _:
            return f"{told} {size or '1'} of the amount, {say.number(step['counted'])} counted"


def _cap(step: Mapping[str, Any], say: Speech) -> str:
    return f"Cut to {say.points(step['points'], _unit(step))}: {_most(step, say)}"


def _most(step: Mapping[str, Any], say: Speech) -> str:
    told = f"{say.points(step['limit'], _unit(step))} at most {PERIODS[step['per']]}"
    if not step["used"]:
        return told
    verb = "was" if say.is_one(step["used"], _unit(step)) else "were"
    return f"{told}, and {say.count(step['used'], _unit(step))} {verb} given already"


def _budget(step: Mapping[str, Any], say: Speech) -> str:
    left, budget = say.points(step["points"], _unit(step)), say.points(step["limit"], _unit(step))
    return f"Cut to {left}: no more was left of the rule's budget of {budget}"


def _nth(step: Mapping[str, Any], say: Speech) -> str:
    which = f"{'every' if step['repeats'] else 'the'} {_ordinal(step['number'], say)}"
    when = NUMBERED[step["per"]]
    return f"only {which} purchase{when} earns, and this was the {_ordinal(step['place'], say)}"


def _ordinal(number: int, say: Speech) -> str:
    if number == 1:
        return "first"
    teens = 10 < number % 100 < 14
    return f"{say.number(number)}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _basket(step: Mapping[str, Any], say: Speech) -> str:
    worth = f"the activity is worth {say.number(step['worth'])}"
    if "least" in step:
        return f"{worth}, and must be worth {say.number(step['least'])} at least"
    return f"{worth}, and may be worth {say.number(step['most'])} at most"


def _weekday(step: Mapping[str, Any], say: Speech) -> str:
    days = ", ".join(DAYS[day - 1] for day in step["weekdays"])
    day = DAYS[step["weekday"] - 1]
    this = f"in the night of {day}" if step.get("night") else f"a {day}"
    return f"it applies on {days} only, and this was {this}"


def _clock(step: Mapping[str, Any], bound: str, *, done: str = "") -> str:
    """The time of day too, where the day alone does not tell them apart."""
    return f" at {step[bound]}, and this was {done}at {step['at']}" if bound in step else ""


WHY: Final[Mapping[str, Callable[[Mapping[str, Any], Speech], str]]] = {
    "cap": lambda s, say: f"cap reached: {_most(s, say)}",
    "budget": lambda s, say: f"its budget of {say.points(s['limit'], _unit(s))} is used up",
    "nth": _nth,
    "group": lambda s, say: (
        f"{say.name('rule', s['winner'])} comes before it, and only one of the group “{s['group']}” pays"
    ),
    "audience": lambda s, say: f"not in its audience: {CONDITIONS.get(s['condition'], s['condition'])}",
    "kind": lambda s, say: f"it is for another kind of activity: {say.kind(s['kind'])}",
    "later": lambda s, say: (
        f"it did not exist yet: it was created on {say.day(s['on'])}{_clock(s, 'begins', done='recorded ')}"
    ),
    "not_begun": lambda s, say: f"it begins on {say.day(s['on'])}{_clock(s, 'begins')}",
    "never_began": lambda s, say: f"it was ended on {say.day(s['on'])}, before it began",
    "over": lambda s, say: f"it ended on {say.day(s['on'])}{_clock(s, 'ends')}",
    "lines": lambda s, say: "none of the lines counts for it",
    "basket": _basket,
    "weekday": _weekday,
    "hours": lambda s, say: f"it applies from {s['opens']} to {s['closes']} only, and this was at {s['at']}",
    "step": lambda s, say: f"{say.number(s['counted'])} counted: less than a full {say.number(s['size'])}",
    "band": lambda s, say: f"a quantity of {say.number(s['counted'])} earns nothing",
    "rounding": lambda s, say: f"{say.number(s['exact'])} is less than one point",
}


def _withheld(step: Mapping[str, Any], say: Speech) -> str:
    return f"{say.name('rule', step['rule'])}, version {step['version']}: {WHY[step['why']](step, say)}"


def _outside(step: Mapping[str, Any], say: Speech) -> str:
    if not step["rules"]:
        return "Rules that are for others pay nothing here"
    told = (
        f"{say.name('rule', rule)} ({CONDITIONS.get(condition, condition)})"
        for rule, _, condition in step["rules"]
    )
    return f"Not in the audience of {', '.join(told)}"


WORDS: Final[Mapping[str, tuple[str, Sentence]]] = {
    "rule": ("Earning rule", _rule),
    "band": (
        "Table",
        lambda s, say: (
            f"From a quantity of {say.number(s['least'])} on, "
            f"the rate of {say.points(s['rate'], _unit(s))} holds for all of it"
        ),
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
