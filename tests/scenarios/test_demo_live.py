"""`mitra demo --live` against a real server: loaded baskets become sales of now, and boards move."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

import base.redis
from api.app import create_app
from api.auth import issue_token
from api.roles import Role
from base.clock import SystemClock
from base.settings import Settings, signing_key
from ops.demo.catalog import PROGRAM
from ops.demo.live import LASTING, LIVE_SOURCE, ApiUnreachable, Sender, load_last_baskets, run_sales
from ops.demo.progress import find_demo
from ops.listening import listen, serve_app
from tests.command import free_port
from tests.scenarios.test_demo import START, Screen, load
from tests.services.programs import value

SOLD = "SELECT count(*) FROM activity WHERE program_id = $1 AND source = $2"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose key signs the tokens here."""
    return Settings(data_dir=tmp_path, secret_key=SecretStr("a key for the tests of the demo, long enough"))


@pytest.fixture
async def url(boards: base.redis.Client, settings: Settings) -> AsyncIterator[str]:
    """A server on the test's database, with the demo loaded."""
    await load()
    listener = listen("127.0.0.1", 0)
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_app(create_app(settings, connect=False), listener, stop))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    await serving
    listener.close()


def sender_of(url: str, settings: Settings, *, role: Role = Role.INTEGRATION) -> Sender:
    """A sender with a token of that role."""
    token = issue_token(
        signing_key(settings), role=role, program=PROGRAM, now=SystemClock().now(), lasting=LASTING
    )
    return Sender(url, token=token)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # what is printed sets no event
            await asyncio.sleep(0.02)


async def test_baskets_are_sold_again_until_it_is_stopped(url: str, settings: Settings) -> None:
    found = await find_demo()
    assert found is not None
    before = await value(SOLD, found.program_id, LIVE_SOURCE)
    screen = Screen()
    baskets = await load_last_baskets()
    selling = asyncio.create_task(
        run_sales(sender_of(url, settings), baskets, pace=50, clock=SystemClock(), console=screen)
    )
    await until(lambda: "recorded" in screen.text or selling.done())
    selling.cancel()
    await selling
    told = screen.text.splitlines()[-1]
    assert told.startswith("Stopped: ")
    sent = int(told.split()[1].replace(",", ""))
    assert "duplicate" not in told
    assert "rejected" not in told
    assert await value(SOLD, found.program_id, LIVE_SOURCE) == int(str(before)) + sent
    assert sent > 0
    latest = "SELECT max(occurred_at) > $3 FROM activity WHERE program_id = $1 AND source = $2"
    assert await value(latest, found.program_id, LIVE_SOURCE, START)


async def test_a_server_that_does_not_answer_is_said_in_one_line(settings: Settings) -> None:
    sender = sender_of(f"http://127.0.0.1:{free_port()}", settings)
    with pytest.raises(ApiUnreachable, match=r"No API answers at .*: start it with `mitra serve`"):
        await asyncio.to_thread(sender.send, [], SystemClock())


async def test_a_role_that_may_not_send_is_refused_in_one_line(url: str, settings: Settings) -> None:
    sender = sender_of(url, settings, role=Role.FINANCE)
    (basket, *_) = await load_last_baskets()
    with pytest.raises(ApiUnreachable, match="The API"):
        await asyncio.to_thread(sender.send, [("x", basket)], SystemClock())
    sender.close()


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://example.com", "http://"])
def test_an_address_that_is_none_is_refused(settings: Settings, address: str) -> None:
    with pytest.raises(ApiUnreachable, match="no address of an API"):
        sender_of(address, settings)
