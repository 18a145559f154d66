"""The worker: what runs beside the API, once per process that is not `--only api`.

The relay hands the outbox to its consumers, each in a loop and at a pace of its own: Redis standing still holds up the
boards, and nothing else. Jobs are done one at a time, and left to another worker when this one stops. The ticks are
woken by `ops.scheduler` in the one elected process, and ask the database what is due.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from base import jobs, outbox, parked
from base.clock import Clock
from base.logs import saying
from base.outages import outage_of
from base.outbox import Consumer
from base.settings import Settings
from base.telemetry import counter
from game.review import review_all
from game.tier_reviews import review_tiers
from imports.job import ImportJob, drop_abandoned
from imports.limits import ImportLimits
from imports.uploads import JOB as IMPORT_JOB
from leaderboards import projector, rebuild, seasons
from loyalty.ledger.turning import turn_lots
from ops.scheduler import Tick
from push import live, notifier
from push.channels import open_channels
from push.deliveries import deliver_due
from push.expiring import tell_expiring

IDLE_SECONDS: Final = 0.2
"""How long a consumer that has seen everything waits before it looks again."""
LONGEST_WAIT_SECONDS: Final = 15.0
"""How long a consumer that fails waits at most before it tries again."""
FAULTS: Final = 3
"""How often rows may fail by a fault that is no outage: then they are handed one at a time, and then one is parked."""
LONGEST_FAULT_SECONDS: Final = 1.0
"""How long to wait at most after such a fault: time alone does not mend it."""

RELAYED: Final = counter(
    "mitra_relay_rows_total", "Rows of the outbox that a consumer has passed.", consumer=()
)
RELAY_FAILURES: Final = counter(
    "mitra_relay_failures_total", "Turns in which a consumer could not handle its rows.", consumer=()
)

log = logging.getLogger(__name__)


class Worker:
    """The relay and the ticks of one process. The pools are open while it runs."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._import_limits = ImportLimits.of(settings)
        self._is_phone_configured = settings.firebase_credentials is not None
        self._channels = open_channels(firebase_credentials=settings.firebase_credentials)
        self._consumers = consumers(settings, clock)
        self.ticks: Final = (
            Tick("seasons", 5, self._advance_seasons),
            Tick("review", 1, self._review),
            Tick("lots", 60, self._turn_lots),
            Tick("tiers", 10, self._review_tiers),
            Tick("expiring", 600, self._tell_expiring),
            Tick("boards", 5, self._heal_boards),
            Tick("deliveries", 1, self._deliver),
            Tick("outbox", 30, outbox.drop_consumed),
            Tick("imports", 3600, self._drop_abandoned_imports),
            Tick("jobs", 3600, jobs.drop_old_log),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Relay, and do jobs, until `stop`."""
        await outbox.register(*self._consumers)
        async with asyncio.TaskGroup() as group:
            for name, consumer in self._consumers.items():
                with saying(consumer=name):  # the task keeps it
                    group.create_task(relay(name, consumer, stop))
            # One import at a time: it takes what a process has of a core.
            importing = ImportJob(self._clock, self._import_limits)
            group.create_task(jobs.Runner(IMPORT_JOB, importing.work).run(stop))

    async def _advance_seasons(self) -> None:
        await seasons.advance_seasons(self._clock.now())

    async def _review(self) -> None:
        await review_all(self._clock)

    async def _turn_lots(self) -> None:
        await turn_lots(self._clock.now())

    async def _tell_expiring(self) -> None:
        await tell_expiring(self._clock.now(), is_phone_configured=self._is_phone_configured)

    async def _review_tiers(self) -> None:
        await review_tiers(self._clock)

    async def _heal_boards(self) -> None:
        await rebuild.heal()

    async def _drop_abandoned_imports(self) -> None:
        await drop_abandoned(self._clock.now())

    async def _deliver(self) -> None:
        for channel in self._channels:
            while await deliver_due(channel, clock=self._clock):
                pass


def consumers(settings: Settings, clock: Clock) -> dict[str, Consumer]:
    """Whoever is told of what was committed, by name."""
    is_phone_configured = settings.firebase_credentials is not None
    return {
        projector.CONSUMER: projector.project,
        notifier.MESSAGES: notifier.Notifier(clock=clock, is_phone_configured=is_phone_configured).notify,
        live.FACTS: live.FactFeed(clock=clock).publish,
    }


@dataclass(slots=True)
class Caution:
    """How carefully a consumer is handed rows.

    After `FAULTS` faults in a row that are no outage it gets the rows one at a time, as many as stood together, so that
    the one at fault is found; and where that one fails as often, it is parked.
    """

    faults: int = 0
    alone: int = 0

    @property
    def limit(self) -> int:
        """How many rows to hand at once."""
        return 1 if self.alone else outbox.LIMIT

    @property
    def is_parking(self) -> bool:
        """Whether the next row is parked where it fails once more."""
        return self.alone > 0 and self.faults >= FAULTS - 1

    def note_success(self, seen: int) -> None:
        """So many rows are done."""
        self.faults = 0
        self.alone = max(self.alone - seen, 0) if seen else 0

    def note_fault(self) -> None:
        """The rows failed by a fault that is no outage."""
        self.faults += 1
        if not self.alone and self.faults >= FAULTS:
            self.alone, self.faults = outbox.LIMIT, 0


async def relay(name: str, consumer: Consumer, stop: asyncio.Event) -> None:
    """Hand the outbox to one consumer until `stop`. What fails is tried again, ever more slowly; see `Caution`."""
    failures = 0
    caution = Caution()
    while not stop.is_set():
        longest = LONGEST_WAIT_SECONDS
        try:
            park = parked.park if caution.is_parking else None
            seen = await outbox.consume(name, consumer, limit=caution.limit, park=park)
            failures = 0
            caution.note_success(seen)
            RELAYED.labels(name).inc(seen)
        except Exception as error:
            seen = 0
            failures += 1
            RELAY_FAILURES.labels(name).inc()
            log.warning("the relay to %s failed %d times in a row: %r", name, failures, error)
            if outage_of(error) is None:
                caution.note_fault()
                longest = LONGEST_FAULT_SECONDS
        if not seen:
            await pause(stop, min(IDLE_SECONDS * 2**failures, longest))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, or less where `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
