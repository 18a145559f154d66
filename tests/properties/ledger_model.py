"""What must become of points, in plain Python: slow, short, and sharing no code with the ledger.

A `Purse` is one partner's points in one unit. Whoever touches it lets time do its work first (`settle`). Days are those
of the partner's zone when the points were granted.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = timedelta(days=1)
UTC_ZONE: Final = ZoneInfo("UTC")


def day_end(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The end of the day so many days after that of `moment`."""
    day = moment.astimezone(zone).date() + (days + 1) * DAY
    return datetime.combine(day, time.min, zone).astimezone(UTC)


class TooMuch(Exception):
    """There is not so much to take."""


@dataclass
class Lot:
    """What was granted together, and where it is now."""

    granted: int
    since: datetime
    ready_at: datetime
    gone_at: datetime | None = None
    sliding: bool = False
    ready: bool = False
    left: int = 0
    held: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0
    repaid: int = 0
    recalled: int = 0
    waived: int = 0

    def seen(self) -> tuple[int | bool, ...]:
        """As the table has it."""
        numbers = (self.granted, self.left, self.held, self.spent, self.expired, self.reversed, self.repaid)
        return (*numbers, self.recalled, self.waived, self.ready)


@dataclass
class Purse:
    """A wallet. What returns do with points that are gone is the program's `returns`."""

    returns: str
    zone: ZoneInfo = UTC_ZONE
    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    idle_days: int = 0
    idle_until: datetime | None = None

    @property
    def available(self) -> int:
        return sum(one.left for one in self.lots if one.ready)

    @property
    def seen(self) -> tuple[int, int, int, int, datetime | None]:
        """Available, pending, held, debt, and until when sliding points live."""
        pending = sum(one.left for one in self.lots if not one.ready)
        return self.available, pending, sum(one.held for one in self.lots), self.debt, self.idle_until

    # ------------------------------------------------------------------------------------------------ what time does

    def settle(self, now: datetime) -> None:
        """One thing after the other, in the order in which it was due."""
        while due := self._next(now):
            at, what, place = due
            lot = self.lots[place]
            if what == 0:
                lot.ready = True
                self._repay([lot])
            elif what == 1:
                self._expire(lot)
            else:
                self.idle_until = None
                for one in self.lots:
                    if one.sliding and one.left + one.held:
                        one.sliding, one.gone_at = False, at
                        self._expire(one)

    def _next(self, now: datetime) -> tuple[datetime, int, int] | None:
        due = []
        for place, lot in enumerate(self.lots):
            if lot.left and not lot.ready:
                due.append((lot.ready_at, 0, place))
            elif lot.left and lot.gone_at is not None:
                due.append((lot.gone_at, 1, place))
        if self.idle_until is not None:
            due.append((self.idle_until, 2, 0))
        return min((one for one in due if one[0] <= now), default=None)

    def _expire(self, lot: Lot) -> None:
        part = min(lot.left, lot.granted - lot.expired - lot.recalled)
        lot.left -= part
        lot.expired += part
        if lot.left:
            lot.gone_at = None

    def _repay(self, lots: list[Lot]) -> None:
        for lot in lots:
            part = min(lot.left, self.debt)
            lot.left -= part
            lot.repaid += part
            self.debt -= part

    def today(self, now: datetime) -> date:
        """The partner's day."""
        return now.astimezone(self.zone).date()

    # ------------------------------------------------------------------------------------------------ what is done

    def grant(
        self,
        amount: int,
        now: datetime,
        *,
        lock: int = 0,
        days: int | None = None,
        slide: int | None = None,
        settle: bool = True,
    ) -> Lot:
        """So many points, locked for `lock` days, good for `days` after that, or while something is earned."""
        if settle:
            self.settle(now)
        ready_at = now + lock * DAY
        lot = Lot(amount, now, ready_at, left=amount, ready=not lock, sliding=slide is not None)
        if days is not None:
            lot.gone_at = day_end(ready_at, days, self.zone)
        if slide is not None:
            self.idle_days = slide
            self._live_until(day_end(ready_at, slide, self.zone))
        self.lots.append(lot)
        if lot.ready:
            self._repay([lot])
        return lot

    def earn(
        self, amount: int, now: datetime, *, lock: int = 0, days: int | None = None, slide: int | None = None
    ) -> Lot:
        """The same, by an activity: it keeps sliding points alive."""
        lot = self.grant(amount, now, lock=lock, days=days, slide=slide)
        if not lot.sliding and self.idle_until is not None:
            self._live_until(day_end(now, self.idle_days, self.zone))
        return lot

    def _live_until(self, moment: datetime) -> None:
        self.idle_until = max(self.idle_until or moment, moment)

    def _in_order(self) -> list[Lot]:
        def order(lot: Lot) -> tuple[bool, datetime, datetime]:
            gone = self.idle_until if lot.sliding else lot.gone_at
            return gone is None, gone or lot.since, lot.since

        return sorted((one for one in self.lots if one.ready), key=order)

    def _take(self, amount: int, lots: list[Lot]) -> list[tuple[Lot, int]]:
        taken = []
        for lot in lots:
            part = min(lot.left, amount)
            if part:
                lot.left -= part
                amount -= part
                taken.append((lot, part))
        return taken

    def withdraw(self, amount: int, now: datetime) -> None:
        """Spend at once."""
        for lot, part in self.hold(amount, now):
            lot.held -= part
            lot.spent += part

    def hold(self, amount: int, now: datetime) -> list[tuple[Lot, int]]:
        """Set aside."""
        before = self.available_at(now)
        if before < amount:
            raise TooMuch
        self.settle(now)
        taken = self._take(amount, self._in_order())
        for lot, part in taken:
            lot.held += part
        return taken

    def available_at(self, now: datetime) -> int:
        """What is available then; nothing is booked."""
        saved = [
            (one.ready, one.left, one.repaid, one.expired, one.sliding, one.gone_at) for one in self.lots
        ]
        debt, idle_until = self.debt, self.idle_until
        self.settle(now)
        found = self.available
        for one, was in zip(self.lots, saved, strict=True):
            one.ready, one.left, one.repaid, one.expired, one.sliding, one.gone_at = was
        self.debt, self.idle_until = debt, idle_until
        return found

    def end(self, parts: list[tuple[Lot, int]], captured: int, now: datetime) -> None:
        """Spend so much of what was set aside; the rest comes back."""
        self.settle(now)
        back = []
        for lot, part in parts:
            used = min(part, captured)
            captured -= used
            lot.held -= part
            lot.spent += used
            lot.left += part - used
            back += [lot] if part > used else []
        self._repay(back)
        for lot in back:
            if lot.gone_at is not None and lot.gone_at <= now:
                self._expire(lot)

    def recall(self, lot: Lot, amount: int, now: datetime) -> None:
        """A return asks for points of a lot."""
        self.settle(now)
        amount = max(min(amount, lot.granted - lot.expired - lot.recalled - lot.waived), 0)
        if self.returns == "ONLY_PENDING" and lot.ready:
            lot.waived += amount
            return
        sources = [lot]
        if self.returns != "ONLY_PENDING":
            sources += [one for one in self._in_order() if one is not lot]
        taken = self._take(amount, sources)
        for source, part in taken:
            source.reversed += part
        missing = amount - sum(part for _, part in taken)
        if self.returns == "DEBT":
            self.debt += missing
            missing = 0
        lot.recalled += amount - missing
        lot.waived += missing
