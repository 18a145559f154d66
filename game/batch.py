"""A batch of activities between its first lock and its commit: locked in one order, loaded in sets, decided in turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from activity.journal import Claim, claim_keys, find_keys, load_originals, release_keys
from activity.returns import Original, references
from activity.rules import RETURN, Refusal
from base import failpoints
from base.database import Connection
from base.ids import Ids
from base.telemetry import Stopwatch
from game.candidates import Candidate
from game.facts import load_facts
from game.fold import Draft, fold
from game.loading import (
    check_version,
    load_history_into,
    load_idle_lots_into,
    load_lots_into,
    load_purchases_into,
    load_state,
    lock_partners,
)
from game.outcome import DUPLICATE, RECORDED, Outcome
from game.plan import Plan
from game.saving import save_state
from game.state import Moment, PartnerState, State
from loyalty.earning.counters import UsageKey
from loyalty.ledger.books import Lot
from metrics.counting import whole
from metrics.rules import POINTS, MeterKey, Placed
from metrics.windows import local_day


@dataclass(frozen=True, slots=True)
class Turn:
    """How a batch is tried: at what time, to where the clock of a load of the past has come, with how many ids for
    what cannot be foreseen, and whether others are kept from its budgets.

    What is only `supposed` is never finished: it takes no locks and no keys, and is decided as if each activity were
    sent when it occurs, where that lies ahead.
    """

    now: datetime
    history: datetime | None = None
    plenty: int = 1
    hold_budgets: bool = False
    supposed: bool = False


def when(one: Placed) -> tuple[int, datetime]:
    """Whose it is, and when it occurred."""
    return one.partner_id, one.occurred_at


class Batch:
    """A batch between its first lock and its commit."""

    def __init__(self, plan: Plan, ids: Ids, turn: Turn) -> None:
        self.plan = plan
        self.ids = ids
        self.now = turn.now
        self.history = turn.history
        self.hold_budgets = turn.hold_budgets
        self.supposed = turn.supposed
        self.claims: dict[tuple[str, str], Claim] = {}
        self.known: dict[tuple[str, str], Claim] = {}
        self.accepted: dict[tuple[str, str], Claim] = {}
        self.drafts: dict[Candidate, Draft] = {}
        self.zones: dict[int, str] = {}
        self.partners: dict[int, PartnerState] = {}
        self.state: State | None = None

    async def prepare(
        self, connection: Connection, candidates: Sequence[Candidate], watch: Stopwatch
    ) -> None:
        """Take the locks, in their order, and load what the candidates need."""
        for one in candidates:
            if one.key not in self.claims:
                self.claims[one.key] = Claim(*one.key, one.payload_hash, self.ids.take())
        self.known = await self._claim(connection)
        watch.split("claim")
        failpoints.reach("pipeline.claimed")
        undecided = [one for one in candidates if one.key not in self.known]
        fresh = [one for one in undecided if one.refusal is None]
        if not fresh:
            if undecided:
                await check_version(connection, self.plan)
            return
        partner_ids = {one.partner_id for one in fresh}
        self.zones = {id_: self.plan.zones[id_] for id_ in partner_ids}
        self.drafts = {one: self._draft(one) for one in fresh}
        watch.split("fold")
        self.partners = await lock_partners(connection, self.plan, partner_ids, hold=not self.supposed)
        watch.split("lock")
        failpoints.reach("pipeline.locked")
        self._correct_zones()
        originals = await self._originals(connection, fresh)
        self.state = await load_state(
            connection,
            self.plan,
            ids=self.ids,
            partners=self.partners,
            keys=self._keys(originals),
            usage=self._usage_keys(originals),
            hold_budgets=self.hold_budgets,
            live_at=self.now if self.history is None else None,
        )
        self.state.originals.update(originals)
        until = max(draft.posted_at for draft in self.drafts.values())
        await load_idle_lots_into(connection, self.state, until=until)
        await self._load_for_returns(connection, fresh)
        failpoints.reach("pipeline.loaded")
        watch.split("load")

    async def _claim(self, connection: Connection) -> dict[tuple[str, str], Claim]:
        """Take the keys; those that had been taken before."""
        program_id = self.plan.program_id
        if self.supposed:
            return await find_keys(connection, program_id=program_id, keys=list(self.claims))
        return await claim_keys(connection, program_id=program_id, claims=self.claims.values())

    def _draft(self, one: Candidate) -> Draft:
        """Counted before its partner is locked, as others may wait for it: by the zone that it was last seen in."""
        occurred_at = one.given.occurred_at.astimezone(UTC)
        day = local_day(occurred_at, self.zones[one.partner_id])
        moment = Moment(one.partner_id, one.given.kind, occurred_at, day)
        if self.history is not None:
            self.history = max(self.history, occurred_at)
        if self.supposed:
            self.now = max(self.now, occurred_at)
        posted_at = self.history or self.now
        draft = Draft(one.given, self.claims[one.key].activity_id, one.lines, moment, posted_at, self.now)
        self._count(draft)
        return draft

    def _count(self, draft: Draft) -> None:
        if draft.kind != RETURN:
            draft.movements = self.plan.counting.count(draft, whole(draft.lines), stood=False, stands=True)
            draft.reach = self.plan.counting.reach(draft, draft.movements)

    def _correct_zones(self) -> None:
        """Count again for partners whose zone is not the one that was counted by, now that it cannot change."""
        zones = {id_: one.view.time_zone for id_, one in self.partners.items()}
        moved = {id_: zone for id_, zone in zones.items() if zone != self.zones[id_]}
        self.plan.zones.update(moved)
        for draft in self.drafts.values() if moved else ():
            if draft.partner_id in moved:
                day = local_day(draft.occurred_at, moved[draft.partner_id])
                draft.moment = replace(draft.moment, local_date=day)
                self._count(draft)

    async def _originals(
        self, connection: Connection, fresh: Sequence[Candidate]
    ) -> dict[tuple[str, str], Original]:
        """What the returns among them name, of what stood before this batch."""
        named = {key for one in fresh if one.given.kind == RETURN for key in references(one.given)}
        named -= {one.key for one in fresh}
        if not named:
            return {}
        claims = await find_keys(connection, program_id=self.plan.program_id, keys=sorted(named))
        found = await load_originals(
            connection,
            program_id=self.plan.program_id,
            activity_ids=[claim.activity_id for claim in claims.values()],
        )
        return {key: found[claim.activity_id] for key, claim in claims.items() if claim.activity_id in found}

    def _keys(self, originals: dict[tuple[str, str], Original]) -> set[MeterKey]:
        """Every meter that the batch may move."""
        keys: set[MeterKey] = set()
        for draft in self.drafts.values():
            keys |= draft.reach
        for original in originals.values():
            keys |= self.plan.counting.reach(original.activity)
        return keys

    def _usage_keys(self, originals: dict[tuple[str, str], Original]) -> set[UsageKey]:
        """Where what earning rules gave may be counted, or given back."""
        earning = self.plan.earning
        placed: list[Placed] = [*self.drafts.values(), *(one.activity for one in originals.values())]
        return {
            key
            for one in (placed if earning.has_counters else ())
            for key in earning.usage_keys(one.kind, partner_id=one.partner_id, local_date=one.local_date)
        }

    async def _load_for_returns(self, connection: Connection, fresh: Sequence[Candidate]) -> None:
        """Lots that may be recalled, and the journal of the partners whose last counted activity may come back."""
        returns = [one for one in fresh if one.given.kind == RETURN]
        if not returns:
            return
        assert self.state is not None
        state = self.state
        partner_ids = sorted({one.partner_id for one in returns})
        activity_ids = [original.activity.id for original in state.originals.values()]
        await load_lots_into(connection, state, partner_ids=partner_ids, activity_ids=activity_ids)
        if self.plan.earning.numbers_purchases:
            await load_purchases_into(connection, state, activity_ids=activity_ids)
        reached = {(key[2], meter.reached_at) for key, meter in state.meters.items()}
        in_need = {
            one.partner_id
            for one in returns
            for key in references(one.given)
            if key not in state.originals or when(state.originals[key].activity) in reached
        }
        if self.plan.counts_rewards:
            # A return may take a reward too, of a completion that stands or that this batch brings.
            series = self.plan.counting.series
            by_points = {
                (key[2], meter.reached_at)
                for key, meter in state.meters.items()
                if series[key[0]].metric.measure in POINTS
            }
            in_need.update(
                lot.partner_id for lot in self._rewards() if when(state.moment_of(lot)) in by_points
            )
            in_need.update(one.partner_id for one in fresh if one.given.kind != RETURN)
        await load_history_into(connection, state, partner_ids=sorted(in_need & set(partner_ids)))

    def _rewards(self) -> Iterator[Lot]:
        """The lots of what the completions that stand have paid to partners with a return."""
        assert self.state is not None
        for one in self.state.completions.values():
            paid = self.state.reward_transactions.get(one.reward_key()) if one.stands else None
            if paid is not None:
                yield from self.state.books.granted_by(transaction_id=paid)

    def decide(self, one: Candidate) -> Outcome:
        """An activity in its turn: a repetition answers as the first time, whenever that was."""
        first = self.known.get(one.key) or self.accepted.get(one.key)
        if first is not None:
            if first.payload_hash != one.payload_hash:
                message = f"{one.given.external_id} of {one.given.source} was recorded with another payload"
                return Outcome.refused(one.given, Refusal("IDEMPOTENCY_CONFLICT", message, ("externalId",)))
            return Outcome(one.given.external_id, DUPLICATE, first.activity_id)
        if one.refusal is not None:
            return Outcome.refused(one.given, one.refusal)
        assert self.state is not None
        draft = self.drafts[one]
        if self.partners[one.partner_id].view.status == "CLOSED":
            return Outcome.refused(
                one.given, Refusal("PARTNER_CLOSED", "the partner is closed", ("partner",))
            )
        decided = fold(self.state, draft)
        if isinstance(decided, Refusal):
            return Outcome.refused(one.given, decided)
        self.accepted[one.key] = Claim(*one.key, one.payload_hash, draft.activity_id)
        return Outcome(one.given.external_id, RECORDED, draft.activity_id, told=decided)

    async def finish(self, connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write everything, give unused keys back, and let repetitions answer as the first time."""
        program_id = self.plan.program_id
        mine = {key: claim for key, claim in self.claims.items() if key not in self.known}
        stale = [key for key, claim in mine.items() if self.accepted.get(key) != claim]
        await release_keys(connection, program_id=program_id, keys=stale)
        again = [self.accepted[key] for key in stale if key in self.accepted]
        await claim_keys(connection, program_id=program_id, claims=again)
        if self.state is not None and self.state.activities:
            await save_state(connection, self.state)
        repeated = {one.activity_id for one in outcomes if one.status == DUPLICATE and one.activity_id}
        if not repeated:
            return list(outcomes)
        facts = await load_facts(connection, program_id=program_id, activity_ids=sorted(repeated))
        return [
            replace(one, told=facts[one.activity_id]) if one.activity_id in repeated else one
            for one in outcomes
        ]
