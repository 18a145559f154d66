"""What follows when a partner's meters moved: missions, then badges, then the tier. Pure.

Whoever moves meters (an activity, a return, a review after a change of configuration) calls `react` once, with where
the meters stood before. Rewards are posted on the way; nothing that they move is watched by what grants them.
"""

from collections.abc import Container, Iterable

from activity.rules import RETURN
from base.numbers import plain
from game.badges.rules import Award, Badge
from game.missions.rules import ONCE, Advance, Completion, Mission, Verdict, judge
from game.state import Before, Moment, PartnerState, State
from game.tiering import follow_tier
from game.wallets import give, recall_lot
from loyalty.because import chain
from loyalty.ledger.books import POINT, EntryKind, Transaction
from loyalty.ledger.posting import tell
from loyalty.tiers.reviews import Cause
from metrics.windows import LIFETIME_START


def react(
    state: State,
    transaction: Transaction,
    *,
    partner: PartnerState,
    moment: Moment,
    before: Before,
    root: int,
) -> None:
    """Let everything that watches the meters in `before` follow. `root` is the step that it all began with."""
    # What watches a series whose past is still to be counted for this partner waits for the review that counts it.
    series = moved(state, before, among=state.plan.missions_by_series)
    follow_missions(state, transaction, partner, moment, before, root, series=series)
    series = moved(state, before, among=state.plan.badges_by_series)
    follow_badges(state, transaction, partner.view.id, root, series=series)
    ladder = state.plan.ladder
    if (
        ladder is not None
        and any(key[0] == ladder.series_id for key in before)
        and state.is_filled(ladder.series_id, partner.view.id)
    ):
        cause = Cause.RETURNED if moment.kind == RETURN else Cause.COUNTED
        follow_tier(state, transaction, partner, root, cause=cause, before=before)


def moved(state: State, before: Before, *, among: Container[int]) -> set[int]:
    """The series, of those that are watched and filled, whose meters stand elsewhere than before."""
    return {
        key[0]
        for key, value in before.items()
        if key[0] in among and value != state.meters.value(key) and state.is_filled(key[0], key[2])
    }


def follow_missions(
    state: State,
    transaction: Transaction,
    partner: PartnerState,
    moment: Moment,
    before: Before,
    root: int,
    *,
    series: Iterable[int],
) -> None:
    """Advance, complete or revoke the missions that watch these series."""
    missions = {one.id: one for id_ in series for one in state.plan.missions_by_series.get(id_, ())}
    for mission_id in sorted(missions):
        follow_mission(state, transaction, missions[mission_id], partner, moment, before, root)


def follow_badges(
    state: State, transaction: Transaction, partner_id: int, root: int, *, series: Iterable[int]
) -> None:
    """Award or revoke the levels of the badges that watch these series."""
    badges = {one.id: one for id_ in series for one in state.plan.badges_by_series.get(id_, ())}
    for badge_id in sorted(badges):
        follow_badge(state, transaction, badges[badge_id], partner_id, root)


def follow_mission(
    state: State,
    transaction: Transaction,
    mission: Mission,
    partner: PartnerState,
    moment: Moment,
    before: Before,
    root: int,
) -> None:
    """Advance, complete or revoke a mission."""
    partner_id = partner.view.id
    completion = state.completions.get((mission.id, partner_id))
    progress = judge(
        mission,
        partner=partner.view,
        completion=completion,
        before=before,
        current=state.meters.value,
        now=transaction.posted_at,
    )
    if progress is None:
        return
    if progress.verdict is Verdict.TOO_LATE:
        transaction.because.add("counted_too_late", on=root, mission=mission.key)
        return
    last = _tell_advances(transaction, mission, progress.advances, root)
    if progress.verdict is Verdict.COMPLETED:
        if mission.points > state.books.wallet(partner_id, POINT).room:
            transaction.because.add("no_room", on=last, mission=mission.key, points=mission.points)
            return
        if completion is None:
            completion = Completion(mission.id, partner_id, 0, transaction.posted_at)
            state.completions[mission.id, partner_id] = completion
        _complete(state, transaction, mission, completion, moment, before, last)
    elif progress.verdict is Verdict.REVOKED:
        assert completion is not None
        _revoke(state, transaction, mission, completion, before, last)


def _tell_advances(transaction: Transaction, mission: Mission, advances: Iterable[Advance], root: int) -> int:
    steps, facts = transaction.because.steps, transaction.facts
    last = root
    for objective, before, current in advances:
        numbers = {
            "mission": mission.key,
            "objective": objective.key,
            "current": plain(current),
            "target": objective.target_text,
        }
        last = len(steps)
        steps.append({"step": "objective", "on": root, **numbers})
        kind = "ObjectiveAdvanced" if current > before else "ObjectiveReceded"
        facts.append({"type": kind, "because": last, "window": ONCE, **numbers})
    return last


def _complete(
    state: State,
    transaction: Transaction,
    mission: Mission,
    completion: Completion,
    moment: Moment,
    before: Before,
    last: int,
) -> None:
    completion.n += 1
    completion.completed_at, completion.revoked_at, completion.changed = transaction.posted_at, None, True
    step = transaction.because.add("mission", on=last, mission=mission.key, window=ONCE, n=completion.n)
    transaction.facts.append(
        {"type": "MissionCompleted", "because": step, "mission": mission.key, "window": ONCE}
    )
    if mission.points:
        _pay(state, transaction, completion, points=mission.points, on=step)
        state.count_points(transaction.activity_id, rewards=mission.points)
        movements = state.plan.counting.count_points(moment, earned=0, rewards=mission.points)
        state.move(movements, occurred_at=moment.occurred_at, before=before)
    for badge_id in mission.badges:
        award_badge(state, transaction, state.plan.badges[badge_id], completion.partner_id, level=1, on=step)


def _pay(state: State, transaction: Transaction, completion: Completion, *, points: int, on: int) -> None:
    """Post a reward as a transaction of its own, whose key can pay only once; its fact stands with its cause."""
    paid = Transaction(
        id=state.ids.take(),
        partner_id=completion.partner_id,
        key=completion.reward_key(),
        activity_id=transaction.activity_id,
        occurred_at=transaction.occurred_at,
        posted_at=transaction.posted_at,
    )
    place: int | None = None
    for step in chain(transaction.because.steps, on):
        carried = {name: value for name, value in step.items() if name not in ("step", "on")}
        place = paid.because.add(step["step"], on=place, **carried)
    place = paid.because.add("reward", on=place, points=points, unit=POINT)
    give(state, paid, amount=points, kind=EntryKind.REWARD, on=place)
    state.transactions.append(paid)
    state.reward_transactions[paid.key] = paid.id
    tell(
        transaction,
        unit=POINT,
        amount=points,
        kind=EntryKind.REWARD,
        on=transaction.because.add("reward", on=on, points=points, unit=POINT),
    )


def _revoke(
    state: State,
    transaction: Transaction,
    mission: Mission,
    completion: Completion,
    before: Before,
    last: int,
) -> None:
    completion.revoked_at, completion.changed = transaction.posted_at, True
    step = transaction.because.add(
        "mission_revoked", on=last, mission=mission.key, window=ONCE, n=completion.n
    )
    transaction.facts.append(
        {"type": "MissionRevoked", "because": step, "mission": mission.key, "window": ONCE}
    )
    paid = state.reward_transactions.get(completion.reward_key())
    for lot in [] if paid is None else state.books.granted_by(transaction_id=paid):
        taken = recall_lot(state, transaction, lot=lot, amount=lot.granted - lot.recalled, share="1", on=step)
        if taken:
            moment = state.moment_of(lot)
            left = state.count_points(lot.activity_id, rewards=-taken)
            movements = state.plan.counting.count_points(moment, earned=0, rewards=-taken, left=left)
            state.move(movements, occurred_at=moment.occurred_at, before=before)
    for badge_id in mission.badges:
        others = (
            state.completions.get((other.id, completion.partner_id))
            for other in state.plan.missions.values()
            if badge_id in other.badges and other.id != mission.id
        )
        if not any(other is not None and other.stands for other in others):
            revoke_badge(
                state, transaction, state.plan.badges[badge_id], completion.partner_id, level=1, on=step
            )


def follow_badge(state: State, transaction: Transaction, badge: Badge, partner_id: int, root: int) -> None:
    """Bring the levels of a badge with a metric to where its meter stands."""
    assert badge.series is not None
    value = state.meters.value((badge.series.id, LIFETIME_START, partner_id))
    reached = badge.levels_at(value)
    for level, threshold in enumerate(badge.levels, start=1):
        numbers = {"value": plain(value), "threshold": plain(threshold)}
        if level <= reached:
            award_badge(state, transaction, badge, partner_id, level=level, on=root, **numbers)
        else:
            revoke_badge(state, transaction, badge, partner_id, level=level, on=root, **numbers)


def award_badge(
    state: State,
    transaction: Transaction,
    badge: Badge,
    partner_id: int,
    *,
    level: int,
    on: int,
    **numbers: str,
) -> None:
    """Award a level, unless it stands."""
    award = state.awards.get((partner_id, badge.id, level))
    if award is not None and award.stands:
        return
    state.awards[partner_id, badge.id, level] = Award(
        badge.id, partner_id, level, transaction.posted_at, changed=True
    )
    step = transaction.because.add("badge", on=on, badge=badge.key, level=level, **numbers)
    transaction.facts.append({"type": "BadgeAwarded", "because": step, "badge": badge.key, "level": level})


def revoke_badge(
    state: State,
    transaction: Transaction,
    badge: Badge,
    partner_id: int,
    *,
    level: int,
    on: int,
    **numbers: str,
) -> None:
    """Revoke a level, where it stands."""
    award = state.awards.get((partner_id, badge.id, level))
    if award is None or not award.stands:
        return
    award.revoked_at, award.changed = transaction.posted_at, True
    step = transaction.because.add("badge", on=on, badge=badge.key, level=level, **numbers)
    transaction.facts.append({"type": "BadgeRevoked", "because": step, "badge": badge.key, "level": level})
