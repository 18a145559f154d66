"""Which meters an activity moves, and by how much. Pure.

A metric's value over some lines is the difference between what counts of them after and before something happened:
a sale goes from nothing to all, a return from what was left to what is left now. So both are counted by one rule, in
the window of the sale, and a metric is always net of the returns that reverse what it counted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from activity.rules import ZERO, Line, Product, Share
from metrics.rules import POINTS, Amount, Countable, Measure, MeterKey, Metric, Movement, Placed, Series
from metrics.windows import WindowSpec, window_start


def whole(lines: Iterable[Line]) -> list[Share]:
    """Lines that go from nothing to all."""
    return [Share(line, ZERO, ZERO, line.quantity, line.amount) for line in lines]


class Counting:
    """The series of a program, arranged for counting.

    What a product matches is found out once, and a window once for all series that share it.
    """

    def __init__(self, series: Iterable[Series]) -> None:
        self.series: Final = {one.id: one for one in series}
        self.by_metric: Final[dict[Metric, list[tuple[Series, int]]]] = {}
        specs: dict[WindowSpec, int] = {}
        for one in self.series.values():
            place = specs.setdefault(one.spec, len(specs))
            self.by_metric.setdefault(one.metric, []).append((one, place))
        self._specs: Final = tuple(specs)
        self._last: tuple[datetime | None, date | None, list[date | None]] = (None, None, [])
        self._plain: dict[str, list[Metric]] = {}
        self._points: dict[str, list[Metric]] = {}
        self._matches: dict[tuple[str, int], list[Metric]] = {}

    def _metrics(self, kind: str) -> list[Metric]:
        found = self._plain.get(kind)
        if found is None:
            found = [one for one in self.by_metric if one.measure not in POINTS and one.counts(kind)]
            self._plain[kind] = found
            self._points[kind] = [one for one in self.by_metric if one.measure in POINTS and one.counts(kind)]
        return found

    def _of_product(self, kind: str, product: Product) -> list[Metric]:
        key = (kind, product.id)
        found = self._matches.get(key)
        if found is None:
            found = [one for one in self._metrics(kind) if one.filter.admits_product(product)]
            self._matches[key] = found
        return found

    def movements(self, activity: Placed, amounts: Iterable[tuple[Metric, Amount]]) -> list[Movement]:
        """Each metric's amount, in each of its series' windows that the activity falls into."""
        found = []
        partner_id = activity.partner_id
        starts = self._starts(activity.occurred_at, activity.local_date)
        for metric, amount in amounts:
            for series, place in self.by_metric[metric]:
                start = starts[place]
                if start is not None:
                    found.append(Movement((series.id, start, partner_id), amount, series))
        return found

    def _starts(self, occurred_at: datetime, local_date: date) -> list[date | None]:
        """The window of each spec. The last answer is kept: an activity's metrics and points are counted in a row."""
        if occurred_at is not self._last[0] or local_date is not self._last[1]:
            starts = [
                window_start(spec, occurred_at=occurred_at, local_date=local_date) for spec in self._specs
            ]
            self._last = (occurred_at, local_date, starts)
        return self._last[2]

    def count(
        self, activity: Countable, shares: Sequence[Share], *, stood: bool, stands: bool
    ) -> list[Movement]:
        """What moves when `activity`'s lines go from before to after.

        `stood` and `stands` say whether any of the activity counted before and counts after: what an activity without
        lines goes by.
        """
        amounts: list[tuple[Metric, Amount]] = []
        if activity.lines:
            touched = [share for share in shares if is_touched(share)]
            for metric, counted in self._by_metric(activity.kind, touched).items():
                # A metric that none of the touched lines matches does not move, and the others are looked at only
                # for whether the activity still counts: a return of one line in a thousand costs one line.
                beside = () if len(touched) == len(shares) else self._beside(activity.kind, metric, shares)
                amount = MEASURES[metric.measure](counted, beside, activity.local_date)
                if amount.delta or amount.parts:
                    amounts.append((metric, amount))
        elif delta := Decimal(int(stands) - int(stood)):
            day = activity.local_date.isoformat()
            for metric in self._metrics(activity.kind):
                if metric.filter.is_empty:
                    if metric.measure is Measure.COUNT:
                        amounts.append((metric, Amount(delta, stands=stands)))
                    elif metric.measure is Measure.DISTINCT_DAYS:
                        amounts.append((metric, Amount(ZERO, ((day, delta),), stands=stands)))
        return self.movements(activity, amounts)

    def _by_metric(self, kind: str, shares: Iterable[Share]) -> dict[Metric, list[Share]]:
        """The shares that each metric counts."""
        found: dict[Metric, list[Share]] = {}
        for share in shares:
            for metric in self._of_product(kind, share.line.product):
                if metric.filter.admits_amount(share.line.amount):
                    found.setdefault(metric, []).append(share)
        return found

    def _beside(self, kind: str, metric: Metric, shares: Iterable[Share]) -> Iterator[Share]:
        """The shares that the metric counts and nothing happened to, lazily: the first answers most questions."""
        return (
            share
            for share in shares
            if not is_touched(share)
            and metric in self._of_product(kind, share.line.product)
            and metric.filter.admits_amount(share.line.amount)
        )

    def reach(self, activity: Countable, movements: Iterable[Movement] | None = None) -> set[MeterKey]:
        """Every meter that the activity may move, with the points that it may bring, now or when it comes back.

        `movements` where it was counted already.
        """
        if movements is None:
            movements = self.count(activity, whole(activity.lines), stood=False, stands=True)
        points = self.count_points(activity, earned=1, rewards=1)
        return {movement.key for movement in (*movements, *points)}

    def count_points(
        self, activity: Placed, *, earned: int, rewards: int, left: tuple[int, int] | None = None
    ) -> list[Movement]:
        """What moves when the activity brings (or takes back, below zero) so many points.

        `left` is what it stands for after points were taken back, (earned, rewards).
        """
        self._metrics(activity.kind)
        amounts = []
        for metric in self._points[activity.kind]:
            delta = points_of(metric, earned, rewards)
            if delta:
                stands = left is None or points_of(metric, *left) > 0
                amounts.append((metric, Amount(Decimal(delta), stands=stands)))
        return self.movements(activity, amounts)


def points_of(metric: Metric, earned: int, rewards: int) -> int:
    """What a metric over points counts of them."""
    return earned if metric.measure is Measure.POINTS_EARNED else earned + rewards


def is_touched(share: Share) -> bool:
    """Whether anything happened to the line."""
    return share.quantity_before != share.quantity_after or share.amount_before != share.amount_after


def _stands(shares: Sequence[Share], beside: Iterable[Share]) -> tuple[bool, bool]:
    """Whether anything counted before, and counts after. What nothing happened to counts the same in both."""
    stood = any(share.quantity_before > 0 for share in shares)
    stands = any(share.quantity_after > 0 for share in shares)
    if stood and stands:
        return True, True
    rest = any(share.quantity_after > 0 for share in beside)
    return stood or rest, stands or rest


def _count(shares: Sequence[Share], beside: Iterable[Share], _: date) -> Amount:
    stood, stands = _stands(shares, beside)
    return Amount(Decimal(int(stands) - int(stood)), stands=stands)


def _quantity(shares: Sequence[Share], beside: Iterable[Share], _: date) -> Amount:
    delta = sum([share.quantity_after - share.quantity_before for share in shares], ZERO)
    return Amount(delta, stands=_stands(shares, beside)[1])


def _amount(shares: Sequence[Share], beside: Iterable[Share], _: date) -> Amount:
    delta = sum([share.amount_after - share.amount_before for share in shares], ZERO)
    stands = any(share.amount_after > 0 for share in shares) or any(
        share.amount_after > 0 for share in beside
    )
    return Amount(delta, stands=stands)


def _distinct_products(shares: Sequence[Share], beside: Iterable[Share], _: date) -> Amount:
    parts: dict[str, Decimal] = {}
    for share in shares:
        sku = share.line.product.sku
        parts[sku] = parts.get(sku, ZERO) + share.quantity_after - share.quantity_before
    return Amount(
        ZERO, tuple((sku, delta) for sku, delta in parts.items() if delta), stands=_stands(shares, beside)[1]
    )


def _distinct_days(shares: Sequence[Share], beside: Iterable[Share], local_date: date) -> Amount:
    stood, stands = _stands(shares, beside)
    delta = Decimal(int(stands) - int(stood))
    return Amount(ZERO, ((local_date.isoformat(), delta),) if delta else (), stands=stands)


MEASURES: Final[Mapping[Measure, Callable[[Sequence[Share], Iterable[Share], date], Amount]]] = {
    Measure.COUNT: _count,
    Measure.QUANTITY: _quantity,
    Measure.AMOUNT: _amount,
    Measure.DISTINCT_PRODUCTS: _distinct_products,
    Measure.DISTINCT_DAYS: _distinct_days,
}
"""By measure: what happened to some lines, given them, the others that the metric counts, and the local date."""
