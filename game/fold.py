"""The fold: activities one at a time, in the order given, through all stages in memory. Pure.

A batch is loaded once and written once; what lies between is here. One activity from a phone is a batch of one, and
any batching of the same sequence gives the same result.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from activity.returns import Original, references, resolve_return
from activity.rules import RETURN, Activity, ActivityInput, Line, Refusal
from base.numbers import plain
from game.earned import (
    count_use,
    explain_grant,
    explain_withheld,
    give_back_points,
    give_back_purchase,
)
from game.reaction import react
from game.state import Before, Moment, State
from game.tiering import catch_up
from game.wallets import give, recall_lot
from loyalty.earning.grants import Decision, Grant
from loyalty.earning.shares import recallable, returned_share
from loyalty.ledger.books import POINT, EntryKind, Transaction
from loyalty.ledger.posting import tell
from loyalty.tiers.marks import MarkKind
from loyalty.tiers.rules import Tier
from metrics.rules import ONE, MeterKey, Movement

SHARE_STEP: Final = Decimal("0.0001")
"""To what a returned share is rounded where it is shown; it is reckoned exactly. A part never shows as the whole."""


@dataclass(slots=True)
class Draft:
    """An activity that is claimed and placed, before it is decided. Has what a `Countable` has.

    `movements` is what a sale moves, and `reach` every meter that it may, with the points it brings; a return's are
    found when it is known what is left to return.
    """

    given: ActivityInput
    activity_id: int
    lines: tuple[Line, ...]
    moment: Moment
    posted_at: datetime
    recorded_at: datetime
    movements: Sequence[Movement] = ()
    reach: Set[MeterKey] = frozenset()

    @property
    def partner_id(self) -> int:
        return self.moment.partner_id

    @property
    def kind(self) -> str:
        return self.moment.kind

    @property
    def occurred_at(self) -> datetime:
        return self.moment.occurred_at

    @property
    def local_date(self) -> date:
        return self.moment.local_date

    @property
    def key(self) -> tuple[str, str]:
        """(source, external id)."""
        return self.given.source, self.given.external_id


def fold(state: State, draft: Draft) -> Transaction | Refusal:
    """Decide one activity on the state, and change the state to what it is after it.

    A refusal leaves the state as it was, but for what was due before it.
    """
    caught_up = False
    if not state.waits_for_past:
        caught_up = catch_up(state, state.partners[draft.partner_id], now=draft.posted_at)
    decided = _decide(state, draft)
    if caught_up and isinstance(decided, Refusal):
        state.mark_tier(draft.partner_id, MarkKind.REVIEWED, now=draft.posted_at)
    return decided


def _decide(state: State, draft: Draft) -> Transaction | Refusal:
    if draft.given.kind == RETURN:
        taken = resolve_return(draft.given, partner_id=draft.partner_id, originals=state.originals)
        if isinstance(taken, Refusal):
            return taken
        return _take_back(state, draft, taken)
    tier, decision = _reckon(state, draft)
    for unit, points in decision.points.items():
        if points > state.books.wallet(draft.partner_id, unit).room:
            return Refusal("TOO_MANY_POINTS", "it would bring the wallet above 2^53 points", ("lines",))
    return _take_in(state, draft, tier, decision)


def _open(
    state: State, draft: Draft, lines: tuple[Line, ...], reverses_id: int | None
) -> tuple[Activity, Transaction]:
    """The activity with its number in the journal, and the transaction for what it sets off."""
    partner = state.partners[draft.partner_id]
    partner.number += 1
    if state.waits_for_past and state.plan.ladder is not None:
        state.mark_tier(draft.partner_id, MarkKind.WAITED, now=draft.posted_at)
    given = draft.given
    activity = Activity(
        id=draft.activity_id,
        partner_id=draft.partner_id,
        number=partner.number,
        kind=given.kind,
        source=given.source,
        external_id=given.external_id,
        occurred_at=draft.occurred_at,
        posted_at=draft.posted_at,
        recorded_at=draft.recorded_at,
        local_date=draft.moment.local_date,
        time_zone=partner.view.time_zone,
        currency=given.currency or state.plan.currency,
        lines=lines,
        reverses_id=reverses_id,
        attributes=given.attributes,
        config_version=state.plan.version,
    )
    state.activities.append(activity)
    transaction = Transaction(
        id=state.ids.take(),
        partner_id=draft.partner_id,
        key=f"activity/{activity.id}",
        activity_id=activity.id,
        occurred_at=activity.occurred_at,
        posted_at=activity.posted_at,
    )
    return activity, transaction


def _close(state: State, transaction: Transaction) -> Transaction:
    if transaction.entries or transaction.facts or len(transaction.because.steps) > 1:
        state.transactions.append(transaction)
    return transaction


def _reckon(state: State, draft: Draft) -> tuple[Tier | None, Decision]:
    """What the rules grant and withhold, and the tier from before the activity whose multiplier is in it."""
    tier = None
    if state.plan.ladder is not None:
        standing = state.standings.get(draft.partner_id)
        tier = state.plan.ladder.tiers[standing.level if standing else 0]
    decision = state.plan.earning.decide(
        draft,
        partner=state.partners[draft.partner_id].view,
        multiplier=ONE if tier is None else tier.multiplier,
        counters=state.counters,
    )
    return tier, decision


def _take_in(state: State, draft: Draft, tier: Tier | None, decision: Decision) -> Transaction:
    """Whatever is not a return."""
    activity, transaction = _open(state, draft, draft.lines, None)
    original = Original.of(activity)
    state.originals[draft.key] = original
    state.moments[activity.id] = draft.moment
    state.remember(original)
    root = transaction.because.add(
        "activity", kind=activity.kind, source=activity.source, externalId=activity.external_id
    )
    partner = state.partners[draft.partner_id]
    before: Before = {}
    state.move(draft.movements, occurred_at=activity.occurred_at, before=before)
    earned = _earn(state, transaction, tier, decision.grants, root)
    if decision.withheld:
        explain_withheld(transaction.because, decision.withheld, root)
    if state.plan.earning.has_counters:
        count_use(state, activity, decision)
    if earned:
        state.count_points(activity.id, earned=earned)
        movements = state.plan.counting.count_points(activity, earned=earned, rewards=0)
        state.move(movements, occurred_at=activity.occurred_at, before=before)
    react(state, transaction, partner=partner, moment=draft.moment, before=before, root=root)
    return _close(state, transaction)


def _earn(
    state: State, transaction: Transaction, tier: Tier | None, grants: Sequence[Grant], root: int
) -> int:
    """Post what the rules grant; how many points it is."""
    earned = 0
    for granted in grants:
        step = explain_grant(transaction.because, granted, tier, root)
        terms = granted.rule.terms
        step = give(
            state,
            transaction,
            unit=terms.unit,
            amount=granted.points,
            kind=EntryKind.EARN,
            on=step,
            rule_id=granted.rule.id,
            basis=granted.basis,
            lock_days=terms.lock_days,
            expiry=(None if tier is None else tier.expiry) or terms.expiry,
        )
        tell(transaction, unit=terms.unit, amount=granted.points, kind=EntryKind.EARN, on=step)
        if terms.unit == POINT:
            earned += granted.points
    return earned


def _take_back(state: State, draft: Draft, taken: tuple[Line, ...]) -> Transaction:
    """A return, of a whole activity or of lines of several: in each one's own windows and lots."""
    named = [state.originals[key] for key in references(draft.given)]
    by_id = {one.activity.id: one for one in named}
    reverses_id = None
    if draft.given.reverses is not None:
        reverses_id = state.originals[draft.given.source, draft.given.reverses].activity.id
    activity, transaction = _open(state, draft, taken, reverses_id)
    state.originals[draft.key] = Original.of(activity)
    partner = state.partners[draft.partner_id]
    before: Before = {}
    taken_of: dict[int, list[Line]] = {}
    for line in taken:
        assert line.reverses is not None
        taken_of.setdefault(line.reverses[0], []).append(line)
    root = 0
    for original in by_id.values():
        root = transaction.because.add(
            "return",
            kind=activity.kind,
            source=activity.source,
            externalId=activity.external_id,
            of=original.activity.external_id,
        )
        _undo(state, transaction, original, taken_of.get(original.activity.id, ()), before, root)
    react(state, transaction, partner=partner, moment=draft.moment, before=before, root=root)
    return _close(state, transaction)


def _undo(
    state: State,
    transaction: Transaction,
    original: Original,
    taken: Sequence[Line],
    before: Before,
    root: int,
) -> None:
    """Take `taken` out of the original's meters, and their share out of the lots that it was granted."""
    activity, counting = original.activity, state.plan.counting
    stood, left_before, shares = original.stands, original.left, original.take(taken)
    movements = counting.count(activity, shares, stood=stood, stands=original.stands)
    state.move(movements, occurred_at=activity.occurred_at, before=before)
    recalled = 0
    lots = state.books.granted_for(activity_id=activity.id)
    for lot in lots:
        assert lot.basis is not None
        share = returned_share(lot.basis, lines=activity.lines, left=original.left)
        taken_of_lot = recall_lot(
            state,
            transaction,
            lot=lot,
            amount=recallable(lot, share),
            share=_shown(share),
            is_rounded=(lot.granted * share).denominator != 1,
            on=root,
        )
        give_back_points(state, activity, lot, taken_of_lot)
        if lot.unit == POINT:
            recalled += taken_of_lot
    give_back_purchase(state, original, left_before, stood=stood)
    if recalled:
        left = state.count_points(activity.id, earned=-recalled)
        movements = counting.count_points(activity, earned=-recalled, rewards=0, left=left)
        state.move(movements, occurred_at=activity.occurred_at, before=before)


def _shown(share: Fraction) -> str:
    """A returned share as a decimal."""
    rounded = (Decimal(share.numerator) / share.denominator).quantize(SHARE_STEP)
    return plain(rounded if share in (0, 1) else min(max(rounded, SHARE_STEP), ONE - SHARE_STEP))
