"""What would come of activities, and of rules that do not exist yet: decided by the code that records them.

It is a batch that is never finished: loaded in a read-only snapshot, folded in memory, and thrown away. So nothing can
be written, nobody is kept waiting, and the plan that it decides by, with its rules, is its own. Where activities lie
ahead, each is decided as if it were sent when it occurs: what falls due by then is made first, as it will have been.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from activity.rules import ActivityInput, Refusal
from base.clock import Clock
from base.database import Connection, reading, snapshot
from base.ids import IdsExhausted, take_ids
from base.telemetry import Stopwatch
from game.batch import Batch, Turn
from game.candidates import Candidate, examine_all
from game.facts import Fact, facts_of, load_facts
from game.loading import PlanMoved, check_version
from game.outcome import DUPLICATE, RECORDED, Outcome
from game.pipeline import IDS_PER_ACTIVITY, WrongSize
from game.plan import plans
from game.state import State
from game.wallets import catch_up
from loyalty.earning.explaining import explain_activities
from loyalty.earning.reasons import Considered, consider
from loyalty.earning.service import EarningRuleInput
from loyalty.earning.supposing import Supposed, suppose_rules
from loyalty.ledger.books import Wallet
from loyalty.ledger.service import load_due_lots

MOST: Final = 100
AHEAD: Final = timedelta(days=400)
"""How far ahead an activity may lie: a year, and the grace of a tier's review after it."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """What an activity would be answered, and what each rule would make of it.

    Where it would be RECORDED: what its partner would hold then, a wallet for each unit, and the key of its tier.
    """

    outcome: Outcome
    rules: Sequence[Considered] = ()
    wallets: Sequence[Wallet] = ()
    tier: str | None = None


async def preview(
    *,
    program_id: int,
    activities: Sequence[ActivityInput],
    rules: Sequence[EarningRuleInput] = (),
    tiers: Collection[str] = (),
    clock: Clock,
) -> list[Previewed]:
    """What would come of these 1 to 100 activities, in the order given, if these rules held too. Writes nothing.

    An activity may lie up to 400 days ahead. `tiers`: the keys of the program's. Raises `WrongSize`, and what
    `suppose_rules` does.
    """
    if not 1 <= len(activities) <= MOST:
        raise WrongSize(f"a preview has 1 to {MOST} activities", field=("activities",))
    plenty = 1
    while True:
        plan = await plans.get(program_id)
        grants = plan.earning.most_grants + len(rules)
        async with reading() as connection:
            ids = await take_ids(connection, (IDS_PER_ACTIVITY + grants) * len(activities) * plenty)
        now = clock.now()
        try:
            async with snapshot() as connection:
                await check_version(connection, plan)
                supposed = await suppose_rules(
                    connection,
                    plan.earning,
                    program_id=program_id,
                    kinds=plan.kinds,
                    rules=rules,
                    tiers=tiers,
                    now=now,
                )
                # Names are looked up anew, too: what the process keeps of them is not to come from here.
                mine = replace(plan, earning=supposed.earning, products={}, partner_ids={}, zones={})
                checked = await examine_all(connection, mine, activities, now=now + AHEAD)
                batch = Batch(mine, ids, Turn(now, supposed=True))
                return await _decide(connection, batch, supposed, activities, checked)
        except PlanMoved:
            plans.forget(program_id)
        except IdsExhausted:
            plenty *= 4


async def _decide(
    connection: Connection,
    batch: Batch,
    supposed: Supposed,
    activities: Sequence[ActivityInput],
    checked: Sequence[Candidate | Refusal],
) -> list[Previewed]:
    """Load what the activities need, and decide them one after the other."""
    candidates = [one for one in checked if isinstance(one, Candidate)]
    await batch.prepare(connection, candidates, Stopwatch())
    state = batch.state
    if state is not None:
        state.counters = supposed.limit(state.counters)
        program_id, partner_ids = batch.plan.program_id, list(state.partners)
        await load_due_lots(
            connection, state.books, program_id=program_id, partner_ids=partner_ids, now=batch.now
        )
    previews = [
        Previewed(Outcome.refused(given, _name_reach(one))) if isinstance(one, Refusal) else _try(batch, one)
        for given, one in zip(activities, checked, strict=True)
    ]
    ids = {one.outcome.activity_id for one in previews if one.outcome.activity_id is not None}
    told, considered = await _tell(connection, batch, ids)
    return [
        one
        if (id_ := one.outcome.activity_id) is None
        else replace(one, outcome=_answer(one.outcome, told[id_]), rules=considered[id_])
        for one in previews
    ]


def _name_reach(refusal: Refusal) -> Refusal:
    """What lies in the future is previewed, and only what lies too far ahead is refused: that is said of it."""
    if refusal.code != "FUTURE_DATE":
        return refusal
    return replace(refusal, message=f"occurredAt lies more than {AHEAD.days} days ahead")


def _try(batch: Batch, one: Candidate) -> Previewed:
    """Decide an activity in its turn, once time has done its work on the partner's wallets."""
    state, draft = batch.state, batch.drafts.get(one)
    if state is not None and draft is not None:
        for wallet in _wallets(state, one.partner_id):
            catch_up(state, one.partner_id, unit=wallet.unit, now=draft.posted_at)
    outcome = batch.decide(one)
    if state is None or outcome.status != RECORDED:
        return Previewed(outcome)
    held = [replace(wallet) for wallet in _wallets(state, one.partner_id)]
    return Previewed(outcome, wallets=held, tier=state.partners[one.partner_id].view.tier)


def _wallets(state: State, partner_id: int) -> list[Wallet]:
    """The partner's wallets, by unit."""
    mine = (wallet for wallet in state.books.wallets.values() if wallet.partner_id == partner_id)
    return sorted(mine, key=lambda wallet: wallet.unit)


def _answer(outcome: Outcome, facts: Sequence[Fact]) -> Outcome:
    """A repetition answers all that came of the first, as it does when it is recorded."""
    return replace(outcome, told=facts) if outcome.status == DUPLICATE else outcome


async def _tell(
    connection: Connection, batch: Batch, activity_ids: Collection[int]
) -> tuple[Mapping[int, Sequence[Fact]], Mapping[int, Sequence[Considered]]]:
    """The facts of activities, and what each rule made of them: of what was decided here, and of what stood before."""
    program_id, state = batch.plan.program_id, batch.state
    facts: dict[int, list[Fact]] = {}
    rules: dict[int, list[Considered]] = {}
    if state is not None:
        facts = {one.id: [] for one in state.activities}
        steps = {one.key: one.because.steps for one in state.transactions}
        for one in sorted(state.transactions, key=lambda one: one.id):
            if one.activity_id is not None:
                facts[one.activity_id] += facts_of(one)
        rules = {
            one.id: consider(batch.plan.earning.by_id.values(), one, steps.get(f"activity/{one.id}", ()))
            for one in state.activities
        }
    stored = sorted(set(activity_ids) - facts.keys())
    if stored:
        facts |= await load_facts(connection, program_id=program_id, activity_ids=stored)
        rules |= await explain_activities(connection, program_id=program_id, activity_ids=stored)
    return facts, rules
