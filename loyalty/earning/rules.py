"""How an activity becomes points: what each rule pays for it, and why one that it matches pays less, or nothing. Pure.

Points are floored once per rule and activity, after the multipliers; then the caps cut them, and last the budget.

A rule whose conditions fail that anybody can look up later (its kind, dates, hours, lines) leaves nothing behind.
Whether a partner was in the audience, and how far caps, budgets and counts had come, cannot be looked up: what such
conditions withheld is told (`Withheld`) and kept with the activity.
"""

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from activity.rules import Line, Product
from base.numbers import EXACT, plain
from loyalty.earning.counters import Counters, UsageKey, usage_start
from loyalty.earning.grants import Decision, Grant, Withheld, Worth, choose, limit, value
from loyalty.earning.shares import count, weigh
from loyalty.earning.terms import CapPeriod
from loyalty.earning.versions import EarningRule
from metrics.rules import ONE, Countable
from partners.rules import PartnerView


class Earning:
    """A program's rules, arranged by the kind of activity. What a product matches is found out once.

    `most_grants`: how many rules may grant for one activity. `has_counters`: whether any goes by what it gave so far;
    `numbers_purchases`: whether any goes by the number of a purchase.
    """

    def __init__(self, rules: Iterable[EarningRule]) -> None:
        self._by_kind: dict[str, list[EarningRule]] = {}
        self.by_id: Final[dict[int, EarningRule]] = {}
        self.by_name: Final[dict[tuple[str, int], EarningRule]] = {}
        for rule in sorted(rules, key=lambda one: (one.root, one.version)):
            self.by_id[rule.id] = self.by_name[rule.key, rule.version] = rule
            self._by_kind.setdefault(rule.activity_kind, []).append(rule)
        self._matches: dict[tuple[str, int], list[int]] = {}
        self._counted_by: Final[dict[str, set[tuple[int, CapPeriod]]]] = {}
        for rule in self.by_id.values():
            periods = {*rule.capped, *([rule.terms.nth.per] if rule.terms.nth else ())}
            if periods:
                self._counted_by.setdefault(rule.activity_kind, set()).update(
                    (rule.root, per) for per in periods
                )
        roots = ({one.root for one in of_kind} for of_kind in self._by_kind.values())
        self.most_grants: Final = max(map(len, roots), default=0)
        self.has_counters: Final = bool(self._counted_by) or any(
            one.terms.budget is not None for one in self.by_id.values()
        )
        self.numbers_purchases: Final = any(one.terms.nth for one in self.by_id.values())

    def usage_keys(self, kind: str, *, partner_id: int, local_date: date) -> list[UsageKey]:
        """Where an activity of this kind may be counted, or what it was counted for may come back."""
        return [
            (root, partner_id, per.value, usage_start(per, local_date))
            for root, per in self._counted_by.get(kind, ())
        ]

    def _of_product(self, kind: str, product: Product) -> list[int]:
        """The places of the rules that the product matches."""
        key = (kind, product.id)
        found = self._matches.get(key)
        if found is None:
            rules = self._by_kind.get(kind, ())
            found = [place for place, rule in enumerate(rules) if rule.filter.admits_product(product)]
            self._matches[key] = found
        return found

    def _counted(self, activity: Countable) -> dict[int, list[Line]]:
        """The lines that each rule counts, by its place; an activity without lines, for the rules that ask nothing."""
        rules = self._by_kind.get(activity.kind, ())
        if not activity.lines:
            return {place: [] for place, rule in enumerate(rules) if rule.filter.is_empty}
        counted: dict[int, list[Line]] = {}
        for line in activity.lines:
            for place in self._of_product(activity.kind, line.product):
                if rules[place].filter.admits_amount(line.amount):
                    counted.setdefault(place, []).append(line)
        return counted

    def decide(
        self, activity: Countable, *, partner: PartnerView, multiplier: Decimal, counters: Counters
    ) -> Decision:
        """What the activity earns. `partner` and the tier's `multiplier` are from before the activity."""
        decision = Decision([], [], [])
        rules = self._by_kind.get(activity.kind, ())
        grouped = False
        for place, lines in sorted(self._counted(activity).items(), key=lambda item: item[0]):
            rule = rules[place]
            if not rule.runs_at(activity.occurred_at):
                continue
            if rule.asks_clock and rule.terms.clock_failure(activity.occurred_at, partner.time_zone):
                continue
            failure = rule.audience.failure(partner)
            if failure is not None:
                decision.withheld.append(Withheld(rule, "audience", {"condition": failure}))
            elif rule.is_plain:
                counted = count(rule.basis, lines)
                exact = EXACT.multiply(EXACT.multiply(counted, rule.rate), multiplier)
                points = int(exact.to_integral_value(ROUND_FLOOR))
                if points > 0:
                    worth = Worth(counted, counted, rule.flat, exact)
                    decision.grants.append(Grant(rule, worth, points, weigh(rule.basis, lines)))
                elif multiplier < ONE:
                    decision.withheld.append(Withheld(rule, "rounding", {"exact": plain(exact)}))
            elif rule.admits_basket(activity.lines):
                grouped = grouped or rule.terms.group is not None
                worth = value(rule, lines, segments=partner.segments, multiplier=multiplier)
                limit(decision, rule, lines, worth, activity=activity, counters=counters)
        return choose(decision) if grouped else decision
