"""Points are held, captured and released: of which lots, what is owed first, and what is past its date."""

from datetime import timedelta
from itertools import count

import pytest

from loyalty.ledger.books import POINT, Books, EntryKind, Lot, Transaction
from loyalty.ledger.expiry import NEVER, Expiry
from loyalty.ledger.holding import capture, hold, release, split
from loyalty.ledger.maturing import bring_up_to_date
from loyalty.ledger.policies import Returns
from loyalty.ledger.posting import InsufficientPoints, Parts
from loyalty.ledger.rules import grant, plan_recall, recall
from tests.rules.pieces import AT, SHOP

DAY = timedelta(days=1)


class Ledger:
    """One partner's books; every transaction posted is in balance."""

    def __init__(self) -> None:
        self.books, self.now, self.ids = Books(), AT, count(1)

    def post(self) -> Transaction:
        number = next(self.ids)
        return Transaction(number, SHOP.id, f"key-{number}", None, self.now, self.now)

    def grant(self, amount: int, *, lock: int = 0, expiry: Expiry = NEVER) -> Lot:
        return grant(
            self.books,
            self.post(),
            lot_id=next(self.ids),
            unit=POINT,
            amount=amount,
            kind=EntryKind.EARN,
            because=0,
            matures_at=self.now + lock * DAY,
            expiry=expiry,
        )

    def hold(self, amount: int) -> Parts:
        posted = self.post()
        parts = hold(self.books, posted, unit=POINT, amount=amount, because=0)
        self.check(posted)
        return parts

    def end(self, parts: Parts, captured: int) -> Transaction:
        posted = self.post()
        posted.because.add("hold")
        taken, left = split(parts, captured)
        wallet = self.books.wallet(SHOP.id, POINT)
        if taken:
            capture(posted, wallet, taken, because=0)
        if left:
            release(posted, wallet, left, because=0, now=self.now)
        self.check(posted)
        return posted

    def recall(self, lot: Lot, amount: int) -> None:
        posted = self.post()
        planned = plan_recall(self.books, lot, amount=amount, returns=Returns.DEBT)
        recall(self.books, posted, planned, because=0)
        self.check(posted)

    def wait(self, days: int) -> None:
        self.now += days * DAY
        bring_up_to_date(self.books, self.ids.__next__, partner_id=SHOP.id, unit=POINT, now=self.now)

    def check(self, posted: Transaction) -> None:
        assert sum(entry.amount for entry in posted.entries) == 0
        wallet, lots = self.books.wallet(SHOP.id, POINT), self.books.lots.values()
        assert wallet.available == sum(lot.remaining for lot in lots if lot.matured)
        assert wallet.held == sum(lot.held for lot in lots)
        for lot in lots:
            assert 0 <= lot.recalled <= lot.granted - lot.expired
            assert min(lot.remaining, lot.held) >= 0

    @property
    def balance(self) -> tuple[int, int, int]:
        """Available, held, debt."""
        wallet = self.books.wallet(SHOP.id, POINT)
        return wallet.available, wallet.held, wallet.debt


def kinds(posted: Transaction) -> list[tuple[str, str, int]]:
    return [
        (entry.kind.value, entry.bucket.value, entry.amount)
        for entry in posted.entries
        if entry.bucket is not None
    ]


def test_what_expires_first_is_held_first_and_captured_first() -> None:
    ledger = Ledger()
    never, soon = ledger.grant(10), ledger.grant(4, expiry=Expiry.after(days=5))
    parts = ledger.hold(8)
    assert parts == [(soon, 4), (never, 4)]
    posted = ledger.end(parts, 5)
    assert (soon.spent, never.spent, never.remaining) == (4, 1, 9)
    assert ledger.balance == (9, 0, 0)
    assert kinds(posted) == [
        ("CAPTURE", "HELD", -5), ("RELEASE", "HELD", -3), ("RELEASE", "AVAILABLE", 3)
    ]  # fmt: skip
    assert [fact["amount"] for fact in posted.facts] == [-5]


def test_no_more_is_held_than_is_available() -> None:
    ledger = Ledger()
    ledger.grant(10)
    ledger.grant(10, lock=1)
    ledger.hold(6)
    with pytest.raises(InsufficientPoints):
        ledger.hold(5)
    assert ledger.balance == (4, 6, 0)


def test_what_is_held_may_be_captured_after_its_date() -> None:
    ledger = Ledger()
    lot = ledger.grant(10, expiry=Expiry.after(days=1))
    parts = ledger.hold(7)
    ledger.wait(9)
    assert (lot.expired, lot.held) == (3, 7)
    ledger.end(parts, 7)
    assert (lot.spent, ledger.balance) == (7, (0, 0, 0))


def test_what_is_released_after_its_date_expires_at_once() -> None:
    ledger = Ledger()
    lot, other = ledger.grant(10, expiry=Expiry.after(days=1)), ledger.grant(5)
    parts = ledger.hold(12)
    ledger.wait(9)
    posted = ledger.end(parts, 0)
    assert (lot.expired, other.remaining, ledger.balance) == (10, 5, (5, 0, 0))
    assert [entry[0] for entry in kinds(posted)] == ["RELEASE", "RELEASE", "EXPIRE"]


def test_sliding_points_that_were_held_when_their_time_was_over_expire_when_they_come_back() -> None:
    ledger = Ledger()
    sliding = ledger.grant(10, expiry=Expiry.sliding(days=5))
    parts = ledger.hold(10)
    ledger.wait(20)
    assert (sliding.sliding, sliding.expired, sliding.held) == (False, 0, 10)
    ledger.grant(3, expiry=Expiry.sliding(days=5))
    ledger.end(parts, 4)
    assert (sliding.spent, sliding.expired, ledger.balance) == (4, 6, (3, 0, 0))


def test_what_is_released_repays_what_is_owed_before_it_expires() -> None:
    ledger = Ledger()
    spent, held = ledger.grant(10), ledger.grant(10, expiry=Expiry.after(days=30))
    parts = ledger.hold(10)
    ledger.end(ledger.hold(10), 10)
    ledger.recall(spent, 6)
    assert ledger.balance == (0, 10, 6)
    ledger.wait(60)
    ledger.end(parts, 0)
    assert (held.repaid, held.expired, ledger.balance) == (6, 4, (0, 0, 0))


def test_a_return_takes_nothing_that_is_held() -> None:
    ledger = Ledger()
    lot, other = ledger.grant(10), ledger.grant(4)
    parts = ledger.hold(8)
    ledger.recall(lot, 10)
    assert (lot.held, lot.reversed, other.reversed, ledger.balance) == (8, 2, 4, (0, 8, 4))
    ledger.end(parts, 8)
    assert ledger.balance == (0, 0, 4)


def test_what_a_return_took_elsewhere_is_not_lost_again_by_expiry() -> None:
    """Two others' points stood in for those that were held: what comes back stands in for them."""
    ledger = Ledger()
    lot, other = ledger.grant(10, expiry=Expiry.after(days=1)), ledger.grant(20)
    parts = ledger.hold(10)
    ledger.recall(lot, 6)
    assert (other.reversed, lot.recalled) == (6, 6)
    ledger.wait(9)
    ledger.end(parts, 0)
    assert (lot.expired, lot.remaining, lot.expires_at) == (4, 6, None)
    assert ledger.balance == (20, 0, 0)
    ledger.wait(900)
    assert ledger.balance == (20, 0, 0)


def test_it_may_come_back_before_its_date_too() -> None:
    ledger = Ledger()
    lot, other = ledger.grant(10, expiry=Expiry.after(days=5)), ledger.grant(20)
    parts = ledger.hold(10)
    ledger.recall(lot, 10)
    ledger.end(parts, 0)
    assert (lot.remaining, other.remaining) == (10, 10)
    ledger.wait(9)
    assert (lot.expired, ledger.balance) == (0, (20, 0, 0))
