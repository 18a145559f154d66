"""What time does to a wallet: pending points mature, points that nobody used expire, and earning keeps some alive."""

from datetime import datetime, timedelta
from itertools import count

from loyalty.ledger.books import POINT, Books, EntryKind, Lot, Transaction
from loyalty.ledger.expiry import NEVER, Expiry
from loyalty.ledger.maturing import bring_up_to_date, count_due
from loyalty.ledger.policies import Returns
from loyalty.ledger.rules import grant, plan_recall, recall, withdraw
from tests.rules.pieces import AT, SHOP

DAY = timedelta(days=1)


class Ledger:
    """One partner's books on a clock of their own; every transaction posted is in balance."""

    def __init__(self, returns: Returns = Returns.DEBT) -> None:
        self.books, self.returns, self.now = Books(), returns, AT
        self.ids = count(1)
        self.posted: list[Transaction] = []

    def post(self) -> Transaction:
        number = next(self.ids)
        posted = Transaction(number, SHOP.id, f"key-{number}", None, self.now, self.now)
        self.posted.append(posted)
        return posted

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

    def recall(self, lot: Lot, amount: int) -> tuple[int, int]:
        """How much is taken, and how much let go."""
        planned = plan_recall(self.books, lot, amount=amount, returns=self.returns)
        recall(self.books, self.post(), planned, because=0)
        return planned.taken, planned.waived

    def withdraw(self, amount: int) -> None:
        withdraw(self.books, self.post(), unit=POINT, amount=amount, because=0)

    def wait(self, days: float) -> list[Transaction]:
        """Let time pass, and bring the wallet up to date."""
        self.now += days * DAY
        most = count_due(self.books, now=self.now)
        made = bring_up_to_date(self.books, self.ids.__next__, partner_id=SHOP.id, unit=POINT, now=self.now)
        assert len(made) <= most
        self.posted += made
        for one in self.posted:
            assert sum(entry.amount for entry in one.entries) == 0
        return made

    @property
    def balance(self) -> tuple[int, int, int]:
        """Available, pending, debt; they are what the lots say."""
        wallet, lots = self.books.wallet(SHOP.id, POINT), self.books.lots.values()
        assert wallet.available == sum(lot.remaining for lot in lots if lot.matured)
        assert wallet.pending == sum(lot.remaining for lot in lots if not lot.matured)
        assert min(wallet.available, wallet.debt) == 0
        for lot in lots:
            assert 0 <= lot.recalled <= lot.granted - lot.expired
            assert lot.granted == lot.remaining + lot.spent + lot.expired + lot.reversed + lot.repaid
        return wallet.available, wallet.pending, wallet.debt


def kinds(made: list[Transaction]) -> list[list[str]]:
    return [[entry.kind.value for entry in one.entries] for one in made]


def test_locked_points_are_pending_until_they_mature() -> None:
    ledger = Ledger()
    lot = ledger.grant(10, lock=2)
    assert ledger.balance == (0, 10, 0)
    assert ledger.wait(1) == []
    (matured,) = ledger.wait(1)
    assert ledger.balance == (10, 0, 0)
    assert (matured.key, matured.occurred_at, matured.posted_at) == (
        f"mature/{lot.id}",
        AT + 2 * DAY,
        ledger.now,
    )
    assert kinds([matured]) == [["MATURE", "MATURE"]]
    assert ledger.wait(0) == []


def test_what_matures_together_is_one_transaction() -> None:
    ledger = Ledger()
    lots = [ledger.grant(10, lock=2), ledger.grant(5, lock=2), ledger.grant(1, lock=3)]
    made = ledger.wait(5)
    assert [one.key for one in made] == [f"mature/{lots[0].id}", f"mature/{lots[2].id}"]
    assert [one.because.steps[0]["lots"] for one in made] == [2, 1]
    assert ledger.balance == (16, 0, 0)


def test_pending_points_repay_nothing_before_they_mature() -> None:
    ledger = Ledger()
    lot = ledger.grant(100)
    ledger.withdraw(100)
    ledger.recall(lot, 60)
    pending = ledger.grant(80, lock=1)
    assert ledger.balance == (0, 80, 60)
    ledger.wait(1)
    assert ledger.balance == (20, 0, 0)
    assert pending.repaid == 60


def test_points_expire_with_their_day_as_of_when_they_were_due() -> None:
    ledger = Ledger()
    lot = ledger.grant(10, expiry=Expiry.after(days=1))
    ledger.withdraw(4)
    assert ledger.wait(1) == []
    (expired,) = ledger.wait(30)
    assert (expired.key, expired.occurred_at, expired.posted_at) == (
        f"expire/{lot.id}",
        AT.replace(hour=0) + 2 * DAY,
        ledger.now,
    )
    assert (lot.expired, lot.spent, ledger.balance) == (6, 4, (0, 0, 0))
    assert [one["amount"] for one in expired.facts] == [-6]
    assert ledger.wait(1) == []


def test_what_fell_due_long_ago_is_booked_in_its_order() -> None:
    ledger = Ledger()
    short = ledger.grant(5, lock=3, expiry=Expiry.after(days=10))
    ledger.grant(7, expiry=Expiry.after(days=5))
    ledger.grant(9, lock=8)
    made = ledger.wait(400)
    assert [one.key.split("/")[0] for one in made] == ["mature", "expire", "mature", "expire"]
    assert [one.occurred_at for one in made] == sorted(one.occurred_at for one in made)
    assert (short.matured, short.expired) == (True, 5)
    assert ledger.balance == (9, 0, 0)


def test_the_earliest_expiry_is_spent_first() -> None:
    ledger = Ledger()
    never, late = ledger.grant(5), ledger.grant(5, expiry=Expiry.after(days=30))
    sliding = ledger.grant(5, expiry=Expiry.sliding(days=20))
    soon, pending = ledger.grant(5, expiry=Expiry.after(days=3)), ledger.grant(5, lock=1)
    order = []
    for _ in range(4):
        ledger.withdraw(5)
        order.append(next(one for one in (never, late, sliding, soon) if one.spent and one not in order))
    assert order == [soon, sliding, late, never]
    assert (pending.spent, ledger.balance) == (0, (0, 5, 0))


def test_earning_keeps_sliding_points_alive() -> None:
    ledger = Ledger()
    sliding = ledger.grant(5, expiry=Expiry.sliding(days=10))
    ledger.wait(9)
    ledger.grant(1)
    assert ledger.posted[-1].because.steps == [
        {"step": "renewed", "on": 0, "until": (ledger.now + 10 * DAY).date().isoformat()}
    ]
    assert ledger.wait(10) == []
    (expired,) = ledger.wait(1)
    assert expired.occurred_at == ledger.now.replace(hour=0)
    assert (sliding.expired, sliding.sliding, sliding.expires_at) == (5, False, expired.occurred_at)
    assert ledger.balance == (1, 0, 0)
    assert ledger.books.wallet(SHOP.id, POINT).idle_until is None


def test_all_sliding_points_of_a_wallet_expire_together() -> None:
    ledger = Ledger()
    ledger.grant(5, expiry=Expiry.sliding(days=10))
    ledger.wait(2)
    ledger.grant(6, expiry=Expiry.sliding(days=10))
    (expired,) = ledger.wait(100)
    assert expired.because.steps[0]["points"] == 11
    assert expired.occurred_at == AT.replace(hour=0) + 13 * DAY


def test_a_shorter_policy_never_brings_the_end_nearer() -> None:
    ledger = Ledger()
    ledger.grant(5, expiry=Expiry.sliding(months=12))
    until = ledger.books.wallet(SHOP.id, POINT).idle_until
    ledger.grant(5, expiry=Expiry.sliding(days=10))
    assert ledger.books.wallet(SHOP.id, POINT).idle_until == until
    assert ledger.books.wallet(SHOP.id, POINT).idle == "10d"


def test_pending_sliding_points_live_as_long_from_when_they_mature() -> None:
    ledger = Ledger()
    ledger.grant(5, lock=30, expiry=Expiry.sliding(days=10))
    made = ledger.wait(100)
    assert [one.key.split("/")[0] for one in made] == ["mature", "expire"]
    assert made[1].occurred_at == AT.replace(hour=0) + 41 * DAY


def test_a_recall_takes_pending_points_where_they_are() -> None:
    ledger = Ledger()
    other, pending = ledger.grant(50), ledger.grant(10, lock=5)
    assert ledger.recall(pending, 4) == (4, 0)
    assert (other.remaining, ledger.balance) == (50, (50, 6, 0))
    assert ledger.recall(pending, 100) == (6, 0)
    assert ledger.wait(10) == []
    assert ledger.balance == (50, 0, 0)


def test_a_recall_leaves_other_pending_points_alone() -> None:
    ledger = Ledger()
    spent = ledger.grant(10)
    ledger.withdraw(10)
    ledger.grant(30, lock=5)
    assert ledger.recall(spent, 10) == (10, 0)
    assert ledger.balance == (0, 30, 10)
    ledger.wait(5)
    assert ledger.balance == (20, 0, 0)


def test_within_the_balance_what_is_not_there_is_let_go_once() -> None:
    ledger = Ledger(Returns.WITHIN_BALANCE)
    spent, other = ledger.grant(10), ledger.grant(3)
    ledger.withdraw(10)
    assert ledger.recall(spent, 10) == (3, 7)
    assert (other.reversed, spent.recalled, spent.waived, ledger.balance) == (3, 3, 7, (0, 0, 0))
    ledger.grant(50)
    assert ledger.recall(spent, 10) == (0, 0)


def test_only_pending_takes_nothing_that_has_matured() -> None:
    ledger = Ledger(Returns.ONLY_PENDING)
    mature, pending = ledger.grant(10), ledger.grant(5, lock=3)
    assert ledger.recall(mature, 4) == (0, 4)
    assert ledger.recall(pending, 2) == (2, 0)
    ledger.wait(3)
    assert ledger.recall(pending, 5) == (0, 3)
    assert ledger.balance == (13, 0, 0)


def test_what_has_expired_is_not_taken_back() -> None:
    ledger = Ledger()
    lot = ledger.grant(10, expiry=Expiry.after(days=1))
    ledger.withdraw(3)
    ledger.wait(5)
    assert ledger.recall(lot, 10) == (3, 0)
    assert ledger.balance == (0, 0, 3)


def test_a_wallet_that_was_looked_at_in_time_stands_where_a_late_one_does() -> None:
    def play(steps: list[datetime]) -> tuple[tuple[int, int, int], list[str]]:
        ledger = Ledger()
        for number in range(6):
            ledger.grant(10 + number, lock=number, expiry=Expiry.after(days=3 * number + 1))
        for step in steps:
            ledger.now = step
            ledger.wait(0)
        return ledger.balance, [one.key for one in ledger.posted]

    assert play([AT + n * DAY for n in range(1, 16)]) == play([AT + 15 * DAY])
