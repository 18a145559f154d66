"""Facts become messages and deliveries: once, in sets, in the partner's language."""

from datetime import timedelta

import pytest

from base.clock import SetClock
from base.database import reading, transaction
from push.devices import register_device
from push.messages import HISTORY, NO_DEVICE, NOT_CONFIGURED, OLD_NEWS
from push.notifier import Notifier
from push.queries import InboxMessage, count_unread, load_deliveries, load_inbox
from tests.services.push.builders import COMPLETED, NOW, Scene, make_scene

pytestmark = pytest.mark.usefixtures("database")


async def inbox(
    scene: Scene, partner_id: int, *, before: int | None = None, limit: int = 50
) -> list[InboxMessage]:
    async with reading() as connection:
        return await load_inbox(
            connection, program_id=scene.program_id, partner_id=partner_id, before=before, limit=limit
        )


async def add_device(scene: Scene, partner_id: int, token: str) -> int:
    device = await register_device(
        program_id=scene.program_id,
        partner_id=partner_id,
        token=token,
        platform="ANDROID",
        locale="id",
        now=NOW,
    )
    return device.id


async def test_facts_are_told_in_the_partners_language() -> None:
    scene = await make_scene(locale="en")
    await scene.add_mission("double", "Minggu ganda")
    partner = await scene.add_partner(locale="id-ID")
    reward = {"type": "PointsPosted", "because": 0, "unit": "POINT", "amount": 12500, "kind": "REWARD"}
    posted = await scene.post(partner, {**reward, "kind": "EARN"}, COMPLETED, reward)
    await scene.notify(posted)

    told = await inbox(scene, partner)
    assert [(message.title, message.body, message.facts) for message in told] == [
        ("12.500 poin untuk Anda", "Anda mendapat hadiah 12.500 poin.", (2,)),
        ("Misi selesai", "Anda menyelesaikan misi “Minggu ganda”.", (1,)),
    ]
    assert {message.locale for message in told} == {"id"}
    assert {message.created_at for message in told} == {NOW}


async def test_a_partner_without_a_language_reads_the_programs_own_texts() -> None:
    texts = {"messages": {"id": {"mission_completed": {"title": "Mantap!", "body": "$mission"}}}}
    scene = await make_scene(locale="id-ID", settings=texts)
    partner = await scene.add_partner()
    await scene.notify(await scene.post(partner, COMPLETED))
    (message,) = await inbox(scene, partner)
    assert (message.title, message.body, message.locale) == ("Mantap!", "double", "id")


async def test_consuming_again_adds_nothing() -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    await add_device(scene, partner, "first")
    posted = [await scene.post(partner, COMPLETED) for _ in range(3)]
    await scene.notify(*posted[:2])
    told, queued = await inbox(scene, partner), await scene.deliveries()
    await add_device(scene, partner, "second")
    await scene.notify(*posted[:2])
    assert (await inbox(scene, partner), await scene.deliveries()) == (told, queued)

    await scene.notify(*posted, posted[0])
    assert len(await inbox(scene, partner)) == 3


async def test_each_live_device_gets_a_delivery() -> None:
    scene = await make_scene()
    partner, other = await scene.add_partner(), await scene.add_partner()
    devices = [await add_device(scene, partner, token) for token in ("a", "b")]
    await add_device(scene, other, "c")
    await scene.notify(await scene.post(partner, COMPLETED))
    queued = await scene.deliveries()
    assert sorted(row["device_id"] for row in queued) == devices
    assert {(row["channel"], row["state"], row["error"], row["due_at"]) for row in queued} == {
        ("PHONE", "QUEUED", None, NOW)
    }


@pytest.mark.parametrize(
    ("has_device", "is_configured", "age", "reason"),
    [
        (True, False, timedelta(0), NOT_CONFIGURED),
        (False, True, timedelta(0), NO_DEVICE),
        (True, True, HISTORY + timedelta(days=1), OLD_NEWS),
    ],
)
async def test_where_nothing_can_be_sent_a_row_says_why(
    has_device: bool, is_configured: bool, age: timedelta, reason: str
) -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    if has_device:
        await add_device(scene, partner, "device")
    await scene.notify(await scene.post(partner, COMPLETED), now=NOW + age, is_phone_configured=is_configured)
    (message,) = await inbox(scene, partner)
    async with reading() as connection:
        found = await load_deliveries(connection, program_id=scene.program_id, message_ids=[message.id])
    assert [(row.state, row.error, row.device_id, row.attempts) for row in found[message.id]] == [
        ("NO_CHANNEL", reason, None, 0)
    ]


async def test_another_programs_transaction_is_not_told() -> None:
    scene, foreign = await make_scene(), await make_scene()
    partner = await foreign.add_partner()
    posted = await foreign.post(partner, COMPLETED)
    await scene.notify(posted)
    assert await inbox(foreign, partner) == []
    assert await inbox(scene, partner) == []
    await foreign.add_mission("double", "Theirs")
    await foreign.notify(posted)
    assert [message.body for message in await inbox(foreign, partner)] == [
        "You completed the mission “Theirs”."
    ]
    assert await inbox(scene, partner) == []


async def test_the_number_of_statements_does_not_grow() -> None:
    scene, second = await make_scene(), await make_scene()
    partners = [await scene.add_partner() for _ in range(5)]
    for partner in partners:
        await add_device(scene, partner, f"device-{partner}")
    foreign = await second.add_partner()
    rows = [
        [scene.outbox(await scene.post(partners[0], COMPLETED))],
        [
            scene.outbox(*[await scene.post(partner, COMPLETED, COMPLETED)])
            for partner in partners
            for _ in range(6)
        ]
        + [second.outbox(await second.post(foreign, COMPLETED))],
    ]
    notifier = Notifier(SetClock(NOW), is_phone_configured=True)
    counts = []
    for batch in rows:
        statements: list[str] = []
        async with transaction() as connection:
            with connection.query_logger(lambda logged, seen=statements: seen.append(logged.query)):
                await notifier.notify(connection, batch)
        counts.append(len([query for query in statements if "pg_catalog" not in query]))
    assert counts == [4, 4]
    assert len(await scene.deliveries()) == 1 + 60


async def test_the_inbox_is_read_in_pages_from_the_newest() -> None:
    scene = await make_scene()
    partner, other = await scene.add_partner(), await scene.add_partner()
    posted = [await scene.post(partner, COMPLETED) for _ in range(5)]
    await scene.notify(*posted, await scene.post(other, COMPLETED))
    read: list[int | None] = []
    before = None
    while page := await inbox(scene, partner, before=before, limit=2):
        read += [message.transaction_id for message in page]
        before = page[-1].id
    assert read == posted[::-1]
    async with reading() as connection:
        assert await count_unread(connection, program_id=scene.program_id, partner_id=partner) == 5


async def test_what_the_calendar_brings_waits_for_the_morning() -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    await add_device(scene, partner, "a")
    expired = {"type": "PointsPosted", "because": 0, "unit": "POINT", "amount": -5, "kind": "EXPIRE"}
    midnight = NOW.replace(hour=17)  # in Jakarta
    await scene.notify(await scene.post(partner, expired, COMPLETED, posted_at=midnight), now=midnight)
    assert [(row["title"], row["due_at"] - midnight) for row in await scene.deliveries()] == [
        ("5 points expired", timedelta(hours=8)),
        ("Mission completed", timedelta(0)),
    ]
