"""The audit of wallets and adjustments: silent over a long true story, and each thing that was made up is found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import asyncpg
import pytest

from base.database import transaction
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.adjustments import Adjustment
from loyalty.ledger.approval import approve_adjustment, reject_adjustment
from loyalty.ledger.books import EntryKind
from loyalty.ledger.configuring import change_policies
from loyalty.ledger.expiry import NEVER, Expiry
from loyalty.ledger.opening import OpeningBalance, open_balances
from loyalty.ledger.policies import Policies, Returns
from loyalty.ledger.turning import turn_lots_of
from ops.audit.checks import STANDING
from ops.audit.replaying import WALLETS
from partners.history import begin_history, end_history
from tests.invariants import check_audit, check_invariants
from tests.ledger import capture_hold, give, hold_points, release_hold, take_back
from tests.spoiling import look, owner, unguarded
from tests.world import NOW, Balance, World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

DAY: Final = timedelta(days=1)
ABOVE: Final = 100


async def take(world: World, partner: str, amount: int) -> int:
    """Hold so much; the hold."""
    key = f"{partner}/{world.clock.now()}/{amount}"
    now, asked = world.clock.now(), {"partner": partner, "amount": amount, "purpose": "a kettle"}
    return (
        await hold_points(**asked, program_id=world.program_id, idempotency_key=key, actor="tests", now=now)
    ).hold_id


async def give_back(world: World, hold_id: int) -> None:
    await release_hold(
        program_id=world.program_id,
        hold_id=hold_id,
        idempotency_key=str(hold_id),
        actor="tests",
        now=world.clock.now(),
    )


async def spend(world: World, hold_id: int, amount: int | None = None) -> None:
    await capture_hold(
        program_id=world.program_id,
        hold_id=hold_id,
        idempotency_key=str(hold_id),
        actor="tests",
        now=world.clock.now(),
        amount=amount,
    )


async def adjust(
    world: World, amount: int, *, key: str, partner: str = "shop", by: str = "siti"
) -> Adjustment:
    return await adjust_points(
        program_id=world.program_id,
        partner=partner,
        amount=amount,
        reason="counted again",
        idempotency_key=key,
        actor=by,
        now=world.clock.now(),
    )


async def turn(world: World) -> None:
    await turn_lots_of(world.program_id, world.clock.now())


async def proved(world: World, days: float = 0) -> None:
    """The wallets come out as they are stored, now and after so many days on which no job came."""
    await check_audit(world.program_id, [WALLETS])
    world.clock.set(world.clock.now() + days * DAY)


def to(**policies: Any) -> Callable[[Policies], Policies]:
    """A change of what the program has decided."""
    return lambda stored: replace(stored, **policies)


async def test_a_long_story_comes_out_as_it_is_stored() -> None:
    world = await make_world({"shop": "Pacific/Kiritimati", "kiosk": "Etc/GMT+12", "stall": "Asia/Jakarta"})
    program_id = world.program_id
    await world.earn("base", amount=1, lock_days=2, terms={"expiry": Expiry.sliding(days=10)})
    await world.earn("visit", kind="VISIT", activity=5, terms={"expiry": NEVER})
    sliding = Expiry.sliding(days=5)

    # What is earned keeps sliding points alive, on the calendar of the day.
    await world.accept(sale("a", "shop", 40), sale("b", "kiosk", 30))
    await proved(world, 3)
    await turn(world)
    await proved(world, 5)
    await world.accept(sale("c", "shop", 7, at=world.clock.now()))
    await world.partner("shop", time_zone="Etc/GMT+12")
    opened = OpeningBalance("old", "shop", 12, expires_on=(world.clock.now() + 2 * DAY).date())
    await open_balances(program_id=program_id, balances=[opened], actor="tests", now=world.clock.now())
    first = await take(world, "shop", 20)
    await proved(world, 1)
    await spend(world, first, 15)
    await adjust(world, 9, key="more")
    second = await take(world, "shop", 10)
    await proved(world, 30)

    # All has been idle for too long; one hold is captured after that, one released, and no job has come.
    third = await take(world, "shop", 3)
    await proved(world, 1)
    await give_back(world, second)
    await spend(world, third)
    await proved(world)
    await world.accept(return_of("d", "shop", "a", at=world.clock.now()))
    await turn(world)
    await proved(world, 1)

    # Held while its day comes; a return takes for it elsewhere, and what is released stands in for that.
    lot = await give(world, "stall", 10, expiry=sliding)
    held = await take(world, "stall", 10)
    await give(world, "stall", 10, expiry=Expiry.after(days=40))
    await take_back(world, "stall", lot, 6)
    await proved(world, 20)
    await turn(world)
    await proved(world, 1)
    await give_back(world, held)
    await proved(world)
    assert (await world.wallet("stall")).available == 10
    kept = await take(world, "stall", 8)
    await proved(world, 1)
    await give_back(world, kept)

    # By each policy for returns; and beside a past that is loaded nothing is ended.
    for returns in Returns:
        await change_policies(program_id=program_id, change=to(returns=returns))
        source = await give(world, "kiosk", 10, expiry=sliding, kind=EntryKind.REWARD)
        await spend(world, await take(world, "kiosk", (await world.wallet("kiosk")).available))
        await take_back(world, "kiosk", source, 9)
        await proved(world, 2)
    await give(world, "kiosk", 20, expiry=sliding)
    held = await take(world, "kiosk", 1)
    await proved(world, 20)
    await begin_history(program_id)
    await world.accept(sale("e", "kiosk", 2, at=world.clock.now()))
    await proved(world)
    await end_history(program_id)
    await proved(world, 1)
    await give_back(world, held)
    await proved(world, 60)
    await turn(world)
    await check_invariants(program_id)
    await check_audit(program_id)
    rows = await world.rows("SELECT DISTINCT kind FROM ledger_entry WHERE program_id = $1")
    assert {row["kind"] for row in rows} == set(EntryKind)


@pytest.fixture
async def quiet() -> World:
    """A wallet with lots of each sort, of which something was spent and held."""
    world = await make_world({"shop": "Asia/Jakarta"})
    await give(world, "shop", 10, expiry=Expiry.sliding(days=9))
    await give(world, "shop", 10, expiry=Expiry.after(days=20))
    await give(world, "shop", 10)
    await give(world, "shop", 10, lock=3 * DAY, expiry=Expiry.sliding(days=9))
    await adjust(world, -4, key="less")
    await take(world, "shop", 9)
    world.clock.set(NOW + 4 * DAY)
    await turn(world)
    await give(world, "shop", 1)
    assert await world.wallet("shop") == Balance(28, 0, 10, held=9)
    await check_audit(world.program_id)
    return world


LIES: Final = {
    "the wallet's moment": (
        "UPDATE wallet SET idle_until = idle_until + '1 day' WHERE {mine}",
        "slides until",
    ),
    "the wallet's term": ("UPDATE wallet SET idle = '8d' WHERE {mine}", "slides until"),
    "a lot that slid": (
        "UPDATE lot SET sliding = false, expires_at = '2026-12-20T17:00Z' WHERE {mine} AND sliding",
        "and ought to slide",
    ),
    "a lot that did not": (
        "UPDATE lot SET sliding = true, expires_at = NULL WHERE {mine} AND expires_at IS NOT NULL",
        "and ought to expire",
    ),
    "when a lot expires": ("UPDATE lot SET expires_at = expires_at + '1 day' WHERE {mine}", "expires at"),
    "a policy": (
        """UPDATE lot SET expiry = '{{"kind": "AFTER", "days": 4}}' WHERE {mine} AND expires_at IS NOT NULL""",
        "expires at",
    ),
    "a sliding policy": (
        """UPDATE lot SET expiry = '{{"kind": "SLIDING", "days": 7}}' WHERE {mine} AND sliding""",
        "found what slides",
    ),
    "a calendar": ("UPDATE lot SET time_zone = 'UTC' WHERE {mine} AND sliding", "found what slides"),
    "no calendar": (
        "UPDATE lot SET time_zone = NULL WHERE {mine} AND expires_at IS NOT NULL",
        "does not say whose days",
    ),
    "what was found": ("UPDATE lot SET idle_until = NULL WHERE {mine} AND NOT sliding", "found what slides"),
    "when it matured": (
        "UPDATE lot SET matures_at = matures_at - interval '1 hour' WHERE {mine} AND matures_at > granted_at",
        "where 0 were due",
    ),
    "when it was held": (
        "UPDATE ledger_transaction SET posted_at = '2026-12-24T00:00Z' WHERE {mine} AND key LIKE 'hold/%'",
        "after it had expired",
    ),
    "from which lot": (
        """
        WITH spent AS (SELECT lot_id, transaction_id, number FROM lot_movement WHERE {mine} AND kind = 'SPENT'),
             other AS (SELECT max(id) AS id FROM lot WHERE {mine} AND expires_at IS NOT NULL),
             changed AS (UPDATE lot SET spent = 4 - spent, remaining = remaining + CASE spent WHEN 0 THEN -4 ELSE 4 END
                         WHERE {mine} AND id IN (SELECT lot_id FROM spent UNION SELECT id FROM other))
        UPDATE lot_movement m SET lot_id = other.id FROM spent, other
        WHERE {mine} AND (m.transaction_id, m.number) = (spent.transaction_id, spent.number)
        """,
        "was spent before lot",
    ),
}
"""What is made up, how, and what the replay says of it. None of it shows in the rows as they stand."""


@pytest.mark.parametrize("lie", LIES)
async def test_what_time_did_cannot_be_made_up(quiet: World, database_url: str, lie: str) -> None:
    statement, said = LIES[lie]
    async with owner(database_url) as connection:
        await connection.execute(statement.format(mine="program_id = $1"), quiet.program_id)
    await check_audit(quiet.program_id, STANDING)
    found = await look(quiet, "wallets replayed")
    assert found.violations
    assert said in " ".join(found.offending)


async def test_what_a_lot_was_granted_as_is_set_once(quiet: World) -> None:
    before = await quiet.everything()
    for column in ("granted", "matures_at", "expiry", "time_zone", "idle_until"):
        with pytest.raises(asyncpg.RestrictViolationError):
            async with transaction() as connection:
                await connection.execute(
                    f"UPDATE lot SET {column} = NULL WHERE program_id = $1", quiet.program_id
                )
    assert await quiet.everything() == before


@pytest.fixture
async def adjusted() -> World:
    """Adjustments of each state: below the threshold, approved, rejected and awaiting."""
    world = await make_world(["shop", "kiosk"])
    program_id = world.program_id
    await adjust(world, 50, key="before there was a threshold")
    await change_policies(program_id=program_id, change=to(approval_above={"POINT": ABOVE}))
    await adjust(world, ABOVE, key="small")
    approved = await adjust(world, 500, key="large")
    await approve_adjustment(program_id=program_id, id_=approved.id, actor="budi", now=NOW)
    taken = await adjust(world, -200, key="taken")
    await approve_adjustment(program_id=program_id, id_=taken.id, actor="budi", now=NOW)
    rejected = await adjust(world, 600, key="no")
    await reject_adjustment(program_id=program_id, id_=rejected.id, reason="no", actor="budi", now=NOW)
    await adjust(world, 700, key="later")
    await change_policies(program_id=program_id, change=to(approval_above={"POINT": 10}))
    await check_audit(program_id)
    return world


OF_LARGE: Final = "(SELECT transaction_id FROM adjustment WHERE {mine} AND key = 'large')"
FORGED: Final = {
    "its amount": "UPDATE adjustment SET amount = amount - 1 WHERE {mine} AND key = 'large'",
    "its unit": "UPDATE adjustment SET unit = 'IDR' WHERE {mine} AND key = 'large'",
    "its partner": """
        UPDATE adjustment SET partner_id = (SELECT id FROM partner WHERE {mine} AND code = 'kiosk')
        WHERE {mine} AND key = 'large'
    """,
    "its key": "UPDATE adjustment SET key = 'another' WHERE {mine} AND key = 'large'",
    "its reason": "UPDATE adjustment SET reason = 'another' WHERE {mine} AND key = 'large'",
    "who asked": "UPDATE adjustment SET asked_by = 'wati' WHERE {mine} AND key = 'small'",
    "who approved": "UPDATE adjustment SET decided_by = 'wati' WHERE {mine} AND key = 'large'",
    "nobody approved": "UPDATE adjustment SET decided_by = NULL, decided_at = NULL WHERE {mine} AND key = 'large'",
    "nobody had to": """
        UPDATE adjustment SET decided_by = NULL, decided_at = NULL, approval_above = NULL
        WHERE {mine} AND key = 'large'
    """,
    "a role approved": """
        WITH changed AS (UPDATE ledger_transaction SET because = replace(because::text, 'budi', 'admin')::json
                         WHERE {mine} AND id = """
    + OF_LARGE
    + """)
        UPDATE adjustment SET decided_by = 'admin' WHERE {mine} AND key = 'large'
    """,
    "one person was two": """
        WITH changed AS (UPDATE ledger_transaction SET because = replace(because::text, 'budi', 'siti')::json
                         WHERE {mine} AND id = """
    + OF_LARGE
    + """)
        UPDATE adjustment SET decided_by = 'siti' WHERE {mine} AND key = 'large'
    """,
    "above the threshold": "UPDATE adjustment SET approval_above = 10 WHERE {mine} AND key = 'small'",
    "an entry more": """
        INSERT INTO ledger_entry (program_id, transaction_id, number, unit, account, kind, amount, because, partner_id,
                                  bucket, balance_after, version)
        SELECT program_id, transaction_id, number + 100, unit, account, kind, 1, because, partner_id, bucket, 1,
               version + 100
        FROM ledger_entry WHERE {mine} AND partner_id IS NOT NULL AND transaction_id = """
    + OF_LARGE,
    "it was rejected": """
        UPDATE adjustment SET state = 'REJECTED', rejection = 'no', transaction_id = NULL WHERE {mine} AND key = 'large'
    """,
    "it awaits approval": """
        UPDATE adjustment SET state = 'AWAITING_APPROVAL', decided_by = NULL, decided_at = NULL, transaction_id = NULL
        WHERE {mine} AND key = 'large'
    """,
    "nobody asked": "DELETE FROM adjustment WHERE {mine} AND key = 'large'",
    "another cause": "UPDATE ledger_transaction SET key = 'x' WHERE {mine} AND id = " + OF_LARGE,
}
"""What is forged, and how."""


@pytest.mark.parametrize("forged", FORGED)
async def test_an_adjustment_cannot_be_forged(adjusted: World, database_url: str, forged: str) -> None:
    other = await make_world(["other"])
    async with owner(database_url) as connection, unguarded(connection, "adjustment"):
        await connection.execute(FORGED[forged].format(mine="program_id = $1"), adjusted.program_id)
        found = await look(adjusted, "adjustments")
        await connection.execute("DELETE FROM adjustment WHERE program_id = $1", adjusted.program_id)
    assert found.violations
    assert not (await look(other, "adjustments")).violations
