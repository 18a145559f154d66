"""What a rule makes of an activity: its worth, what cuts it, what is paid, and what is withheld and why. Pure."""

from collections.abc import Collection, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from activity.rules import Line
from base.numbers import EXACT, plain
from loyalty.earning.counters import Counters
from loyalty.earning.shares import RateBasis, count, weigh
from loyalty.earning.terms import Band, Boost, CapPeriod
from loyalty.earning.versions import EarningRule
from loyalty.ledger.books import POINT, Basis
from metrics.rules import ONE, Countable


class Limit(NamedTuple):
    """What cut the points: a cap (of so much in a period, so much used) or the budget, and what was left of them."""

    per: CapPeriod | None
    limit: int
    used: int
    points: int


class Worth(NamedTuple):
    """What a rule counts of an activity, and makes of it: `times` the band's rate; `exact` with the multipliers."""

    counted: Decimal
    times: Decimal
    band: Band
    exact: Decimal
    boost: Boost | None = None

    @property
    def points(self) -> int:
        """Floored once."""
        return int(self.exact.to_integral_value(ROUND_FLOOR))


class Grant(NamedTuple):
    """Points of one rule for one activity, with the numbers that made them. `limits` cut them, in that order."""

    rule: EarningRule
    worth: Worth
    points: int
    basis: Basis
    limits: tuple[Limit, ...] = ()


class Withheld(NamedTuple):
    """A rule that the activity met and that paid nothing: `why`, and its numbers."""

    rule: EarningRule
    why: str
    numbers: dict[str, Any]


class Decision(NamedTuple):
    """What an activity earns, rule by rule; what was withheld; and the rules that counted it as a purchase."""

    grants: list[Grant]
    withheld: list[Withheld]
    counted: list[EarningRule]

    @property
    def points(self) -> dict[str, int]:
        """What is granted, by unit."""
        found: dict[str, int] = {}
        for one in self.grants:
            found[one.rule.terms.unit] = found.get(one.rule.terms.unit, 0) + one.points
        return found


def value(
    rule: EarningRule, lines: Sequence[Line], *, segments: Collection[str] = (), multiplier: Decimal = ONE
) -> Worth:
    """What the rule makes of these lines for a partner in these segments, before anything cuts it."""
    terms = rule.terms
    counted = times = count(rule.basis, lines)
    band = terms.rate_of(count(RateBasis.QUANTITY, lines), rule.rate) if terms.bands else rule.flat
    if terms.step is not None:
        times = EXACT.divide_int(counted, terms.step)
    exact = EXACT.multiply(times, band.rate)
    if terms.tier_multiplier:
        exact = EXACT.multiply(exact, multiplier)
    boost = terms.boost_of(segments) if terms.boosts else None
    if boost is not None:
        exact = EXACT.multiply(exact, boost.factor)
    return Worth(counted, times, band, exact, boost)


def limit(
    decision: Decision,
    rule: EarningRule,
    lines: Sequence[Line],
    worth: Worth,
    *,
    activity: Countable,
    counters: Counters,
) -> None:
    """Add to the decision what the rule pays within its count of purchases, caps and budget, or what withheld it."""
    terms, day, partner_id = rule.terms, activity.local_date, activity.partner_id
    points = worth.points
    if points <= 0:
        # Of multipliers alone nobody could tell later; all else that makes too little can be reckoned again.
        if value(rule, lines).points > 0:
            decision.withheld.append(Withheld(rule, "rounding", {"exact": plain(worth.exact)}))
        return
    if terms.nth is not None:
        decision.counted.append(rule)
        place = counters.of(rule.root, partner_id, terms.nth.per, day).activities + 1
        if not terms.nth.pays(place):
            numbers = {"place": place, "number": terms.nth.number, "repeats": terms.nth.repeats}
            decision.withheld.append(Withheld(rule, "nth", {**numbers, "per": terms.nth.per.value}))
            return
    limits: list[Limit] = []
    for per, most in terms.caps:
        used = 0
        if per is not CapPeriod.ACTIVITY:
            used = counters.of(rule.root, partner_id, per, day).points
        if points > max(0, most - used):
            points = max(0, most - used)
            limits.append(Limit(per, most, used, points))
    if terms.budget is not None and points:
        budget = counters.budgets.get(rule.root)
        if budget is not None and points > budget.left:
            points = budget.left
            limits.append(Limit(None, budget.limit, budget.limit - budget.left, points))
    if points:
        decision.grants.append(Grant(rule, worth, points, weigh(rule.basis, lines), tuple(limits)))
    else:
        decision.withheld.append(withhold(rule, limits[-1]))


def withhold(rule: EarningRule, by: Limit) -> Withheld:
    """What a cap or budget that was used up says."""
    unit = {} if rule.terms.unit == POINT else {"unit": rule.terms.unit}
    if by.per is None:
        return Withheld(rule, "budget", {"limit": by.limit, **unit})
    return Withheld(rule, "cap", {"per": by.per.value, "limit": by.limit, "used": by.used, **unit})


def choose(decision: Decision) -> Decision:
    """Of the rules of a group only one pays: of the highest priority, then the oldest, that pays anything."""
    winners: dict[str, Grant] = {}
    for one in decision.grants:
        group = one.rule.terms.group
        if group is not None:
            best = winners.get(group)
            if best is None or one.rule.terms.priority > best.rule.terms.priority:
                winners[group] = one
    grants, withheld = [], decision.withheld
    for one in decision.grants:
        group = one.rule.terms.group
        if group is None or winners[group] is one:
            grants.append(one)
        else:
            numbers = {"group": group, "winner": winners[group].rule.key, "points": one.points}
            withheld.append(Withheld(one.rule, "group", numbers))
    return Decision(grants, withheld, decision.counted)
