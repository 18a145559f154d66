"""`mitra partner show`: times are those of the partner's own clocks, and it fits a terminal."""

import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from base.database import reading
from ops.partner_card import draw_card, load_card
from ops.terminal import WIDE
from partners.queries import ProgramRow, find_program
from tests.world import NOW, World, make_world, sale

pytestmark = pytest.mark.usefixtures("database")

ZONE = "Asia/Jakarta"


async def program_of(world: World) -> ProgramRow:
    async with reading() as connection:
        key = await connection.fetchval("SELECT key FROM program WHERE id = $1", world.program_id)
        return await find_program(connection, key)


async def card_of(world: World, width: int) -> str:
    now = datetime.now(UTC)
    card = await load_card(await program_of(world), "shop [1]", entries=5, now=now)
    console = Console(file=io.StringIO(), width=width)
    console.print(draw_card(card, now=now))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


async def test_times_are_told_in_the_partners_zone_and_the_zone_is_named() -> None:
    world = await make_world({"shop [1]": ZONE})
    await world.earn("base", amount=1)
    await world.record(sale("1", "shop [1]"), history=True)
    told = await card_of(world, 80)
    assert f"{NOW.astimezone(ZoneInfo(ZONE)):%Y-%m-%d %H:%M}" in told
    assert f"Last entries, in {ZONE}" in told
    assert "Shop shop [1] · shop [1]" in told, "a name is no markup"
    assert max(map(len, told.splitlines())) <= 80
    assert max(len(line.rstrip()) for line in (await card_of(world, WIDE)).splitlines()) < 200
