"""Expiry: when points expire, as a policy."""

from __future__ import annotations

from datetime import date
from typing import Any

import strawberry

from api.schema.faults import stated
from api.schema.period import Period
from base.errors import Invalid
from loyalty.ledger.expiry import NEVER, ExpiryKind
from loyalty.ledger.expiry import Expiry as Policy
from metrics.windows import Period as Windows

strawberry.enum(ExpiryKind, description="How it is found when points expire.")


@strawberry.type(
    description="When points expire, with the end of a local day: so many `days` or `months` AFTER they mature; with "
    "the PERIOD_END that is so many `months` on; with the day `on`; SLIDING: after so many `days` or `months` in which "
    "nothing was earned."
)
class Expiry:
    kind: ExpiryKind
    days: int | None
    months: int | None
    period: Period | None
    on: date | None

    @classmethod
    def of(cls, policy: Policy) -> Expiry:
        return cls(
            kind=policy.kind,
            days=policy.days,
            months=policy.months,
            period=None if policy.period is None else Period(policy.period.value),
            on=policy.on,
        )


@strawberry.input(
    description="With the end of the MONTHLY, QUARTERLY or YEARLY period that is so many months on."
)
class PeriodEndInput:
    period: Period
    after_months: int = 0


@strawberry.input(one_of=True, description="When points expire. Days and months count from when they mature.")
class ExpiryInput:
    never: bool | None = strawberry.UNSET
    after_days: int | None = strawberry.UNSET
    after_months: int | None = strawberry.UNSET
    period_end: PeriodEndInput | None = strawberry.UNSET
    on: date | None = strawberry.UNSET
    idle_days: int | None = strawberry.UNSET
    idle_months: int | None = strawberry.UNSET

    def taken(self, *, field: tuple[str, ...] = ("expiry",)) -> Policy:
        """The policy. INVALID_EXPIRY."""
        try:
            return self._policy()
        except ValueError as error:
            message = (
                "a number of days or months is out of bounds, no period ends like that, or never is false"
            )
            raise Invalid(message, code="INVALID_EXPIRY", field=field) from error

    def _policy(self) -> Policy:
        end: Any = stated(self.period_end)
        if end is not None:
            return Policy.at_end_of(Windows(end.period.value), months=end.after_months)
        on = stated(self.on)
        if on is not None:
            return Policy.with_day(on)
        if stated(self.after_days) is not None or stated(self.after_months) is not None:
            return Policy.after(days=stated(self.after_days), months=stated(self.after_months))
        if stated(self.idle_days) is not None or stated(self.idle_months) is not None:
            return Policy.sliding(days=stated(self.idle_days), months=stated(self.idle_months))
        if not stated(self.never):
            raise ValueError("neither never nor ever")
        return NEVER
