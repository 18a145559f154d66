"""Programs with boards, and meters written by hand: what the pipeline would leave."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import orjson

from base.database import Connection, reading, transaction
from base.outbox import OutboxRow, write
from leaderboards.projector import project
from leaderboards.queries import BoardView, find_leaderboard, list_seasons
from leaderboards.rules import Grouping, SeasonRow
from leaderboards.service import LeaderboardInput, create_leaderboard
from metrics.rules import Measure
from metrics.service import MetricInput, create_metric
from metrics.windows import Period
from partners.audiences import AudienceInput
from tests.services.programs import make_program, rows

NOW: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)
SECONDS: Final = 15.0

ADD_REGION: Final = """
INSERT INTO region (program_id, code, name, parent_id)
VALUES ($1, $2, $2, (SELECT id FROM region WHERE program_id = $1 AND code = $3)) RETURNING id
"""
ADD_PARTNER: Final = """
INSERT INTO partner (program_id, code, name, kind, region_id, attributes, created_at)
SELECT $1, $2, 'Shop ' || $2, $3, id, $5::text::jsonb, now() FROM region
WHERE program_id = $1 AND code = $4 RETURNING id
"""
SET_METER: Final = """
INSERT INTO meter AS m (program_id, series_id, window_start, partner_id, value, reached_at, version)
VALUES ($1, $2, $3, $4, $5, $6, 1)
ON CONFLICT (program_id, series_id, window_start, partner_id)
DO UPDATE SET value = excluded.value, reached_at = excluded.reached_at, version = m.version + 1
"""
SET_PARTNER: Final = """
UPDATE partner SET status = coalesce($3, status), version = version + 1,
       region_id = coalesce((SELECT id FROM region WHERE program_id = $1 AND code = $4), region_id)
WHERE program_id = $1 AND id = $2
"""
ADD_TIERS: Final = """
WITH ladder AS (INSERT INTO tier_ladder (program_id, metric_id, period, series_id)
                SELECT program_id, metric_id, 'YEARLY', id FROM meter_series WHERE program_id = $1 LIMIT 1 RETURNING id)
INSERT INTO tier (program_id, ladder_id, key, name, level, threshold, multiplier)
SELECT $1, ladder.id, t.key, t.key, t.level - 1, t.level, 1
FROM ladder, unnest($2::text[]) WITH ORDINALITY AS t (key, level)
"""
SET_TIER: Final = """
WITH raised AS (UPDATE partner SET version = version + 1 WHERE program_id = $1 AND id = $2)
INSERT INTO tier_standing (program_id, partner_id, level, since) VALUES ($1, $2, $3, now())
ON CONFLICT (program_id, partner_id) DO UPDATE SET level = excluded.level
"""
FILL_SERIES: Final = "UPDATE meter_series SET filled_at = CASE WHEN $2 THEN now() END WHERE program_id = $1"
TAKE: Final = "DELETE FROM outbox WHERE program_id = $1 RETURNING program_id, partner_ids, transaction_ids"


@dataclass
class Scene:
    """A program with regions ID ⊃ JAVA ⊃ JKT and ID ⊃ BALI; partners by code."""

    program_id: int
    partners: dict[str, int] = field(default_factory=dict)

    async def add_partner(
        self,
        code: str,
        *,
        region: str = "JKT",
        kind: str = "RETAILER",
        attributes: Mapping[str, object] | None = None,
    ) -> int:
        stored = orjson.dumps(attributes or {}).decode()
        (row,) = await rows(ADD_PARTNER, self.program_id, code, kind, region, stored)
        self.partners[code] = row["id"]
        return self.partners[code]

    async def add_board(
        self,
        key: str = "board",
        *,
        measure: Measure = Measure.POINTS_ALL,
        period: Period = Period.MONTHLY,
        now: datetime = NOW,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        time_zone: str | None = None,
        audience: AudienceInput | None = None,
        group_by: Grouping = Grouping.NONE,
    ) -> BoardView:
        metric = MetricInput(key=f"metric-{measure.value.lower()}", name="What counts", measure=measure)
        await create_metric(program_id=self.program_id, metric=metric, now=now)
        board = LeaderboardInput(
            key=key, name="The board", metric=metric.key, period=period, starts_at=starts_at, ends_at=ends_at,
            time_zone=time_zone, audience=audience, group_by=group_by,
        )  # fmt: skip
        return await create_leaderboard(program_id=self.program_id, leaderboard=board, now=now)

    async def view(self, key: str = "board") -> BoardView:
        async with reading() as connection:
            found = await find_leaderboard(connection, program_id=self.program_id, key=key)
        assert found is not None
        return found

    async def seasons(self, key: str = "board") -> list[SeasonRow]:
        """Oldest first."""
        async with reading() as connection:
            return (await list_seasons(connection, (await self.view(key)).board))[::-1]

    async def count(
        self,
        view: BoardView,
        values: Mapping[str, str | int],
        *,
        at: datetime = NOW,
        window: date | None = None,
        told: bool = True,
    ) -> None:
        """Set meters of the board, one minute after the other, and leave word in the outbox."""
        async with transaction() as connection:
            for minute, (code, value) in enumerate(values.items()):
                await connection.execute(
                    SET_METER, self.program_id, view.board.series_id, window or view.season.window_start,
                    self.partners[code], Decimal(value), at + timedelta(minutes=minute),
                )  # fmt: skip
            if told:
                await self._tell(connection, list(values))

    async def change(
        self, code: str, *, status: str | None = None, region: str | None = None, told: bool = True
    ) -> None:
        async with transaction() as connection:
            await connection.execute(SET_PARTNER, self.program_id, self.partners[code], status, region)
            if told:
                await self._tell(connection, [code])

    async def set_tiers(self, *keys: str) -> None:
        async with transaction() as connection:
            await connection.execute(ADD_TIERS, self.program_id, list(keys))

    async def set_tier(self, code: str, level: int) -> None:
        async with transaction() as connection:
            await connection.execute(SET_TIER, self.program_id, self.partners[code], level)
            await self._tell(connection, [code])

    async def set_filled(self, filled: bool) -> None:
        async with transaction() as connection:
            await connection.execute(FILL_SERIES, self.program_id, filled)

    async def _tell(self, connection: Connection, codes: Sequence[str]) -> None:
        ids = [self.partners[code] for code in codes]
        await write(connection, program_id=self.program_id, partner_ids=ids, transaction_ids=[])


async def make_scene(*codes: str) -> Scene:
    """A scene with partners of these codes, all in JKT."""
    scene = Scene((await make_program(f"boards-{uuid.uuid4()}")).id)
    for code, parent in (("ID", None), ("JAVA", "ID"), ("JKT", "JAVA"), ("BALI", "ID")):
        await rows(ADD_REGION, scene.program_id, code, parent)
    for code in codes:
        await scene.add_partner(code)
    return scene


async def relay(scene: Scene) -> None:
    """Project what the outbox holds of the scene's program, as the relay would."""
    async with transaction() as connection:
        taken = await connection.fetch(TAKE, scene.program_id)
        await project(connection, [OutboxRow(*row) for row in taken])


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(SECONDS):
        while not await holds():  # noqa: ASYNC110  # what is waited for happens in a server
            await asyncio.sleep(0.01)
