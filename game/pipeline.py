"""The transaction in which activities count, and nothing else: load once, fold, write once.

Locks are taken in one order: idempotency keys sorted, then partner rows by id, then shared budgets. What is loaded
after them is theirs alone until the commit. A batch of 1,000 costs the same statements as a batch of one.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from activity.rules import MAX_ACTIVITIES, ActivityInput, Refusal
from base import failpoints
from base.clock import Clock
from base.database import Connection, retrying, transaction
from base.errors import Invalid
from base.ids import IdsExhausted, take_ids
from base.memory import batch_in_hand
from base.telemetry import Stopwatch
from game.batch import Batch, Turn
from game.candidates import Candidate, examine_all
from game.loading import PlanMoved
from game.outcome import Outcome
from game.plan import Plan, plans
from game.timing import tell_batch
from loyalty.earning.counts import BudgetMoved

IDS_PER_ACTIVITY: Final = 4
"""Its own, its transaction's, and those of a mission's reward and its lot. The lots that rules grant come on top."""

BUDGET_ATTEMPTS: Final = 3
"""How often a batch may find that others took of a budget, before it keeps them from it."""


class WrongSize(Invalid):
    """A batch has 1 to 1,000 activities."""

    code = "WRONG_SIZE"


Settle: TypeAlias = Callable[[Connection, Sequence[Outcome]], Awaitable[None]]
"""What a caller writes in the same transaction, once its activities are decided. Raising undoes all."""


async def record(
    *,
    program_id: int,
    activities: Sequence[ActivityInput],
    clock: Clock,
    history: datetime | None = None,
    settle: Settle | None = None,
) -> list[Outcome]:
    """Record activities, in the order given; each stands or falls by itself. Outcomes come in the same order.

    With `history`, to where the clock of a load of the past has come, each is booked at the time at which it occurred,
    as if it had been sent then; but that clock only runs forwards. `settle` is called before the commit, and again
    wherever the batch is tried again.

    Raises `WrongSize`.
    """
    if not 1 <= len(activities) <= MAX_ACTIVITIES:
        raise WrongSize(f"a batch has 1 to {MAX_ACTIVITIES:,} activities", field=("activities",))
    plenty = 1
    budgets_moved = 0
    watch = Stopwatch()
    attempts = 0

    async def attempt() -> list[Outcome]:
        nonlocal attempts
        attempts += 1
        watch.start()
        turn = Turn(clock.now(), history, plenty, hold_budgets=budgets_moved >= BUDGET_ATTEMPTS)
        with batch_in_hand():
            outcomes = await _record(program_id, activities, turn, settle, watch)
        failpoints.reach("pipeline.committed")
        return outcomes

    while True:
        try:
            outcomes = await retrying(attempt)
        except PlanMoved:
            plans.forget(program_id)
        except IdsExhausted:
            plenty *= 4
        except BudgetMoved:
            budgets_moved += 1
        else:
            told = ((one.status, len(given.lines)) for one, given in zip(outcomes, activities, strict=True))
            tell_batch(watch, told, attempts=attempts)
            return outcomes


async def _record(
    program_id: int,
    activities: Sequence[ActivityInput],
    turn: Turn,
    settle: Settle | None,
    watch: Stopwatch,
) -> list[Outcome]:
    plan = await plans.get(program_id)
    async with transaction() as connection:
        outcomes = await _decide(connection, plan, activities, turn, watch)
        if settle is not None:
            await settle(connection, outcomes)
        failpoints.reach("pipeline.written")
        watch.split("save")
        return outcomes


async def _decide(
    connection: Connection,
    plan: Plan,
    activities: Sequence[ActivityInput],
    turn: Turn,
    watch: Stopwatch,
) -> list[Outcome]:
    checked = await examine_all(connection, plan, activities, now=turn.now)
    candidates = [one for one in checked if isinstance(one, Candidate)]
    if not candidates:
        return [
            Outcome.refused(given, one)
            for given, one in zip(activities, checked, strict=True)
            if isinstance(one, Refusal)
        ]
    ids_wanted = (IDS_PER_ACTIVITY + plan.earning.most_grants) * len(activities) * turn.plenty
    batch = Batch(plan, await take_ids(connection, ids_wanted), turn)
    watch.split("check")
    await batch.prepare(connection, candidates, watch)
    outcomes = [
        Outcome.refused(given, one) if isinstance(one, Refusal) else batch.decide(one)
        for given, one in zip(activities, checked, strict=True)
    ]
    watch.split("fold")
    failpoints.reach("pipeline.folded")
    return await batch.finish(connection, outcomes)
