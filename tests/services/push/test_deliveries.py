"""A delivery's life: sent, tried again, given up, claimed by one worker at a time, and never lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from firebase_admin import messaging

from base.clock import SetClock
from base.database import reading, transaction
from base.errors import Invalid
from push.channels import PHONE, open_channels
from push.channels.phone import PhoneChannel
from push.channels.protocol import Outcome, Parcel, Sent
from push.deliveries import ATTEMPTS, LEASE, LONGEST_WAIT, NO_ANSWER, deliver_due
from push.devices import register_device
from push.messages import DEVICE_GONE
from tests.command import free_port
from tests.services.push.builders import COMPLETED, NOW, Scene, make_scene
from tests.services.push.fcm import (
    INTERNAL,
    INVALID,
    QUOTA,
    SENDER_MISMATCH,
    UNAVAILABLE,
    UNREGISTERED,
    FcmServer,
    write_account,
)

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def fcm(monkeypatch: pytest.MonkeyPatch) -> Iterator[FcmServer]:
    server = FcmServer()
    monkeypatch.setattr(
        messaging._MessagingService, "FCM_URL", f"{server.url}/v1/projects/{{0}}/messages:send"
    )
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.close()


@pytest.fixture
async def phone(fcm: FcmServer, tmp_path: Path) -> AsyncIterator[PhoneChannel]:
    channel = PhoneChannel(write_account(tmp_path / "account.json", server=fcm))
    yield channel
    await channel.close()


@pytest.fixture
async def scene() -> Scene:
    """A program, and no deliveries of other tests beside it: a worker serves all programs."""
    async with transaction() as connection:
        await connection.execute("DELETE FROM delivery")
    return await make_scene()


class RecordingChannel:
    """Takes everything, unless it is told to break first or after."""

    name = PHONE
    page = 4

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.breaks_with: BaseException | None = None

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Outcome]:
        self.sent += [parcel.address for parcel in parcels]
        await asyncio.sleep(0)
        if self.breaks_with is not None:
            raise self.breaks_with
        return [Sent()] * len(parcels)

    async def close(self) -> None:
        return


async def add_device(scene: Scene, partner_id: int, token: str, *, hours: int = 0) -> None:
    await register_device(
        program_id=scene.program_id,
        partner_id=partner_id,
        token=token,
        platform="ANDROID",
        locale=None,
        now=NOW + timedelta(hours=hours),
    )


async def queue(scene: Scene, *tokens: str) -> int:
    """A message for a new partner with these devices; answers the partner."""
    partner = await scene.add_partner()
    for token in tokens:
        await add_device(scene, partner, token)
    await scene.notify(await scene.post(partner, COMPLETED))
    return partner


async def the_delivery(scene: Scene) -> dict[str, Any]:
    (row,) = await scene.deliveries()
    return row


async def is_forgotten(scene: Scene, token: str) -> bool:
    async with reading() as connection:
        query = "SELECT forgotten_at IS NOT NULL FROM device WHERE program_id = $1 AND token = $2"
        found: bool = await connection.fetchval(query, scene.program_id, token)
    return found


async def test_a_message_reaches_each_device(scene: Scene, fcm: FcmServer, phone: PhoneChannel) -> None:
    installation = "c" + "x" * 21
    await queue(scene, "a-long-registration-token", installation)
    assert await deliver_due(phone, clock=SetClock(NOW)) == 2
    assert {(row["state"], row["attempts"], row["delivered_at"]) for row in await scene.deliveries()} == {
        ("SENT", 1, NOW)
    }
    assert sorted(fcm.addresses()) == sorted(["a-long-registration-token", installation])
    assert {message.get("fid") for message in fcm.taken} == {None, installation}
    assert {message["notification"]["title"] for message in fcm.taken} == {"Mission completed"}
    assert {message["data"]["template"] for message in fcm.taken} == {"mission_completed"}
    assert fcm.paths == {"/v1/projects/mitra-test/messages:send"}
    assert await deliver_due(phone, clock=SetClock(NOW + LONGEST_WAIT)) == 0
    assert fcm.sign_ins == 1


async def test_an_unregistered_device_is_forgotten(scene: Scene, fcm: FcmServer, phone: PhoneChannel) -> None:
    partner = await queue(scene, "gone")
    fcm.will_answer("gone", UNREGISTERED)
    await deliver_due(phone, clock=SetClock(NOW + timedelta(minutes=1)))
    row = await the_delivery(scene)
    assert (row["state"], row["error"]) == ("FAILED", "Unregistered: said NOT_FOUND")
    assert await is_forgotten(scene, "gone")
    await scene.notify(await scene.post(partner, COMPLETED))
    assert [each["state"] for each in await scene.deliveries()] == ["FAILED", "NO_CHANNEL"]


async def test_a_device_that_signs_in_again_meanwhile_is_not_forgotten(
    scene: Scene, fcm: FcmServer, phone: PhoneChannel
) -> None:
    partner = await queue(scene, "back")
    fcm.will_answer("back", UNREGISTERED)
    await add_device(scene, partner, "back", hours=1)
    await deliver_due(phone, clock=SetClock(NOW))
    assert (await the_delivery(scene))["state"] == "FAILED"
    assert not await is_forgotten(scene, "back")


@pytest.mark.parametrize("answer", [UNAVAILABLE, INTERNAL, QUOTA], ids=["unavailable", "internal", "quota"])
async def test_what_may_pass_is_tried_again_later(
    scene: Scene, fcm: FcmServer, phone: PhoneChannel, answer: tuple[int, dict[str, Any]]
) -> None:
    await queue(scene, "busy")
    fcm.will_answer("busy", answer, answer)
    clock = SetClock(NOW)
    assert await deliver_due(phone, clock=clock) == 1
    assert len(fcm.taken) == 1  # the library itself repeats nothing
    first = await the_delivery(scene)
    assert (first["state"], first["attempts"]) == ("QUEUED", 1)
    assert first["error"].endswith(f"said {answer[1]['error']['status']}")
    assert timedelta(minutes=1) <= first["due_at"] - NOW <= timedelta(minutes=1.5)

    clock.set(first["due_at"] - timedelta(seconds=1))
    assert await deliver_due(phone, clock=clock) == 0
    clock.set(first["due_at"])
    assert await deliver_due(phone, clock=clock) == 1
    second = await the_delivery(scene)
    assert timedelta(minutes=2) <= second["due_at"] - clock.now() <= timedelta(minutes=3)
    clock.set(second["due_at"])
    assert await deliver_due(phone, clock=clock) == 1
    third = await the_delivery(scene)
    assert (third["state"], third["attempts"], third["error"], third["delivered_at"]) == (
        "SENT",
        3,
        None,
        clock.now(),
    )


async def test_the_services_wish_to_wait_is_kept(scene: Scene, fcm: FcmServer, phone: PhoneChannel) -> None:
    await queue(scene, "busy")
    fcm.will_answer("busy", QUOTA)
    fcm.headers = {"Retry-After": "1800"}
    await deliver_due(phone, clock=SetClock(NOW))
    assert (await the_delivery(scene))["due_at"] == NOW + timedelta(minutes=30)


async def test_it_is_given_up_after_so_many_attempts(
    scene: Scene, fcm: FcmServer, phone: PhoneChannel
) -> None:
    await queue(scene, "busy")
    fcm.will_answer("busy", *[UNAVAILABLE] * (ATTEMPTS + 5))
    clock = SetClock(NOW)
    while await deliver_due(phone, clock=clock):
        clock.set(clock.now() + LONGEST_WAIT * 2)
    row = await the_delivery(scene)
    assert (row["state"], row["attempts"], row["error"]) == (
        "FAILED",
        ATTEMPTS,
        "Unavailable: said UNAVAILABLE",
    )
    assert len(fcm.taken) == ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "words"),
    [(SENDER_MISMATCH, "another Firebase project"), (INVALID, "InvalidArgument")],
    ids=["sender", "invalid"],
)
async def test_what_will_never_work_is_not_repeated(
    scene: Scene, fcm: FcmServer, phone: PhoneChannel, answer: tuple[int, dict[str, Any]], words: str
) -> None:
    await queue(scene, "odd")
    fcm.will_answer("odd", answer)
    await deliver_due(phone, clock=SetClock(NOW))
    row = await the_delivery(scene)
    assert row["state"] == "FAILED"
    assert words in row["error"]
    assert not await is_forgotten(scene, "odd")


async def test_one_that_fails_takes_no_other_with_it(
    scene: Scene, fcm: FcmServer, phone: PhoneChannel
) -> None:
    await queue(scene, "good", "bad", "busy")
    fcm.will_answer("bad", INVALID)
    fcm.will_answer("busy", UNAVAILABLE)
    await deliver_due(phone, clock=SetClock(NOW))
    assert sorted(row["state"] for row in await scene.deliveries()) == ["FAILED", "QUEUED", "SENT"]


async def test_a_refused_sign_in_is_tried_again(scene: Scene, fcm: FcmServer, phone: PhoneChannel) -> None:
    await queue(scene, "token")
    fcm.sign_in_status = 400
    await deliver_due(phone, clock=SetClock(NOW))
    row = await the_delivery(scene)
    assert (row["state"], fcm.taken) == ("QUEUED", [])
    assert row["error"].startswith("SIGN_IN: ")
    fcm.sign_in_status = 200
    await deliver_due(phone, clock=SetClock(row["due_at"]))
    assert (await the_delivery(scene))["state"] == "SENT"


async def test_a_server_that_is_away_is_tried_again(
    scene: Scene, phone: PhoneChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue(scene, "token")
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", f"http://127.0.0.1:{free_port()}/{{0}}")
    await deliver_due(phone, clock=SetClock(NOW))
    row = await the_delivery(scene)
    assert row["state"] == "QUEUED"
    assert row["error"].startswith("Unavailable: ")


async def test_a_forgotten_device_gets_nothing_more(scene: Scene) -> None:
    await queue(scene, "kept", "dropped")
    async with transaction() as connection:
        await connection.execute("UPDATE device SET forgotten_at = $1 WHERE token = 'dropped'", NOW)
    channel = RecordingChannel()
    await deliver_due(channel, clock=SetClock(NOW))
    assert channel.sent == ["kept"]
    assert sorted((row["state"], row["error"]) for row in await scene.deliveries()) == [
        ("FAILED", DEVICE_GONE),
        ("SENT", None),
    ]


async def test_a_shared_phone_does_not_get_its_last_owners_news(scene: Scene) -> None:
    await queue(scene, "shared")
    second = await scene.add_partner()
    await add_device(scene, second, "shared", hours=1)
    channel = RecordingChannel()
    await deliver_due(channel, clock=SetClock(NOW))
    assert channel.sent == []
    row = await the_delivery(scene)
    assert (row["state"], row["error"]) == ("FAILED", DEVICE_GONE)


async def test_a_crash_between_sending_and_recording_sends_once_more(scene: Scene) -> None:
    await queue(scene, "token")
    channel = RecordingChannel()
    channel.breaks_with = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await deliver_due(channel, clock=SetClock(NOW))
    channel.breaks_with = None
    assert await deliver_due(channel, clock=SetClock(NOW + LEASE - timedelta(seconds=1))) == 0
    assert await deliver_due(channel, clock=SetClock(NOW + LEASE)) == 1
    assert await deliver_due(channel, clock=SetClock(NOW + LEASE * 9)) == 0
    assert channel.sent == ["token", "token"]
    row = await the_delivery(scene)
    assert (row["state"], row["attempts"]) == ("SENT", 2)


async def test_what_crashes_its_worker_each_time_is_given_up(scene: Scene) -> None:
    await queue(scene, "token")
    channel = RecordingChannel()
    channel.breaks_with = asyncio.CancelledError()
    for attempt in range(ATTEMPTS):
        with pytest.raises(asyncio.CancelledError):
            await deliver_due(channel, clock=SetClock(NOW + LEASE * attempt))
    assert await deliver_due(channel, clock=SetClock(NOW + LEASE * ATTEMPTS)) == 1
    row = await the_delivery(scene)
    assert (row["state"], row["error"], len(channel.sent)) == ("FAILED", NO_ANSWER, ATTEMPTS)


async def test_a_channel_that_breaks_loses_nothing(scene: Scene) -> None:
    await queue(scene, "token")
    channel = RecordingChannel()
    channel.breaks_with = RuntimeError("our own mistake")
    await deliver_due(channel, clock=SetClock(NOW))
    row = await the_delivery(scene)
    assert (row["state"], row["error"]) == ("QUEUED", "BROKEN: RuntimeError('our own mistake')")


async def test_a_late_result_counts_only_if_it_was_sent(scene: Scene) -> None:
    """The first worker stalls beyond its lease; the second one has tried and is to try again."""
    await queue(scene, "token")

    class Stalled(RecordingChannel):
        async def send(self, parcels: Sequence[Parcel]) -> Sequence[Outcome]:
            second = RecordingChannel()
            second.breaks_with = RuntimeError("busy")
            await deliver_due(second, clock=SetClock(NOW + LEASE))
            return await super().send(parcels)

    broken = Stalled()
    broken.breaks_with = RuntimeError("stalled")
    await deliver_due(broken, clock=SetClock(NOW))
    row = await the_delivery(scene)
    assert (row["state"], row["attempts"]) == ("QUEUED", 2)
    assert "busy" in row["error"]

    async with transaction() as connection:
        await connection.execute("UPDATE delivery SET due_at = $1", NOW)
    await deliver_due(Stalled(), clock=SetClock(NOW))
    assert (await the_delivery(scene))["state"] == "SENT"


async def test_workers_share_the_work(scene: Scene) -> None:
    tokens = [f"token-{number}" for number in range(40)]
    for start in range(0, len(tokens), 10):
        await queue(scene, *tokens[start : start + 10])
    workers = [RecordingChannel() for _ in range(2)]
    counts = await asyncio.gather(*(deliver_due(worker, clock=SetClock(NOW)) for worker in workers))
    assert sum(counts) == len(tokens)
    assert all(counts)
    assert sorted(workers[0].sent + workers[1].sent) == sorted(tokens)
    assert {(row["state"], row["attempts"]) for row in await scene.deliveries()} == {("SENT", 1)}


@pytest.mark.parametrize(
    "content", [None, "", "{}", '{"type": "authorized_user"}', '{"type": "service_account"}']
)
def test_credentials_that_are_none_are_refused_at_the_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Invalid) as refused:
        open_channels(firebase_credentials=path)
    assert refused.value.code == "MITRA_FIREBASE_CREDENTIALS"
    assert str(path) in refused.value.message


async def test_without_credentials_there_is_no_channel() -> None:
    assert open_channels(firebase_credentials=None) == []
