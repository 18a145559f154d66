"""What is posted: buckets, lots and debts, in whole numbers, always in balance."""

import pytest

from loyalty.ledger.books import POINT, Books, EntryKind, Lot, Transaction
from loyalty.ledger.policies import Returns
from loyalty.ledger.posting import InsufficientPoints, plan_taking
from loyalty.ledger.rules import grant, plan_recall, recall, withdraw
from tests.rules.pieces import AT, SHOP


class Ledger:
    """One partner's books; every transaction posted is checked."""

    def __init__(self, returns: Returns = Returns.DEBT) -> None:
        self.returns = returns
        self.books = Books()
        self.number = 0

    def post(self) -> Transaction:
        self.number += 1
        return Transaction(self.number, SHOP.id, f"key-{self.number}", None, AT, AT)

    def grant(self, amount: int) -> Lot:
        posted = self.post()
        lot = grant(
            self.books,
            posted,
            lot_id=100 + self.number,
            unit=POINT,
            amount=amount,
            kind=EntryKind.EARN,
            because=0,
        )
        self.check(posted)
        return lot

    def recall(self, lot: Lot, amount: int) -> int:
        posted = self.post()
        planned = plan_recall(self.books, lot, amount=amount, returns=self.returns)
        recall(self.books, posted, planned, because=0)
        self.check(posted)
        return planned.taken

    def withdraw(self, amount: int) -> None:
        posted = self.post()
        withdraw(self.books, posted, unit=POINT, amount=amount, because=0)
        self.check(posted)

    def check(self, posted: Transaction) -> None:
        assert sum(entry.amount for entry in posted.entries) == 0
        wallet = self.books.wallet(SHOP.id, POINT)
        assert min(wallet.available, wallet.debt) == 0
        assert wallet.available == sum(lot.remaining for lot in self.books.lots.values())
        for lot in self.books.lots.values():
            assert lot.granted == lot.remaining + lot.spent + lot.reversed + lot.repaid
            assert 0 <= lot.recalled <= lot.granted
        versions = [entry.version for entry in posted.entries if entry.version is not None]
        assert versions == list(range(wallet.version - len(versions) + 1, wallet.version + 1))

    @property
    def balance(self) -> tuple[int, int]:
        wallet = self.books.wallet(SHOP.id, POINT)
        return wallet.available, wallet.debt


def test_a_recall_takes_from_its_lot_then_from_others_then_as_debt() -> None:
    ledger = Ledger()
    first, second = ledger.grant(100), ledger.grant(50)
    ledger.withdraw(80)
    assert ledger.recall(first, 100) == 100
    assert (first.remaining, second.remaining, second.reversed) == (0, 0, 50)
    assert (first.recalled, second.recalled) == (100, 0)
    assert ledger.balance == (0, 30)


def test_a_recall_leaves_other_lots_alone_where_its_own_is_enough() -> None:
    ledger = Ledger()
    first, second = ledger.grant(100), ledger.grant(50)
    ledger.recall(second, 20)
    assert (first.remaining, second.remaining) == (100, 30)


def test_a_lot_answers_for_what_it_granted_and_no_more() -> None:
    ledger = Ledger()
    lot = ledger.grant(10)
    assert [ledger.recall(lot, 7), ledger.recall(lot, 7), ledger.recall(lot, 7)] == [7, 3, 0]
    assert ledger.balance == (0, 0)


def test_a_debt_is_repaid_from_the_next_credits() -> None:
    ledger = Ledger()
    lot = ledger.grant(100)
    ledger.withdraw(100)
    ledger.recall(lot, 60)
    balances = []
    for amount in (25, 35, 10):
        ledger.grant(amount)
        balances.append(ledger.balance)
    assert balances == [(0, 35), (0, 0), (10, 0)]


def test_no_more_is_taken_out_than_is_available() -> None:
    ledger = Ledger()
    ledger.grant(10)
    with pytest.raises(InsufficientPoints) as caught:
        ledger.withdraw(11)
    assert (caught.value.code, tuple(caught.value.field)) == ("INSUFFICIENT_POINTS", ("amount",))
    assert ledger.balance == (10, 0)


def test_lots_come_back_in_the_order_in_which_they_were_granted() -> None:
    """However they were loaded."""
    ledger = Ledger()
    lots = [ledger.grant(amount) for amount in (5, 3, 9)]
    for lot in lots:
        lot.activity_id, lot.rule_id, lot.transaction_id = 1, 1, 1
    books = Books(lots=reversed(lots))
    assert books.granted_for(activity_id=1) == books.granted_by(transaction_id=1) == lots


def test_taking_goes_from_lot_to_lot() -> None:
    ledger = Ledger()
    lots = [ledger.grant(amount) for amount in (5, 3, 9)]
    assert plan_taking(lots, 10) == [(lots[0], 5), (lots[1], 3), (lots[2], 2)]
    assert plan_taking(lots, 100) == [(lots[0], 5), (lots[1], 3), (lots[2], 9)]
