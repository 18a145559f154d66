"""The program of a soak: everything that an activity can set off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import base.database
from api.auth import issue_token
from api.roles import Role
from base.clock import SetClock
from base.database import reading
from game.review import review_program
from leaderboards.rules import Grouping
from leaderboards.service import LeaderboardInput, create_leaderboard
from metrics.rules import Measure
from metrics.windows import Period
from tests.properties.making import add_partners
from tests.servers import ROLE
from tests.soak.clients import PARTNERS, Client, Tally
from tests.soak.site import KEY, Site
from tests.world import World, make_world

MONTH: Final = timedelta(days=30)


@dataclass
class Town:
    """A program, and those who record in it."""

    site: Site
    program_id: int
    token: str
    tally: Tally

    @asynccontextmanager
    async def recording(self, *, clients: int = 4, seed: int = 0) -> AsyncIterator[None]:
        """So many clients record; at the end of the block each finishes the batch that it is at."""
        stop = asyncio.Event()
        urls = [f"http://127.0.0.1:{api.port}" for api in self.site.apis]
        generation = len(self.tally.accepted)
        tills = [
            Client(f"till-{number}-{generation}", urls, self.token, self.tally, seed=seed)
            for number in range(clients)
        ]
        async with asyncio.TaskGroup() as group:
            for till in tills:
                group.create_task(till.run(stop))
            try:
                yield
            finally:
                stop.set()


async def found_town(site: Site) -> Town:
    """Make the program in a database that has none yet."""
    await base.database.connect(site.database_url, role=ROLE, max_size=4)
    try:
        world = await make_world(())
        now = datetime.now(UTC)
        world = World(world.program_id, SetClock(now))
        await add_partners(world, dict.fromkeys(PARTNERS, "Asia/Jakarta"))
        await _configure(world, now)
        async with reading() as connection:
            program = await connection.fetchval("SELECT key FROM program WHERE id = $1", world.program_id)
    finally:
        await base.database.close()
    token = issue_token(KEY, role=Role.INTEGRATION, program=program, now=now, lasting=timedelta(days=1))
    return Town(site, world.program_id, token, Tally())


async def _configure(world: World, now: datetime) -> None:
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY, Period.LIFETIME)
    await world.count("points", Measure.POINTS_ALL)
    await world.count("range", Measure.DISTINCT_PRODUCTS)
    await world.earn("base", amount="1.5")
    await world.earn("tea", quantity="0.7")
    await world.ladder(
        "amount", Period.QUARTERLY, {"bronze": (0, 1), "silver": (2_000, "1.25"), "gold": (9_000, 2)}
    )
    await world.badge("seller", "amount", [500, 5_000, 50_000])
    span = {"starts_at": now - MONTH, "ends_at": now + MONTH}
    await world.mission(
        "volume", {"amount": 1_500}, points=100, starts_at=span["starts_at"], ends_at=span["ends_at"]
    )
    await world.mission("wide", {"range": 4}, points=40, starts_at=span["starts_at"], ends_at=span["ends_at"])
    for key, metric, period in (("weekly", "amount", Period.WEEKLY), ("monthly", "points", Period.MONTHLY)):
        board = LeaderboardInput(key, key, metric, period, group_by=Grouping.REGION)
        await create_leaderboard(program_id=world.program_id, leaderboard=board, now=now)
    await review_program(world.program_id, world.clock)
