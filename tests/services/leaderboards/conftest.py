"""What the tests of the boards share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

import base.feed
import base.redis


@pytest.fixture
async def boards(
    database: None, redis: base.redis.Client, redis_url: str
) -> AsyncIterator[base.redis.Client]:
    """Database, Redis and the live feed, connected."""
    await base.feed.connect(redis_url)
    yield redis
    # redis-py may swallow the cancellation of a publish that is under way; the second one ends it.
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await base.feed.close()


@pytest.fixture(autouse=True)
def _alone(no_other_boards: None) -> None:
    """What heals or advances all boards looks at those of the test alone."""
