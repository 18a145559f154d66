"""How an activity becomes points, and how a return takes its share of them back. Pure.

Points are floored once per rule and activity, after the tier's multiplier.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple

from activity.rules import ZERO, Line, Product
from base.numbers import EXACT
from loyalty.ledger.books import Basis, Lot
from metrics.rules import ONE, Countable, LineFilter
from partners.rules import Audience, PartnerView


class RateBasis(StrEnum):
    """What a rule's rate is per."""

    ACTIVITY = "ACTIVITY"
    QUANTITY = "QUANTITY"
    AMOUNT = "AMOUNT"


@dataclass(frozen=True, slots=True)
class EarningRule:
    """One version of a rule. `rate` is points per activity, unit or money unit."""

    id: int
    key: str
    version: int
    activity_kind: str
    filter: LineFilter
    audience: Audience
    basis: RateBasis
    rate: Decimal
    starts_at: datetime | None
    ends_at: datetime | None

    def runs_at(self, instant: datetime) -> bool:
        """Whether the rule holds for what occurred then."""
        return (self.starts_at is None or self.starts_at <= instant) and (
            self.ends_at is None or instant < self.ends_at
        )


class Grant(NamedTuple):
    """Points of one rule for one activity, with the numbers that made them."""

    rule: EarningRule
    counted: Decimal
    exact: Decimal
    points: int
    basis: Basis


class Earning:
    """A program's rules, arranged by the kind of activity. What a product matches is found out once."""

    def __init__(self, rules: Iterable[EarningRule]) -> None:
        self._by_kind: dict[str, list[EarningRule]] = {}
        for rule in rules:
            self._by_kind.setdefault(rule.activity_kind, []).append(rule)
        self._matches: dict[tuple[str, int], list[int]] = {}

    @property
    def most_grants(self) -> int:
        """How many rules may grant points for one activity."""
        return max(map(len, self._by_kind.values()), default=0)

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

    def grants(self, activity: Countable, *, partner: PartnerView, multiplier: Decimal) -> list[Grant]:
        """What the activity earns, rule by rule. `partner` and `multiplier` are from before the activity."""
        found = []
        for place, lines in sorted(self._counted(activity).items(), key=lambda item: item[0]):
            rule = self._by_kind[activity.kind][place]
            if not rule.runs_at(activity.occurred_at) or not rule.audience.admits(partner):
                continue
            counted = count(rule.basis, lines)
            exact = EXACT.multiply(EXACT.multiply(counted, rule.rate), multiplier)
            points = int(exact.to_integral_value(ROUND_FLOOR))
            if points > 0:
                found.append(Grant(rule, counted, exact, points, weigh(rule.basis, lines)))
        return found


def count(basis: RateBasis, lines: Sequence[Line]) -> Decimal:
    """What the rate is multiplied by."""
    if basis is RateBasis.AMOUNT:
        return sum([line.amount for line in lines], ZERO)
    if basis is RateBasis.QUANTITY:
        return sum([line.quantity for line in lines], ZERO)
    return ONE


def weigh(basis: RateBasis, lines: Sequence[Line]) -> Basis:
    """What each line weighs in the points: what was counted; per activity its amount, or alike where all are free."""
    if basis is RateBasis.QUANTITY:
        weights = [line.quantity for line in lines]
    else:
        weights = [line.amount for line in lines]
        if not any(weights):
            weights = [ONE] * len(lines)
    return [(line.number, format(weight, "f")) for line, weight in zip(lines, weights, strict=True)]


WHOLE: Final = Fraction(1)


def returned_share(
    basis: Basis, *, lines: Sequence[Line], left: Mapping[int, tuple[Decimal, Decimal]]
) -> Fraction:
    """The part of what a lot was granted for that has come back so far: exactly 1 once all of it has.

    `lines` are the activity's, numbered from 1 in their order; only those of `basis` are looked at.
    """
    total = sum([Decimal(weight) for _, weight in basis], ZERO)
    if not total:
        return WHOLE
    whole = ZERO
    # By the quantity that was sold: weight × quantity that came back. What is divided by the same is added up first.
    partly: dict[Decimal, Decimal] = {}
    for number, weight in basis:
        sold, kept = lines[number - 1].quantity, left[number][0]
        if kept == sold:
            continue
        if kept:
            gone = EXACT.multiply(Decimal(weight), sold - kept)
            partly[sold] = EXACT.add(partly.get(sold, ZERO), gone)
        else:
            whole += Decimal(weight)
    return _add(whole, partly) / Fraction(total)


def _add(whole: Decimal, partly: Mapping[Decimal, Decimal]) -> Fraction:
    """`whole` and each part divided by its key. Reduced once, at the end: a sum of many fractions grows long."""
    numerator, denominator = whole.as_integer_ratio()
    for divisor, part in partly.items():
        above, below = part.as_integer_ratio()
        over, under = divisor.as_integer_ratio()
        numerator = numerator * below * over + above * under * denominator
        denominator *= below * over
    return Fraction(numerator, denominator)


def recallable(lot: Lot, share: Fraction) -> int:
    """Points a return may still take for this lot once `share` of its basis came back; the remainder goes last."""
    return int(lot.granted * share) - lot.recalled - lot.waived
