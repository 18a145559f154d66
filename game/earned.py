"""What earning rules decided, taken into a transaction: its explanation, and what it uses of caps and budgets. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from activity.returns import Original
from activity.rules import Activity
from base.numbers import plain
from game.state import State
from loyalty.because import Because
from loyalty.earning.grants import Decision, Grant, Withheld
from loyalty.ledger.books import MOST, POINT, Lot
from loyalty.tiers.rules import Tier
from metrics.rules import ONE


def explain_grant(because: Because, granted: Grant, tier: Tier | None, root: int) -> int:
    """From the rule to what was granted, with every number on the way; the last step."""
    rule, worth, terms = granted.rule, granted.worth, granted.rule.terms
    unit = {} if terms.unit == POINT else {"unit": terms.unit}
    step = because.add(
        "rule",
        on=root,
        rule=rule.key,
        version=rule.version,
        basis=rule.basis.value,
        rate=plain(worth.band.rate),
        counted=plain(worth.counted),
        **unit,
        **({} if terms.step is None else {"size": plain(terms.step)}),
    )
    if terms.bands:
        step = because.add(
            "band", on=step, least=plain(worth.band.least), rate=plain(worth.band.rate), **unit
        )
    if terms.step is not None:
        step = because.add("full_steps", on=step, size=plain(terms.step), times=plain(worth.times))
    if tier is not None and tier.multiplier != ONE and terms.tier_multiplier:
        step = because.add("multiplier", on=step, tier=tier.key, multiplier=plain(tier.multiplier))
    if worth.boost is not None and worth.boost.factor != ONE:
        shown = plain(worth.boost.factor)
        step = because.add("boost", on=step, segment=worth.boost.segment, multiplier=shown)
    # What limits cut down may be more than a number of JSON holds.
    points = worth.points if worth.points <= MOST else str(worth.points)
    step = because.add("points", on=step, exact=plain(worth.exact), points=points, unit=terms.unit)
    for one in granted.limits:
        numbers = {"limit": one.limit, "used": one.used, "points": one.points, "unit": terms.unit}
        if one.per is None:
            step = because.add("budget", on=step, **numbers)
        else:
            step = because.add("cap", on=step, per=one.per.value, **numbers)
    return step


def explain_withheld(because: Because, withheld: Iterable[Withheld], root: int) -> None:
    """A step for each rule that paid nothing although the activity met it; one for all that it was no audience of."""
    outside = []
    for one in withheld:
        if one.why == "audience":
            outside.append([one.rule.key, one.rule.version, one.numbers["condition"]])
        else:
            because.add(
                "withheld", on=root, rule=one.rule.key, version=one.rule.version, why=one.why, **one.numbers
            )
    if outside:
        because.add("outside", on=root, rules=outside)


def count_use(state: State, activity: Activity, decision: Decision) -> None:
    """Take what was decided out of caps and budgets, and count the purchase."""
    counters, day, partner_id = state.counters, activity.local_date, activity.partner_id
    for one in decision.grants:
        rule = one.rule
        if rule.capped:
            counters.move(rule.root, partner_id, rule.capped, day, points=one.points)
        if rule.terms.budget is not None:
            counters.spend(rule.root, one.points)
    for rule in decision.counted:
        assert rule.terms.nth is not None
        counters.move(rule.root, partner_id, (rule.terms.nth.per,), day, activities=1)
    if decision.counted:
        state.purchases[activity.id] = decision.counted


def give_back_points(state: State, activity: Activity, lot: Lot, points: int) -> None:
    """Put what a return took of a lot back into the caps, of the original's own periods, and the budget of its rule."""
    rule = state.plan.earning.by_id.get(lot.rule_id or 0)
    if rule is None or not points:
        return
    if rule.capped:
        state.counters.move(rule.root, lot.partner_id, rule.capped, activity.local_date, points=-points)
    if rule.terms.budget is not None:
        state.counters.spend(rule.root, -points)


def give_back_purchase(
    state: State, original: Original, left: Mapping[int, tuple[Decimal, Decimal]], *, stood: bool
) -> None:
    """Count a purchase no more once nothing is left of what a rule counted. `left` and `stood`: before the return."""
    activity = original.activity
    for rule in state.purchases.get(activity.id, ()):
        assert rule.terms.nth is not None
        if activity.lines:
            counted, counts = rule.still_counts(activity, left), rule.still_counts(activity, original.left)
        else:
            counted, counts = stood, original.stands
        if counted and not counts:
            nth = rule.terms.nth
            state.counters.move(
                rule.root, activity.partner_id, (nth.per,), activity.local_date, activities=-1
            )
