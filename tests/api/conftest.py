"""What the tests of the API share."""

from collections.abc import AsyncIterator

import pytest

import base.feed
import base.redis


@pytest.fixture
async def feed(database: None, redis: base.redis.Client, redis_url: str) -> AsyncIterator[None]:
    """Database, Redis and the live feed, connected."""
    await base.feed.connect(redis_url)
    yield
    await base.feed.close()
