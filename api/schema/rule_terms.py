"""The terms of an earning rule: what it asks beside kind, lines and audience, and how much it gives at most."""

from __future__ import annotations

from decimal import Decimal

import strawberry

from api.schema.scalars import BigInt
from loyalty.earning.inputs import BandInput, BoostInput, CapInput, HoursInput, NthInput, Weekday
from loyalty.earning.terms import Band, Boost, Cap, CapPeriod, Hours, Nth

strawberry.enum(Weekday, description="A day of the week.")
strawberry.enum(CapPeriod, description="One activity, a partner's local day or month, or all time (PARTNER).")


@strawberry.type(
    description="From this quantity of the lines that count on, the whole of it earns at another rate."
)
class EarningBand:
    from_: Decimal = strawberry.field(name="from")
    points: Decimal

    @classmethod
    def of(cls, band: Band) -> EarningBand:
        return cls(from_=band.least, points=band.rate)


@strawberry.type(description="Which purchases earn: that of a number, or each that it divides.")
class EarningNth:
    number: int
    repeats: bool
    per: CapPeriod

    @classmethod
    def of(cls, nth: Nth) -> EarningNth:
        return cls(number=nth.number, repeats=nth.repeats, per=nth.per)


@strawberry.type(
    description="Times of day by the partner's clock; past midnight where `to` lies before `from`."
)
class EarningHours:
    from_: str = strawberry.field(name="from")
    to: str

    @classmethod
    def of(cls, hours: Hours) -> EarningHours:
        return cls(from_=f"{hours.opens:%H:%M}", to=f"{hours.closes:%H:%M}")


@strawberry.type(description="The most that one partner gets.")
class EarningCap:
    per: CapPeriod
    points: BigInt

    @classmethod
    def of(cls, cap: Cap) -> EarningCap:
        return cls(per=cap.per, points=BigInt(cap.points))


@strawberry.type(description="What the points of a segment's partners are multiplied by.")
class EarningSegmentMultiplier:
    segment: str
    factor: Decimal

    @classmethod
    def of(cls, boost: Boost) -> EarningSegmentMultiplier:
        return cls(segment=boost.segment, factor=boost.factor)


@strawberry.input(
    description="From this quantity on, the whole earns so many points per what `pointsPer` is per; 0 for none."
)
class EarningBandInput:
    from_: Decimal = strawberry.field(name="from")
    points: Decimal

    def taken(self) -> BandInput:
        return BandInput(self.from_, self.points)


@strawberry.input(description="The purchases that the rule counts are numbered from 1, in each period `per`.")
class EarningNthInput:
    number: int
    repeats: bool = strawberry.field(default=False, description="Each that the number divides: every fifth.")
    per: CapPeriod = CapPeriod.PARTNER

    def taken(self) -> NthInput:
        return NthInput(self.number, self.repeats, self.per)


@strawberry.input(description='Like "16:00" to "18:30"; past midnight where `to` lies before `from`.')
class EarningHoursInput:
    from_: str = strawberry.field(name="from")
    to: str

    def taken(self) -> HoursInput:
        return HoursInput(self.from_, self.to)


@strawberry.input
class EarningCapInput:
    per: CapPeriod
    points: BigInt

    def taken(self) -> CapInput:
        return CapInput(self.per, self.points)


@strawberry.input(description="Of the segments that a partner is in, the highest factor counts.")
class EarningSegmentMultiplierInput:
    segment: str
    factor: Decimal

    def taken(self) -> BoostInput:
        return BoostInput(self.segment, self.factor)
