"""Devices: registered once, moved with the sign-in, and never too many."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from base.database import reading
from base.errors import Invalid, NotFound
from push.devices import LIVE_DEVICES, RegisteredDevice, register_device
from tests.services.push.builders import NOW, Scene, make_scene

pytestmark = pytest.mark.usefixtures("database")


async def devices(scene: Scene) -> list[dict[str, Any]]:
    async with reading() as connection:
        rows = await connection.fetch(
            "SELECT * FROM device WHERE program_id = $1 ORDER BY id", scene.program_id
        )
    return [dict(row) for row in rows]


async def sign_in(scene: Scene, partner_id: int, token: str = "token", **changed: Any) -> RegisteredDevice:
    given = {"token": token, "platform": "ANDROID", "locale": "id-ID", "now": NOW, **changed}
    return await register_device(program_id=scene.program_id, partner_id=partner_id, **given)


async def test_registering_again_refreshes_the_one_row() -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    first = await sign_in(scene, partner)
    again = await sign_in(scene, partner, platform="WEB", locale=None, now=NOW + timedelta(days=1))
    assert again.id == first.id
    (row,) = await devices(scene)
    assert (row["platform"], row["locale"], row["registered_at"], row["forgotten_at"]) == (
        "WEB",
        None,
        NOW + timedelta(days=1),
        None,
    )


async def test_a_token_moves_to_whoever_signed_in_last_and_stays_in_its_program() -> None:
    scene, other = await make_scene(), await make_scene()
    first, second, elsewhere = await scene.add_partner(), await scene.add_partner(), await other.add_partner()
    await sign_in(scene, first)
    await sign_in(other, elsewhere)
    await sign_in(scene, second)
    assert [row["partner_id"] for row in await devices(scene)] == [second]
    assert [row["partner_id"] for row in await devices(other)] == [elsewhere]


async def test_the_oldest_is_forgotten_for_one_too_many() -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    for number in range(LIVE_DEVICES + 2):
        await sign_in(scene, partner, f"token-{number}", now=NOW + timedelta(minutes=number))
    rows = await devices(scene)
    assert [row["token"] for row in rows if row["forgotten_at"] is not None] == ["token-0", "token-1"]
    await sign_in(scene, partner, "token-0", now=NOW + timedelta(hours=1))
    live = {row["token"] for row in await devices(scene) if row["forgotten_at"] is None}
    assert len(live) == LIVE_DEVICES
    assert "token-0" in live
    assert "token-2" not in live


async def test_many_sign_ins_at_once_keep_the_limit() -> None:
    scene = await make_scene()
    partners = [await scene.add_partner() for _ in range(2)]
    await asyncio.gather(
        *(
            sign_in(scene, partners[number % 2], f"token-{number % 23}", now=NOW + timedelta(seconds=number))
            for number in range(60)
        )
    )
    rows = await devices(scene)
    assert len(rows) == 23
    for partner in partners:
        assert (
            len([row for row in rows if row["partner_id"] == partner and not row["forgotten_at"]])
            <= LIVE_DEVICES
        )


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"token": ""}, "INVALID_TOKEN", ("token",)),
        ({"token": "a b"}, "INVALID_TOKEN", ("token",)),
        ({"token": "x" * 4097}, "INVALID_TOKEN", ("token",)),
        ({"platform": "FRIDGE"}, "UNKNOWN_PLATFORM", ("platform",)),
        ({"locale": "id ID"}, "INVALID_LOCALE", ("locale",)),
    ],
)
async def test_what_is_no_device_is_refused(
    changed: dict[str, Any], code: str, field: tuple[str, ...]
) -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    with pytest.raises(Invalid) as refused:
        await sign_in(scene, partner, **changed)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert await devices(scene) == []


async def test_another_programs_partner_is_not_found() -> None:
    scene, foreign = await make_scene(), await make_scene()
    partner = await foreign.add_partner()
    with pytest.raises(NotFound):
        await sign_in(scene, partner)
    assert await devices(scene) == await devices(foreign) == []
