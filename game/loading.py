"""The load of a batch: every kind of row in one statement, whatever the size of the batch. `game.saving` writes it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from activity.journal import load_history, load_originals
from base.database import Connection, Statement, fetch_together
from base.ids import Ids
from game.badges.rules import Award
from game.missions.rules import Completion, reward_key
from game.plan import Plan
from game.state import Moment, PartnerState, State
from loyalty.earning.counters import Counters, UsageKey
from loyalty.earning.counts import build_counters, lock_budgets, read_counters
from loyalty.earning.explaining import load_decided
from loyalty.ledger.books import POINT
from loyalty.ledger.service import (
    build_books,
    load_lots,
    load_transaction_ids,
    read_wallets,
)
from loyalty.tiers.standings import build_standings, read_open_meters, read_standings
from metrics.meters import build_meters, read_meters, read_parts, read_windows
from metrics.rules import MeterKey
from partners.history import NO_HISTORY
from partners.queries import view_of

PARTNERS: Final = """
SELECT p.id, p.code, p.name, p.kind, p.region_id, p.status, p.activities, p.version, p.created_at, p.joined_on,
       coalesce(p.time_zone, g.time_zone) AS time_zone, coalesce(p.locale, g.locale) AS locale,
       CASE WHEN $3::boolean THEN p.attributes END AS attributes
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.id = ANY($2::bigint[])
ORDER BY p.id
"""
# The partners' rows are the mutex for all that is known of them: locked in one order, whoever comes.
LOCK: Final = f"{PARTNERS} FOR NO KEY UPDATE OF p"
VERSION: Final = "SELECT config_version FROM program WHERE id = $1"
# Whether a past is being loaded into the program $2, at $1.
PAST: Final = f"SELECT NOT ({NO_HISTORY}) FROM program p WHERE p.id = $2"  # noqa: S608  # a constant
# How far the review of each series has come: beyond it, partners have only part of their past in those not filled.
REVIEWED: Final = """
SELECT id, coalesce(reviewed_through, 0), filled_at IS NOT NULL, reviewed_through IS NOT NULL
FROM meter_series WHERE program_id = $1 AND (filled_at IS NULL OR reviewed_through IS NOT NULL)
"""
COMPLETIONS: Final = """
SELECT mission_id, partner_id, n, completed_at, revoked_at
FROM mission_completion WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
AWARDS: Final = """
SELECT badge_id, partner_id, level, awarded_at, revoked_at
FROM badge_award WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
# Points that activities still stand for: earned, and rewards.
POINTS_LEFT: Final = f"""
SELECT activity_id, coalesce(sum(granted - recalled) FILTER (WHERE rule_id IS NOT NULL), 0)::bigint AS earned,
       coalesce(sum(granted - recalled) FILTER (WHERE rule_id IS NULL), 0)::bigint AS rewards
FROM lot WHERE program_id = $1 AND activity_id = ANY($2::bigint[]) AND unit = '{POINT}' GROUP BY activity_id
"""  # noqa: S608  # a constant
# Rewards that no activity set off, and still stand; the local day is the partner's of then.
REWARDS_APART: Final = """
SELECT l.id, l.partner_id, l.granted_at, (t.because -> 0 ->> 'localDate')::date AS local_date,
       l.granted - l.recalled AS points
FROM lot l JOIN ledger_transaction t ON t.program_id = l.program_id AND t.id = l.transaction_id
WHERE l.program_id = $1 AND l.partner_id = ANY($2::bigint[]) AND l.activity_id IS NULL
  AND t.key LIKE 'mission/%' AND l.granted > l.recalled
"""


class PlanMoved(Exception):
    """The configuration changed while the batch waited for its locks: it starts over by the new one."""


async def check_version(connection: Connection, plan: Plan) -> None:
    """Raises `PlanMoved` where the configuration is not the plan's any more."""
    if await connection.fetchval(VERSION, plan.program_id) != plan.version:
        raise PlanMoved


async def lock_partners(
    connection: Connection, plan: Plan, partner_ids: Iterable[int], *, hold: bool = True
) -> dict[int, PartnerState]:
    """Lock the partners for the rest of the transaction, or only look at them. Their tiers are not known yet.

    Raises `PlanMoved` where a partner lies in a region that the plan does not know yet.
    """
    segments = plan.segments
    query = LOCK if hold else PARTNERS
    rows = await connection.fetch(query, plan.program_id, sorted(partner_ids), bool(segments.attributes))
    if any(row["region_id"] not in plan.regions.codes for row in rows):
        raise PlanMoved
    return {
        row["id"]: PartnerState(
            view_of(row, regions=plan.regions, segments=segments, tier=None),
            row["activities"],
            row["version"],
            row["created_at"],
            row["joined_on"],
            segments,
        )
        for row in rows
    }


def companions(plan: Plan, keys: Iterable[MeterKey]) -> set[MeterKey]:
    """The keys, and with each the meters of the other objectives of the missions that watch it."""
    found = set(keys)
    for series_id, partner_id in {(key[0], key[2]) for key in found if key[0] in plan.companions}:
        found.update(objective.meter(partner_id) for objective in plan.companions[series_id])
    return found


async def load_state(
    connection: Connection,
    plan: Plan,
    *,
    ids: Ids,
    partners: Mapping[int, PartnerState],
    keys: Iterable[MeterKey],
    usage: Collection[UsageKey] = (),
    hold_budgets: bool = False,
    live_at: datetime | None = None,
) -> State:
    """Everything that locked partners have, as far as the meters of `keys` and what watches them need it.

    `usage` is what earning rules count by; `hold_budgets` keeps others from taking of the budgets meanwhile; `live_at`
    is the present of a batch that is itself no part of a past that is loaded.

    Raises `PlanMoved` where the configuration is not the plan's any more. It is read here, after the locks: the lock
    statement's own snapshot may be from before it waited.
    """
    program_id, partner_ids = plan.program_id, list(partners)
    series, ladder = plan.counting.series, plan.ladder
    wanted = list(companions(plan, keys))
    if hold_budgets:
        await lock_budgets(connection, program_id=program_id)
    counted = read_counters(program_id=program_id, keys=usage) if plan.earning.has_counters else ()
    (
        version,
        reviewed,
        meters,
        parts,
        windows,
        wallets,
        standings,
        completions,
        awards,
        past,
        *used,
    ) = await fetch_together(
        connection,
        Statement(VERSION, (program_id,)),
        Statement(REVIEWED, (program_id,)),
        read_meters(program_id=program_id, keys=wanted),
        read_parts(program_id=program_id, series=series, keys=wanted),
        _read_ladder_meters(plan, partner_ids),
        read_wallets(program_id=program_id, partner_ids=partner_ids),
        read_standings(program_id=program_id, partner_ids=partner_ids),
        Statement(COMPLETIONS, (program_id, partner_ids)),
        Statement(AWARDS, (program_id, partner_ids)),
        Statement(PAST, (live_at, program_id)),
        *counted,
    )
    if version != [(plan.version,)]:
        raise PlanMoved
    state = State(
        plan=plan,
        ids=ids,
        partners=partners,
        meters=build_meters(series=series, rows=meters, parts=parts, windows=windows),
        books=build_books(wallets),
        standings=build_standings(standings),
        completions={(row[0], row[1]): Completion(*row) for row in completions},
        awards={(row[1], row[0], row[2]): Award(*row) for row in awards},
        counters=build_counters(*used) if used else Counters({}, {}),
        filled_through={row[0]: row[1] for row in reviewed if not row[2]},
        due_through={row[0]: row[1] for row in reviewed if row[3]},
        waits_for_past=live_at is not None and past == [(True,)],
    )
    for key in state.meters:
        state.note_ladder(key)
    if ladder is not None:
        for partner_id, partner in partners.items():
            standing = state.standings.get(partner_id)
            partner.set_tier(ladder.tiers[standing.level if standing else 0])
    return state


async def load_lots_into(
    connection: Connection, state: State, *, partner_ids: Sequence[int], activity_ids: Sequence[int]
) -> None:
    """What a return may undo: lots it was granted, all that has something left, and rewards that may fall with it."""
    program_id = state.plan.program_id
    standing = [one for one in state.completions.values() if one.stands and one.partner_id in partner_ids]
    keys = [reward_key(one.mission_id, one.partner_id, one.n) for one in standing]
    state.reward_transactions.update(await load_transaction_ids(connection, program_id=program_id, keys=keys))
    await load_lots(
        connection,
        state.books,
        program_id=program_id,
        partner_ids=partner_ids,
        activity_ids=activity_ids,
        keys=keys,
    )
    paid = set(state.reward_transactions.values())
    rewards = [lot for lot in state.books.lots.values() if lot.transaction_id in paid]
    behind = [lot.activity_id for lot in rewards if lot.activity_id is not None]
    for original in (await load_originals(connection, program_id=program_id, activity_ids=behind)).values():
        one = original.activity
        state.moments[one.id] = Moment(one.partner_id, one.kind, one.occurred_at, one.local_date)
    apart = await load_rewards_apart(connection, program_id=program_id, partner_ids=partner_ids)
    state.apart.update({lot_id: moment for lot_id, (moment, _) in apart.items()})
    counting = state.plan.counting
    moments = [state.moment_of(lot) for lot in rewards if lot.partner_id in state.partners]
    moved = {one.key for moment in moments for one in counting.count_points(moment, earned=0, rewards=1)}
    await load_meters_into(connection, state, keys=moved - state.meters.keys())


async def load_idle_lots_into(connection: Connection, state: State, *, until: datetime) -> None:
    """Lots of the partners who had earned nothing for too long by `until`: those that earn now lose them first."""
    idle = {
        wallet.partner_id
        for wallet in state.books.wallets.values()
        if wallet.idle_until is not None and wallet.idle_until <= until
    }
    if idle:
        await load_lots(connection, state.books, program_id=state.plan.program_id, partner_ids=sorted(idle))


async def load_meters_into(connection: Connection, state: State, *, keys: Collection[MeterKey]) -> None:
    """More meters, of points alone: those that rewards move outside the windows of the batch."""
    wanted = list(keys)
    (rows,) = await fetch_together(connection, read_meters(program_id=state.plan.program_id, keys=wanted))
    found = build_meters(series=state.plan.counting.series, rows=rows, parts=[], windows=[])
    for key, meter in found.items():
        state.meters.setdefault(key, meter)
        state.note_ladder(key)


async def load_purchases_into(connection: Connection, state: State, *, activity_ids: Sequence[int]) -> None:
    """The rules that counted these activities as purchases: those that numbered them, whether they paid or not."""
    rules = state.plan.earning.by_name
    decided = await load_decided(connection, program_id=state.plan.program_id, activity_ids=activity_ids)
    for activity_id, steps in decided.items():
        # What comes to less than a point is withheld before it is numbered.
        named = [
            rules[one["rule"], one["version"]]
            for one in steps
            if one["step"] == "rule" or (one["step"] == "withheld" and one["why"] != "rounding")
        ]
        state.purchases[activity_id] = [rule for rule in named if rule.terms.nth is not None]


async def load_history_into(connection: Connection, state: State, *, partner_ids: Sequence[int]) -> None:
    """The whole journal of these partners, and the points that it still stands for.

    Originals that are loaded already stay the same objects, so that what a return takes is seen in both places.
    """
    known = {original.activity.id: original for original in state.originals.values()}
    found = await load_history(connection, program_id=state.plan.program_id, partner_ids=partner_ids)
    for partner_id in partner_ids:
        state.history[partner_id] = []
    for activity_id, original in found.items():
        state.remember(known.get(activity_id, original))
    state.points_left = await load_points(
        connection, program_id=state.plan.program_id, activity_ids=list(found)
    )


async def load_points(
    connection: Connection, *, program_id: int, activity_ids: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """The points, (earned, rewards), that these activities still stand for."""
    rows = await connection.fetch(POINTS_LEFT, program_id, activity_ids)
    return {row["activity_id"]: (row["earned"], row["rewards"]) for row in rows}


async def load_rewards_apart(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, tuple[Moment, int]]:
    """Rewards of these partners that no activity set off: by lot, when they were granted, and what stands of them."""
    return {
        row["id"]: (Moment(row["partner_id"], "", row["granted_at"], row["local_date"]), row["points"])
        for row in await connection.fetch(REWARDS_APART, program_id, partner_ids)
    }


def _read_ladder_meters(plan: Plan, partner_ids: Sequence[int]) -> Statement:
    """The meters that the partners' tiers go by, beside those that the batch moves."""
    ladder = plan.ladder
    if ladder is not None and ladder.is_reviewed:
        return read_open_meters(
            program_id=plan.program_id, series_id=ladder.series_id, partner_ids=partner_ids
        )
    series_ids = [ladder.series_id] if ladder else []
    return read_windows(program_id=plan.program_id, series_ids=series_ids, partner_ids=partner_ids)
