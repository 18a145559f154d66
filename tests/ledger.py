"""Lots for tests of the books, granted as earning grants them and taken back as returns take them; and holds."""

from datetime import timedelta
from typing import Any

from base.database import transaction
from loyalty.ledger.books import POINT, EntryKind
from loyalty.ledger.desk import lock_holder, once, open_desk
from loyalty.ledger.expiry import NEVER, Expiry, explain_lot
from loyalty.ledger.holds import Posted, end_hold, place_hold
from loyalty.ledger.posting import tell
from loyalty.ledger.rules import grant, plan_recall, recall
from loyalty.ledger.service import load_lots
from tests.world import World


async def give(
    world: World,
    code: str,
    amount: int,
    *,
    lock: timedelta = timedelta(0),
    expiry: Expiry = NEVER,
    unit: str = POINT,
    kind: EntryKind = EntryKind.EARN,
) -> int:
    """Grant a partner a lot; its id."""
    async with transaction() as connection:
        holder = await lock_holder(connection, program_id=world.program_id, partner=code)
        now = world.clock.now()
        desk = await open_desk(
            connection, program_id=world.program_id, partner_id=holder.id, unit=unit, now=now
        )
        lot_id = desk.ids.take()
        posted = desk.begin(f"test/{lot_id}")
        step = posted.because.add("reward", points=amount, unit=unit)
        matures = now + lock
        step = explain_lot(
            posted.because,
            on=step,
            matures_at=matures,
            posted_at=now,
            expiry=expiry,
            time_zone=holder.time_zone,
        )
        grant(
            desk.books,
            posted,
            lot_id=lot_id,
            unit=unit,
            amount=amount,
            kind=kind,
            because=step,
            matures_at=matures,
            expiry=expiry,
            time_zone=holder.time_zone,
        )
        tell(posted, unit=unit, amount=amount, kind=kind, on=step)
        await desk.save(connection)
    return lot_id


async def take_back(world: World, code: str, lot_id: int, amount: int, *, unit: str = POINT) -> None:
    """Take back so much of a lot that was given, by the program's policy for returns."""
    async with transaction() as connection:
        holder = await lock_holder(connection, program_id=world.program_id, partner=code)
        now = world.clock.now()
        desk = await open_desk(
            connection, program_id=world.program_id, partner_id=holder.id, unit=unit, now=now
        )
        await load_lots(
            connection,
            desk.books,
            program_id=world.program_id,
            partner_ids=[holder.id],
            keys=[f"test/{lot_id}"],
        )
        lot = desk.books.lots[lot_id]
        planned = plan_recall(desk.books, lot, amount=amount, returns=holder.policies.returns)
        posted = desk.begin(f"test/back/{desk.ids.take()}")
        step = posted.because.add("waived", points=planned.waived, returns=holder.policies.returns.value)
        recall(desk.books, posted, planned, because=step)
        if planned.taken:
            tell(posted, unit=unit, amount=-planned.taken, kind=EntryKind.REVERSE, on=step)
        await desk.save(connection)


async def hold_points(**asked: Any) -> Posted:
    """Place a hold, in a transaction of its own."""
    return await once(lambda connection: place_hold(connection, **asked))


async def capture_hold(*, amount: int | None = None, **asked: Any) -> Posted:
    """Spend what a hold reserved, or so much of it, in a transaction of its own."""
    return await once(lambda connection: end_hold(connection, captured=amount, **asked))


async def release_hold(**asked: Any) -> Posted:
    """Give back what a hold reserved, in a transaction of its own."""
    return await once(lambda connection: end_hold(connection, captured=0, **asked))
