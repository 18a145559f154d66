"""What the walk over the failpoints does: rounds of sales and returns, and all that follows from them.

A round passes every point of the registry, and may be repeated from its start: each step of it finds out what is left
to do. Rounds are more than a week apart, so that seasons close; in each a badge begins late, so that the past is
reviewed. Played to the end they leave the same world, whatever happened meanwhile: `outcome` tells it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from activity.rules import ActivityInput
from base import jobs, outbox
from base.clock import SetClock
from base.database import transaction
from base.jobs import Runner
from base.outages import outage_of
from base.outbox import Consumer
from game.review import review_program
from game.tier_override import TierOverrideInput, override_tier
from game.tier_reviews import review_tiers_of
from imports.announcing import Announced, create_upload
from imports.job import ImportJob
from imports.limits import UploadLimits
from imports.store import ImportKind
from imports.uploads import JOB, receive
from leaderboards import projector
from leaderboards.rebuild import rebuild_all
from leaderboards.rules import Grouping
from leaderboards.seasons import advance_program
from leaderboards.service import LeaderboardInput, create_leaderboard
from loyalty.ledger.opening import OpeningBalance, open_balances
from loyalty.ledger.policies import NOTICE_DAYS
from loyalty.ledger.turning import turn_lots_of
from metrics.rules import Measure
from metrics.windows import Period
from ops.audit.boards import look_at_boards
from push import live, notifier
from push.channels import PHONE
from push.channels.protocol import Outcome, Parcel, Sent
from push.deliveries import LEASE, deliver_due
from push.devices import register_device
from push.expiring import tell_expiring_of
from tests.invariants import check_audit, check_invariants
from tests.ledger import capture_hold, hold_points, release_hold
from tests.properties.making import add_partners, make_setting
from tests.services.imports.taking import MAPPING, rows
from tests.world import NOW, World, back, line, return_of, sale

SHOPS: Final = ("a", "b", "c")
BATCHES: Final = 2
SIZE: Final = 8
APART: Final = timedelta(days=8)
STUBBORN: Final = 6
"""How often a step is tried: what fails more often has not been mended by trying again."""

MESSAGES: Final = """
SELECT p.code, m.template, m.title, m.body, d.state
FROM message m JOIN partner p ON p.program_id = m.program_id AND p.id = m.partner_id
LEFT JOIN delivery d ON d.program_id = m.program_id AND d.message_id = m.id WHERE m.program_id = $1
"""
STANDINGS: Final = """
SELECT b.key, s.key, s.state, t.group_key, t.position, p.code, t.rank, t.score, t.reached_at
FROM season s JOIN leaderboard b ON b.program_id = s.program_id AND b.id = s.leaderboard_id
LEFT JOIN season_standing t ON t.program_id = s.program_id AND t.season_id = s.id
LEFT JOIN partner p ON p.program_id = t.program_id AND p.id = t.partner_id WHERE s.program_id = $1
"""
PARTNERS: Final = "SELECT id, code FROM partner WHERE program_id = $1"


class Postbox:
    """A way to a phone that never fails."""

    name = PHONE
    page = 100

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Outcome]:
        return [Sent() for _ in parcels]

    async def close(self) -> None: ...


async def make_town() -> World:
    """A world with shops, boards and telephones, before its first round."""
    world = await make_setting()
    await add_partners(world, dict.fromkeys(SHOPS, "Asia/Jakarta"))
    board = LeaderboardInput("weekly", "Weekly", "amount", Period.WEEKLY, group_by=Grouping.REGION)
    await create_leaderboard(program_id=world.program_id, leaderboard=board, now=NOW)
    for row in await world.rows(PARTNERS):
        await register_device(
            program_id=world.program_id,
            partner_id=row["id"],
            token=f"{world.program_id}-{row['code']}",
            platform="ANDROID",
            locale=None,
            now=NOW,
        )
    return world


def start_of(number: int) -> datetime:
    """When a round is played."""
    return NOW + APART * number


def batches_of(number: int) -> list[list[ActivityInput]]:
    """A round's activities, the same every time: sales of weeks before, and returns of what an earlier round sold."""
    dice, made = random.Random(number), list[ActivityInput]()
    for place in range(BATCHES * SIZE):
        name, shop = f"r{number}-{place}", SHOPS[place % len(SHOPS)]
        if number and place % 5 == 4:
            of = f"r{number - 1}-{place - 2 if place > 5 else place + 2}"
            shop = SHOPS[int(of.split("-")[1]) % len(SHOPS)]
            what = of if dice.random() < 0.5 else [back(of, 2, "soap", 1, 3)]
            made.append(return_of(name, shop, what, at=start_of(number)))
            continue
        lines = [line("tea", dice.randint(1, 4), dice.randint(5, 60)), line("soap", 2, 9)]
        made.append(sale(name, shop, lines, at=start_of(number) - timedelta(hours=dice.randint(0, 400))))
    return [made[first : first + SIZE] for first in range(0, len(made), SIZE)]


def file_of(number: int) -> bytes:
    """The file that a round brings: sales of the days before it."""
    at = start_of(number) - timedelta(days=2)
    sold = (f"f{number}-{place},{shop},{at:%Y-%m-%d},tea,1,{5 + place}" for place, shop in enumerate(SHOPS))
    return rows(*sold).encode()


class Player:
    """Plays rounds. An outage is met by doing the step again, as clients, relay and ticks do; `met` keeps them."""

    def __init__(self, program_id: int, *, first: int = 0) -> None:
        self.world = World(program_id, SetClock(start_of(first)))
        self.met: list[Exception] = []
        self._consumers: dict[str, Consumer] = {
            projector.CONSUMER: projector.project,
            notifier.MESSAGES: notifier.Notifier(clock=self.world.clock, is_phone_configured=True).notify,
            live.FACTS: live.FactFeed(clock=self.world.clock).publish,
        }

    async def play(self, number: int) -> None:
        """A round, to its end."""
        world, clock = self.world, self.world.clock
        clock.advance_to(start_of(number))
        for batch in batches_of(number):
            await self._insist(lambda: self._accept(batch))  # noqa: B023
        await self._insist(lambda: self._tell_expiring(start_of(number)))
        await self._insist(lambda: self._open_balances(number))
        await self._insist(lambda: self._spend(number))
        await self._insist(lambda: turn_lots_of(world.program_id, start_of(number) + APART / 2))
        await self._insist(lambda: self._tell_expiring(start_of(number) + APART / 2))
        await self._insist(lambda: self._give_tiers(number))
        later = SetClock(start_of(number) + APART / 2)
        await self._insist(lambda: review_tiers_of(world.program_id, later))
        await self._insist(lambda: self._send(number))
        await self._insist(self._work)
        await self._insist(lambda: world.count(f"late-{number}", Measure.AMOUNT, kinds=["SALE"]))
        await self._insist(lambda: world.badge(f"late-{number}", f"late-{number}", [20, 60]))
        await self._insist(lambda: review_program(world.program_id, clock))
        await self._insist(self._relay)
        await self._insist(lambda: advance_program(world.program_id, clock.now()))
        await self._insist(lambda: rebuild_all(world.program_id))
        await self._insist(self._deliver)
        await self._insist(outbox.drop_consumed)

    async def finish(self) -> None:
        """Deliver what a killed process had claimed, and what half of the last round told."""
        self.world.clock.set(self.world.clock.now() + APART / 2 + LEASE)
        await self._deliver()

    async def _insist(self, step: Callable[[], Awaitable[Any]]) -> None:
        for _ in range(STUBBORN):
            try:
                await step()
            except Exception as error:
                if outage_of(error) is None:
                    raise
                self.met.append(error)
            else:
                return
        raise AssertionError(f"it goes on failing: {self.met[-1]!r}") from self.met[-1]

    async def _accept(self, batch: Sequence[ActivityInput]) -> None:
        outcomes = await self.world.record(*batch)
        assert {one.status for one in outcomes} in ({"RECORDED"}, {"DUPLICATE"}), outcomes

    async def _open_balances(self, number: int) -> None:
        """Points that are good for a day, and points that are told of when half of the round is over."""
        day = start_of(number).date()
        balances = [
            OpeningBalance(f"{number}-{days}-{shop}", shop, 7, expires_on=day + timedelta(days=days))
            for shop in SHOPS
            for days in (1, NOTICE_DAYS[-1] + APART.days // 2 - 1)
        ]
        now = self.world.clock.now()
        outcomes = await open_balances(
            program_id=self.world.program_id, balances=balances, actor="test", now=now
        )
        assert {one.status for one in outcomes} in ({"RECORDED"}, {"DUPLICATE"}), outcomes

    async def _tell_expiring(self, now: datetime) -> None:
        await tell_expiring_of(self.world.program_id, now=now, is_phone_configured=True)

    async def _spend(self, number: int) -> None:
        """One shop spends some of what it reserved, one gives it back, and one has still to decide."""
        for place, shop in enumerate(SHOPS):
            more: dict[str, Any] = {
                "actor": "test",
                "now": self.world.clock.now(),
                "idempotency_key": f"{number}-{shop}",
            }
            held = await hold_points(
                program_id=self.world.program_id, partner=shop, amount=3, purpose="a kettle", **more
            )
            ended: dict[str, Any] = {"program_id": self.world.program_id, "hold_id": held.hold_id} | more
            if place == 0:
                await capture_hold(amount=2, **ended)
            elif place == 1:
                await release_hold(**ended)

    async def _give_tiers(self, number: int) -> None:
        """Gold by hand for two days."""
        for shop in SHOPS:
            given = TierOverrideInput(
                shop, "gold", "a fair", f"{number}-{shop}", start_of(number) + timedelta(days=2)
            )
            now = self.world.clock.now()
            await override_tier(program_id=self.world.program_id, given=given, actor="test", now=now)

    async def _send(self, number: int) -> None:
        """Send a file of sales, whole; where it was sent before, what is there of it stays."""
        content = file_of(number)
        given = Announced(
            ImportKind.SALES, "sales.csv", len(content), MAPPING, digest=sha256(content).hexdigest()
        )
        program_id, clock = self.world.program_id, self.world.clock
        one = await create_upload(
            program_id=program_id,
            given=given,
            limits=UploadLimits(),
            created_by="test",
            now=clock.now(),
        )

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        await receive(program_id=program_id, import_id=one.id, start=0, chunks=chunks(), clock=clock)

    async def _work(self) -> None:
        """Do the jobs, those of a killed process among them. The queue tries again what meets an outage."""

        async def work(payload: bytes, leave: asyncio.Event) -> None:
            try:
                await ImportJob(self.world.clock).work(payload, leave)
            except Exception as error:
                self.met.append(error)
                raise

        runner = Runner(JOB, work, lease_seconds=0.5)
        while any(one.name == JOB for one in await jobs.depth()):
            if not await runner.turn(asyncio.Event()):
                await asyncio.sleep(0.05)

    async def _relay(self) -> None:
        """To the last row: one that waits for a transaction of somebody else on this server is waited for."""
        while any(one.rows for one in await outbox.depth()):
            seen = [await outbox.consume(name, consumer) for name, consumer in self._consumers.items()]
            await asyncio.sleep(0 if any(seen) else 0.05)

    async def _deliver(self) -> None:
        await deliver_due(Postbox(), clock=self.world.clock)


async def open_outbox() -> None:
    """The consumers' cursors, and no jobs that other tests left."""
    await outbox.register(projector.CONSUMER, notifier.MESSAGES, live.FACTS)
    async with transaction() as connection:
        await connection.execute("DELETE FROM pgqueuer")


async def outcome(world: World) -> dict[str, Any]:
    """All that came of the rounds, for comparison; first the books and the boards must be right in themselves."""
    await check_invariants(world.program_id)
    await check_audit(world.program_id)
    boards = await look_at_boards(world.program_id)
    assert boards.looked > 0, "a board is open, and built"
    assert not boards.violations, boards.offending
    found: dict[str, Any] = dict(await world.everything())
    for name, query in {"messages": MESSAGES, "season standings": STANDINGS}.items():
        found[name] = sorted(map(tuple, await world.rows(query)), key=repr)
    return found
