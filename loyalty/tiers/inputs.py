"""What a tier ladder is set with, and what is wrong with it by itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from base.errors import Invalid
from loyalty.ledger.expiry import Expiry
from loyalty.tiers.periods import Qualification
from loyalty.tiers.rules import Downgrade
from metrics.windows import Period
from partners.checks import check_code, check_count, check_decimal, check_name, check_unique, item_path

MOST_TIERS: Final = 100
MULTIPLIER_DIGITS: Final = 6
"""Whole digits of a multiplier."""

QUALIFYING: Final = frozenset({Period.DAILY, Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY})
"""The periods over which a tier can be earned."""

MOST_CODES: Final = 100
"""That a tier opens."""
MOST_MONTHS: Final = 60
"""Of a rolling window."""
MOST_GRACE_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class TierInput:
    """A step of the ladder, reached at `threshold` of the metric in the period.

    It multiplies the points that rules grant, has them expire by `expiry` where that is set (whatever the rule says),
    and opens what the codes in `access` name.
    """

    key: str
    name: str
    threshold: Decimal
    multiplier: Decimal = Decimal(1)
    expiry: Expiry | None = None
    access: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TierLadderInput:
    """The ladder: what earns a tier, over which period of the partner's own calendar, and the steps from the lowest.

    With `rolling_months` so many months up to the present one (of a MONTHLY ladder); with `from_joining` the years from
    the partner's day of joining (of a YEARLY one). A period is reviewed `grace_days` after its end.
    """

    metric: str
    period: Period
    tiers: Sequence[TierInput]
    rolling_months: int | None = None
    from_joining: bool = False
    downgrade: Downgrade = Downgrade.NEVER
    grace_days: int = 0
    returns_take: bool = True

    @property
    def qualification(self) -> Qualification:
        """Its windows."""
        return Qualification(self.period, self.rolling_months, self.from_joining)


def check_ladder(ladder: TierLadderInput) -> None:
    """What is wrong with a ladder by itself."""
    if ladder.period not in QUALIFYING:
        raise Invalid(f"no tier is earned over {ladder.period}", code="NOT_SUPPORTED", field=["period"])
    _check_windows(ladder)
    check_count(ladder.tiers, ["tiers"], least=1, most=MOST_TIERS)
    for index, tier in enumerate(ladder.tiers):
        check_code(tier.key, item_path(["tiers"], index, "key"))
        check_name(tier.name, item_path(["tiers"], index, "name"))
        check_decimal(tier.threshold, item_path(["tiers"], index, "threshold"), least=Decimal(0))
        path = item_path(["tiers"], index, "multiplier")
        check_decimal(tier.multiplier, path, above=Decimal(0), digits=MULTIPLIER_DIGITS)
        path = item_path(["tiers"], index, "access")
        check_count(tier.access, path, most=MOST_CODES)
        for place, code in enumerate(tier.access):
            check_code(code, item_path(path, place))
        check_unique(tier.access, path)
    check_unique((tier.key for tier in ladder.tiers), ["tiers"], name="key")
    if ladder.tiers[0].threshold != 0:
        path = item_path(["tiers"], 0, "threshold")
        raise Invalid("everyone starts on the first tier: it begins at 0", code="FIRST_NOT_ZERO", field=path)
    for index, (lower, upper) in enumerate(pairwise(ladder.tiers), start=1):
        if upper.threshold <= lower.threshold:
            path = item_path(["tiers"], index, "threshold")
            raise Invalid("must be above the tier before it", code="NOT_RISING", field=path)


def _check_windows(ladder: TierLadderInput) -> None:
    """What is wrong with how the windows run and are reviewed."""
    months = ladder.rolling_months
    if months is not None:
        if ladder.period is not Period.MONTHLY:
            raise Invalid("only months roll", code="NOT_SUPPORTED", field=["rollingMonths"])
        if not 1 <= months <= MOST_MONTHS:
            code = "NOT_POSITIVE" if months < 1 else "TOO_LARGE"
            raise Invalid(f"must be 1 to {MOST_MONTHS} months", code=code, field=["rollingMonths"])
    if ladder.from_joining and ladder.period is not Period.YEARLY:
        raise Invalid("only years count from the day of joining", code="NOT_SUPPORTED", field=["fromJoining"])
    if not 0 <= ladder.grace_days <= MOST_GRACE_DAYS:
        code = "NEGATIVE" if ladder.grace_days < 0 else "TOO_LARGE"
        raise Invalid(f"must be 0 to {MOST_GRACE_DAYS} days", code=code, field=["graceDays"])
