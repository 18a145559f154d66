"""How partners climb the ladder, and come down: what counts moves the tier, and reviews of what is over do. Pure.

Whoever decides by a tier calls `catch_up` first, and `follow_tier` when the meters moved. Every change is told as a
fact, and noted for the partner's history.
"""

from datetime import datetime, timedelta

from base.numbers import plain
from game.state import Before, PartnerState, State
from loyalty.because import Step
from loyalty.ledger.books import Transaction
from loyalty.tiers.changes import TierChange
from loyalty.tiers.periods import Calendar, Values
from loyalty.tiers.reviews import (
    Cause,
    Review,
    begin,
    best_value,
    bring_up_to_date,
    follow,
    is_too_late,
    next_due,
)
from loyalty.tiers.rules import Ladder, Override, Standing


def catch_up(state: State, partner: PartnerState, *, now: datetime) -> bool:
    """Make the reviews of the partner's tier that are due: the job that makes them may be late.

    Whether there were any. Who does it beside an activity that is accepted marks it (`loyalty.tiers.marks`).
    """
    ladder = state.plan.ladder
    if ladder is None:
        return False
    partner_id = partner.view.id
    standing = state.standings.get(partner_id)
    # One that an activity of the same batch began, and is not to be kept, begins anew: it has no reviews to tell of.
    if standing is None or not (standing.is_stored or standing.changed):
        # Until its past has been gone through again, it begins there.
        if ladder.is_reviewed and not state.is_due(ladder.series_id, partner_id):
            standing = state.standings[partner_id] = Standing(0, None)
            begin(ladder, standing, _values(state, partner_id), _calendar(partner), now=now)
            standing.changed = False  # not to be kept before a meter of the ladder moves
    elif standing.is_due(now) and state.is_filled(ladder.series_id, partner_id):
        values, calendar = _values(state, partner_id), _calendar(partner)
        for review in bring_up_to_date(ladder, standing, values, calendar, now=now):
            state.tier_reviews.append(review)
            if review.before != review.after:
                _tell_review(state, ladder, partner, standing, review, now)
        return True
    return False


def follow_tier(
    state: State,
    transaction: Transaction,
    partner: PartnerState,
    root: int,
    *,
    cause: Cause,
    before: Before | None = None,
) -> None:
    """Bring the partner's tier to what its meters have earned. `before` holds where those that moved stood."""
    ladder = state.plan.ladder
    if ladder is None:
        return
    partner_id = partner.view.id
    values, calendar = _values(state, partner_id), _calendar(partner)
    if not values and partner_id not in state.standings:
        return
    standing = state.standings.setdefault(partner_id, Standing(0, None))
    level = standing.level
    if ladder.is_reviewed:
        standing.changed = standing.changed or not standing.is_stored
        if standing.open_from is None:
            begin(ladder, standing, values, calendar, now=transaction.posted_at)
        elif before:
            _tell_too_late(state, transaction, ladder, standing, calendar, before, root)
    follow(ladder, standing, values, calendar)
    if standing.level != level:
        value = plain(best_value(ladder, standing, values, calendar))
        numbers = {"value": value, "threshold": _threshold(ladder, level, standing.level)}
        _change(state, transaction, partner, cause, level, standing.level, root, numbers)
        standing.since = transaction.posted_at


def give_by_hand(
    state: State, transaction: Transaction, partner: PartnerState, override: Override | None, root: int
) -> None:
    """Put the partner on a tier whatever it has earned, or back on what it has. Its standing is up to date."""
    ladder = state.plan.ladder
    if ladder is None:
        return
    standing = state.standings.setdefault(partner.view.id, Standing(0, None))
    level = standing.level
    standing.override, standing.changed = override, True
    standing.level = standing.earned if override is None else override.level
    standing.review_at = next_due(ladder, standing, _calendar(partner))
    if standing.level != level:
        cause = Cause.OVERRIDE_ENDED if override is None else Cause.OVERRIDDEN
        _change(state, transaction, partner, cause, level, standing.level, root, {})
        standing.since = transaction.posted_at


def _tell_review(
    state: State,
    ladder: Ladder,
    partner: PartnerState,
    standing: Standing,
    review: Review,
    now: datetime,
) -> None:
    """A transaction of its own, for a review that changed the tier. It happened when it was due."""
    transaction_id = state.ids.take()
    transaction = Transaction(
        id=transaction_id,
        partner_id=partner.view.id,
        key=f"tier/{transaction_id}",
        activity_id=None,
        occurred_at=review.at,
        posted_at=now,
    )
    numbers: Step = {}
    if review.cause is Cause.OVERRIDE_ENDED:
        root = transaction.because.add("override_ended", tier=ladder.tiers[review.before].key)
    else:
        assert review.starts_on is not None
        assert review.ends_on is not None
        root = transaction.because.add(
            "tier_review",
            startsOn=review.starts_on.isoformat(),
            through=(review.ends_on - timedelta(days=1)).isoformat(),
            value=plain(review.value),
        )
        numbers = {
            "value": plain(review.value),
            "threshold": _threshold(ladder, review.before, review.after),
        }
    _change(state, transaction, partner, review.cause, review.before, review.after, root, numbers)
    standing.since = review.at
    state.transactions.append(transaction)


def _change(
    state: State,
    transaction: Transaction,
    partner: PartnerState,
    cause: Cause,
    before: int,
    after: int,
    root: int,
    numbers: Step,
) -> None:
    """Move the partner from one level to another, and say so."""
    ladder = state.plan.ladder
    assert ladder is not None
    named = {"from": ladder.tiers[before].key, "to": ladder.tiers[after].key}
    step = transaction.because.add("tier", on=root, **numbers, **named)
    transaction.facts.append({"type": "TierChanged", "because": step, **named})
    partner.change_tier(ladder.tiers[after])
    state.tier_changes.append(
        TierChange(
            partner.view.id, named["from"], named["to"], transaction.occurred_at, cause, transaction.id
        )
    )


def _tell_too_late(
    state: State,
    transaction: Transaction,
    ladder: Ladder,
    standing: Standing,
    calendar: Calendar,
    before: Before,
    root: int,
) -> None:
    """Say which windows had been reviewed when what counts in them was booked, where it would have mattered."""
    for key, value in before.items():
        if key[0] != ladder.series_id or not is_too_late(ladder, standing, key[1]):
            continue
        now = state.meters.value(key)
        if now != value and (
            ladder.qualification.is_summed or ladder.earned(now) is not ladder.earned(value)
        ):
            start = ladder.qualification.start(key[1], calendar)
            through = ladder.qualification.end(start, calendar) - timedelta(days=1)
            transaction.because.add("counted_too_late", on=root, through=through.isoformat())


def _threshold(ladder: Ladder, before: int, after: int) -> str:
    """What the higher of two tiers needs."""
    return plain(ladder.tiers[max(before, after)].threshold)


def _values(state: State, partner_id: int) -> Values:
    return {key[1]: state.meters[key].value for key in state.ladder_windows.get(partner_id, ())}


def _calendar(partner: PartnerState) -> Calendar:
    return Calendar.of(partner.view.time_zone, partner.created_at, partner.joined_on)
