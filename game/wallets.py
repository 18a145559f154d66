"""What is decided reaches the partner's wallet: lots are given and taken back as the program's policies say. Pure."""

from datetime import datetime

from game.state import State
from loyalty.ledger.books import POINT, Basis, EntryKind, Lot, Transaction
from loyalty.ledger.expiry import Expiry, explain_lot, matures_at
from loyalty.ledger.maturing import bring_up_to_date
from loyalty.ledger.posting import counted, tell
from loyalty.ledger.rules import grant, plan_recall, recall


def give(
    state: State,
    transaction: Transaction,
    *,
    amount: int,
    kind: EntryKind,
    on: int,
    unit: str = POINT,
    rule_id: int | None = None,
    basis: Basis | None = None,
    lock_days: int = 0,
    expiry: Expiry | None = None,
) -> int:
    """Grant a lot by the partner's calendar; the step that its entries hang on.

    It is pending for `lock_days`, counted from when it was earned, and expires as `expiry` says or, where that is left
    out, as the program does.
    """
    zone = state.partners[transaction.partner_id].view.time_zone
    expiry = state.plan.policies.expiry if expiry is None else expiry
    posted_at = transaction.posted_at
    idle_until = state.books.wallet(transaction.partner_id, unit).idle_until
    if idle_until is not None and idle_until <= posted_at:
        # What was idle for too long has expired, and is not renewed by what is earned now.
        catch_up(state, transaction.partner_id, unit=unit, now=posted_at)
    matures = matures_at(
        occurred_at=transaction.occurred_at, posted_at=posted_at, lock_days=lock_days, time_zone=zone
    )
    step = explain_lot(
        transaction.because, on=on, matures_at=matures, posted_at=posted_at, expiry=expiry, time_zone=zone
    )
    grant(
        state.books,
        transaction,
        lot_id=state.ids.take(),
        unit=unit,
        amount=amount,
        kind=kind,
        because=step,
        rule_id=rule_id,
        basis=basis,
        matures_at=matures,
        expiry=expiry,
        time_zone=zone,
    )
    return step


def recall_lot(
    state: State,
    transaction: Transaction,
    *,
    lot: Lot,
    amount: int,
    share: str,
    on: int,
    is_rounded: bool = False,
) -> int:
    """Take points of a lot back and tell of it; how many were taken. What the program lets go is told too.

    `share` of what it granted came back in all, as it is shown; `is_rounded` where that was no whole number.
    """
    if min(amount, lot.recallable) <= 0:
        return 0
    catch_up(state, lot.partner_id, unit=lot.unit, now=transaction.posted_at)
    returns = state.plan.policies.returns
    planned = plan_recall(state.books, lot, amount=amount, returns=returns)
    step, taken, because = on, planned.taken, transaction.because
    if taken:
        rule = state.plan.earning.by_id.get(lot.rule_id or 0)
        numbers = {"granted": lot.granted, "recalled": lot.recalled, "share": share}
        named = {} if rule is None else {"rule": rule.key}
        split = {"owed": planned.owed} if planned.owed else {}
        floored = {"rounded": True} if is_rounded else {}
        told = {**named, **numbers, **counted(taken, lot.unit), **split, **floored}
        step = because.add("reversal", on=on, **told)
    if planned.waived:
        because.add("waived", on=step, returns=returns.value, **counted(planned.waived, lot.unit))
    recall(state.books, transaction, planned, because=step)
    if taken:
        tell(transaction, unit=lot.unit, amount=-taken, kind=EntryKind.REVERSE, on=step)
    return taken


def catch_up(state: State, partner_id: int, *, unit: str, now: datetime) -> None:
    """Mature and expire what of the wallet is due, as far as its lots are loaded; not beside a past that is loaded."""
    if state.waits_for_past:
        return
    state.transactions += bring_up_to_date(
        state.books, state.ids.take, partner_id=partner_id, unit=unit, now=now
    )
