"""The program's tier ladder is set: one ladder, replaced as a whole.

A tier is known by its key. Replacing a ladder moves nobody: partners keep the tier of that key until their meter moves
next, or the window that is open then is reviewed. So a tier that partners stand on cannot go, nor the lowest, which
holds all who have no standing yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import orjson

from base import outbox
from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.expiry import Expiry, check_last_day
from loyalty.tiers.inputs import MOST_TIERS, TierInput, TierLadderInput, check_ladder
from loyalty.tiers.queries import read_expiry
from loyalty.tiers.rules import Downgrade
from metrics.rules import Measure
from metrics.service import MetricReference, ensure_series, find_metric, revisit_series
from metrics.windows import WindowSpec
from partners.checks import item_path
from partners.configuration import LockedProgram, configure, hold_activities, raise_config_version

__all__ = ["TierInput", "TierLadderInput", "TierRow", "set_tier_ladder"]

# What decides over which windows a tier is earned, and how it is lost.
LADDER: Final = """
SELECT metric_id, period, rolling_months, from_joining, downgrade, grace_days, returns_take
FROM tier_ladder WHERE program_id = $1
"""
DOWNGRADE: Final = 4
"""Its place there: what stands before it names the windows."""
TIERS: Final = (
    "SELECT id, key, name, level, threshold, multiplier, expiry::text, access "
    "FROM tier WHERE program_id = $1 ORDER BY level"
)
SET_LADDER: Final = """
INSERT INTO tier_ladder (program_id, metric_id, period, rolling_months, from_joining, downgrade, grace_days,
                         returns_take, series_id, set_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nextval('hot_id'))
ON CONFLICT (program_id) DO UPDATE
SET metric_id = excluded.metric_id, period = excluded.period, rolling_months = excluded.rolling_months,
    from_joining = excluded.from_joining, downgrade = excluded.downgrade, grace_days = excluded.grace_days,
    returns_take = excluded.returns_take, series_id = excluded.series_id, set_after = excluded.set_after
RETURNING id
"""
# Which of these tiers partners stand on; those who have no standing are on level 0.
LEVELS_IN_USE: Final = """
SELECT DISTINCT coalesce(s.level, 0) AS level FROM partner p
LEFT JOIN tier_standing s ON s.program_id = p.program_id AND s.partner_id = p.id WHERE p.program_id = $1
"""
DROP_TIERS: Final = "DELETE FROM tier WHERE program_id = $1 AND NOT key = ANY($2::text[])"
# Out of the way, so that no two tiers share a level while they change places.
LIFT_TIERS: Final = "UPDATE tier SET level = level + $2 WHERE program_id = $1"
PUT_TIERS: Final = """
INSERT INTO tier (program_id, ladder_id, key, name, level, threshold, multiplier, expiry, access)
SELECT $1, $2, g.key, g.name, g.level, g.threshold, g.multiplier, g.expiry::jsonb, g.access::jsonb
FROM unnest($3::text[], $4::text[], $5::int[], $6::numeric[], $7::numeric[], $8::text[], $9::text[])
     AS g (key, name, level, threshold, multiplier, expiry, access)
ON CONFLICT (program_id, key)
DO UPDATE SET name = excluded.name, level = excluded.level, threshold = excluded.threshold,
              multiplier = excluded.multiplier, expiry = excluded.expiry, access = excluded.access
"""
# Standings keep their tiers by key; $2 holds the new level of each old one, counted from 0. Answers who changes level.
MOVE_STANDINGS: Final = """
UPDATE tier_standing s
SET level = ($2::int[])[s.level + 1], earned = ($2::int[])[s.earned + 1], carried = ($2::int[])[s.carried + 1],
    override_level = ($2::int[])[s.override_level + 1],
    peaks = (SELECT coalesce(jsonb_object_agg(p.key, ($2::int[])[p.value::int + 1]), '{}')
             FROM jsonb_each_text(s.peaks) AS p (key, value))
FROM tier_standing old
WHERE s.program_id = $1 AND old.program_id = s.program_id AND old.partner_id = s.partner_id
RETURNING s.partner_id, s.level <> old.level AS moved
"""
# Other windows: what has been earned is carried into those that are open when the partner is next looked at, which is
# soon where that is due ($2).
BEGIN_ANEW: Final = """
UPDATE tier_standing
SET open_from = NULL, carried = 0, peaks = '{}',
    review_at = CASE WHEN $2 THEN to_timestamp(0) ELSE override_until END
WHERE program_id = $1
"""
# The same windows, reviewed at another time: have it found out.
DATE_ANEW: Final = "UPDATE tier_standing SET review_at = to_timestamp(0) WHERE program_id = $1"
# From here an audit climbs the new ladder, where no past is gone through again for it.
MARK_STANDINGS: Final = """
INSERT INTO tier_mark (program_id, partner_id, number, kind, made_at, standing)
SELECT s.program_id, s.partner_id, p.activities, 'BEGAN', now(), to_jsonb(s) - 'program_id' - 'partner_id'
FROM tier_standing s JOIN partner p ON p.program_id = s.program_id AND p.id = s.partner_id
WHERE s.program_id = $1 ORDER BY s.partner_id
"""
RAISE_VERSIONS: Final = (
    "UPDATE partner SET version = version + 1 WHERE program_id = $1 AND id = ANY($2::bigint[])"
)


@dataclass(frozen=True, slots=True)
class TierRow:
    """A tier as it stands. `level` counts from 0."""

    id: int
    key: str
    name: str
    level: int
    threshold: Decimal
    multiplier: Decimal
    expiry: Expiry | None
    access: tuple[str, ...]


async def set_tier_ladder(
    *, program_id: int, ladder: TierLadderInput, now: datetime | None = None
) -> list[TierRow]:
    """Set the program's ladder, and answer its tiers from the lowest. The same again changes nothing.

    By `now` no day on which points expire may be over.

    UNKNOWN_METRIC, NOT_SUPPORTED (the period, or the metric over it), REQUIRED, TOO_MANY, DUPLICATE, FIRST_NOT_ZERO,
    NOT_RISING, NOT_POSITIVE, NEGATIVE, TOO_LARGE, TOO_PRECISE, TIER_IN_USE, INVALID_EXPIRY.
    """
    check_ladder(ladder)
    return await configure(program_id, lambda connection, program: _set(connection, program, ladder, now))


def carry_levels(before: Sequence[str], after: Sequence[str]) -> dict[int, int]:
    """The new level of each old one, by the tiers' keys; of one that goes, that of the next lower one that stays."""
    carried: dict[int, int] = {}
    level = 0
    for old, key in enumerate(before):
        level = after.index(key) if key in after else level
        carried[old] = level
    return carried


async def _set(
    connection: Connection, program: LockedProgram, ladder: TierLadderInput, now: datetime | None
) -> list[TierRow]:
    metric = await find_metric(connection, program_id=program.id, key=ladder.metric)
    stands = await connection.fetchrow(LADDER, program.id)
    stored = await _tiers(connection, program.id)
    if ladder.qualification.is_summed and metric.measure is Measure.DISTINCT_PRODUCTS:
        message = "what was distinct in each of its parts cannot be added up"
        raise Invalid(message, code="NOT_SUPPORTED", field=["metric"])
    same_windows = stands is not None and tuple(stands) == _windows(metric, ladder)
    if same_windows and [_content(tier) for tier in stored] == [_content(tier) for tier in ladder.tiers]:
        return stored
    for place, tier in enumerate(ladder.tiers):
        if now is not None and tier.expiry not in [one.expiry for one in stored]:
            check_last_day(tier.expiry, now=now, field=item_path(["tiers"], place, "expiry"))
    if stands is not None:
        await hold_activities(connection, program.id)
        await _refuse_loss(connection, program.id, stored, ladder)
    spec = WindowSpec(ladder.qualification.meters)
    series_id = await ensure_series(connection, program_id=program.id, metric_id=metric.id, spec=spec)
    await revisit_series(connection, program_id=program.id, series_ids=[series_id])
    ladder_id = await connection.fetchval(SET_LADDER, program.id, *_windows(metric, ladder), series_id)
    await _replace_tiers(connection, program.id, ladder_id, ladder.tiers)
    if stands is not None and not same_windows:
        await _begin_anew(connection, program.id, before=tuple(stands), after=_windows(metric, ladder))
    if not same_windows or [_step(tier) for tier in stored] != [_step(tier) for tier in ladder.tiers]:
        await _move_standings(connection, program.id, [tier.key for tier in stored], ladder)
    await connection.execute(MARK_STANDINGS, program.id)
    await raise_config_version(connection, program.id)
    return await _tiers(connection, program.id)


async def _begin_anew(
    connection: Connection, program_id: int, *, before: tuple[object, ...], after: tuple[object, ...]
) -> None:
    """Have all standings follow from the new windows, and reviewed when those are over."""
    was_reviewed, is_reviewed = (one[DOWNGRADE] != Downgrade.NEVER.value for one in (before, after))
    if was_reviewed and is_reviewed and before[:DOWNGRADE] == after[:DOWNGRADE]:
        await connection.execute(DATE_ANEW, program_id)
    elif was_reviewed or is_reviewed:
        await connection.execute(BEGIN_ANEW, program_id, is_reviewed)


def _windows(metric: MetricReference, ladder: TierLadderInput) -> tuple[object, ...]:
    """What decides over which windows a tier is earned, and how it is lost, in the order of `LADDER`."""
    return (
        metric.id,
        ladder.period.value,
        ladder.rolling_months,
        ladder.from_joining,
        ladder.downgrade.value,
        ladder.grace_days,
        ladder.returns_take,
    )


async def _tiers(connection: Connection, program_id: int) -> list[TierRow]:
    return [
        TierRow(
            id=row["id"],
            key=row["key"],
            name=row["name"],
            level=row["level"],
            threshold=row["threshold"],
            multiplier=row["multiplier"],
            expiry=read_expiry(row["expiry"]),
            access=tuple(orjson.loads(row["access"])),
        )
        for row in await connection.fetch(TIERS, program_id)
    ]


def _content(tier: TierInput | TierRow) -> tuple[object, ...]:
    """All that a tier says."""
    return (tier.key, tier.name, tier.threshold, tier.multiplier, tier.expiry, tuple(tier.access))


def _step(tier: TierInput | TierRow) -> tuple[object, ...]:
    """What of a tier decides who stands on it."""
    return (tier.key, tier.threshold)


async def _refuse_loss(
    connection: Connection, program_id: int, stored: Sequence[TierRow], ladder: TierLadderInput
) -> None:
    """No tier goes that somebody stands on, and the lowest stays the lowest while somebody starts there."""
    in_use = {row["level"] for row in await connection.fetch(LEVELS_IN_USE, program_id)}
    left = {tier.key for tier in ladder.tiers}
    for tier in stored:
        if tier.level in in_use and tier.key not in left:
            raise Invalid(f"partners stand on {tier.key!r}", code="TIER_IN_USE", field=["tiers"])
    if 0 in in_use and stored[0].key != ladder.tiers[0].key:
        path = item_path(["tiers"], 0, "key")
        raise Invalid(
            f"partners start on {stored[0].key!r}: it stays the lowest", code="TIER_IN_USE", field=path
        )


async def _replace_tiers(
    connection: Connection, program_id: int, ladder_id: int, tiers: Sequence[TierInput]
) -> None:
    """The ladder's tiers are these; a tier of the same key keeps its id."""
    keys = [tier.key for tier in tiers]
    await connection.execute(DROP_TIERS, program_id, keys)
    await connection.execute(LIFT_TIERS, program_id, MOST_TIERS)
    await connection.execute(
        PUT_TIERS,
        program_id,
        ladder_id,
        keys,
        [tier.name for tier in tiers],
        list(range(len(tiers))),
        [tier.threshold for tier in tiers],
        [tier.multiplier for tier in tiers],
        [None if tier.expiry is None else orjson.dumps(tier.expiry.to_json()).decode() for tier in tiers],
        [orjson.dumps(list(tier.access)).decode() for tier in tiers],
    )


async def _move_standings(
    connection: Connection, program_id: int, before: Sequence[str], ladder: TierLadderInput
) -> None:
    """Carry all standings over to the new ladder by the keys of their tiers."""
    moves = carry_levels(before, [tier.key for tier in ladder.tiers])
    if all(old == new for old, new in moves.items()):
        return
    rows = await connection.fetch(MOVE_STANDINGS, program_id, [moves[old] for old in sorted(moves)])
    if moved := [row["partner_id"] for row in rows if row["moved"]]:
        await connection.execute(RAISE_VERSIONS, program_id, moved)
        await outbox.write(connection, program_id=program_id, partner_ids=moved, transaction_ids=[])
