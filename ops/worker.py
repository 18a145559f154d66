"""The worker: what runs beside the API, once per process that is not `--only api`.

The relay hands the outbox to its consumers, each in a loop and at a pace of its own: Redis standing still holds up the
boards, and nothing else. The ticks are woken by `ops.scheduler` in the one elected process, and ask the database what
is due.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from base import outbox
from base.clock import Clock
from base.outbox import Consumer
from base.settings import Settings
from game.review import review_all
from leaderboards import projector, rebuild, seasons
from ops.scheduler import Tick
from push import live, notifier
from push.channels import open_channels
from push.deliveries import deliver_due

IDLE_SECONDS: Final = 0.2
"""How long a consumer that has seen everything waits before it looks again."""
LONGEST_WAIT_SECONDS: Final = 15.0
"""How long a consumer that fails waits at most before it tries again."""

log = logging.getLogger(__name__)


class Worker:
    """The relay and the ticks of one process. The pools are open while it runs."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._channels = open_channels(firebase_credentials=settings.firebase_credentials)
        self._consumers: dict[str, Consumer] = {
            projector.CONSUMER: projector.project,
            notifier.MESSAGES: notifier.Notifier(
                clock=clock, is_phone_configured=settings.firebase_credentials is not None
            ).notify,
            live.FACTS: live.FactFeed(clock=clock).publish,
        }
        self.ticks: Final = (
            Tick("seasons", 5, self._advance_seasons),
            Tick("review", 1, self._review),
            Tick("boards", 5, self._heal_boards),
            Tick("deliveries", 1, self._deliver),
            Tick("outbox", 30, outbox.drop_consumed),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until `stop`."""
        await outbox.register(*self._consumers)
        async with asyncio.TaskGroup() as group:
            for name, consumer in self._consumers.items():
                group.create_task(relay(name, consumer, stop))

    async def _advance_seasons(self) -> None:
        await seasons.advance_seasons(self._clock.now())

    async def _review(self) -> None:
        await review_all(self._clock)

    async def _heal_boards(self) -> None:
        await rebuild.heal()

    async def _deliver(self) -> None:
        for channel in self._channels:
            while await deliver_due(channel, clock=self._clock):
                pass


async def relay(name: str, consumer: Consumer, stop: asyncio.Event) -> None:
    """Hand the outbox to one consumer until `stop`. What fails is tried again, ever more slowly."""
    failures = 0
    while not stop.is_set():
        try:
            seen = await outbox.consume(name, consumer)
            failures = 0
        except Exception as error:
            failures += 1
            log.warning("the relay to %s failed %d times in a row: %s", name, failures, error)
            seen = 0
        if not seen:
            await pause(stop, min(IDLE_SECONDS * 2**failures, LONGEST_WAIT_SECONDS))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, or less where `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
