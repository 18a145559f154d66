"""What each line weighs in the points of a rule, and what share of them a return takes back. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from activity.rules import ZERO, Line
from base.numbers import EXACT, exactly
from loyalty.ledger.books import Basis, Lot
from metrics.rules import ONE


class RateBasis(StrEnum):
    """What a rule's rate is per."""

    ACTIVITY = "ACTIVITY"
    QUANTITY = "QUANTITY"
    AMOUNT = "AMOUNT"


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
    return [(line.number, exactly(weight)) for line, weight in zip(lines, weights, strict=True)]


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
