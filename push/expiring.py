"""Partners are told ahead that points expire: on so many days before, as their program says, in their morning.

What comes up is noted in sets, each (partner, unit, day, lead) once, for the points that are available by then: whoever
earns later, or puts off the expiry of sliding points, is told when the next lead comes up. The notes are told page by
page, each page in a transaction of its own, with what is left by then: it may be stopped anywhere, and goes on. A day
is one message, in all units; a lead that was slept through is told with the next.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Final

import asyncpg

from base import failpoints
from base.database import Connection, reading, retrying, transaction
from base.rounds import go_round
from loyalty.ledger.books import POINT
from loyalty.ledger.configuring import load_policies
from partners.history import NO_HISTORY
from push.messages import MORNING, Message, Names, Teller
from push.notifier import load_names
from push.outgoing import read_addressee, send_messages

PARTNERS_PER_PAGE: Final = 200

PROGRAMS: Final = f"SELECT id FROM program p WHERE {NO_HISTORY} ORDER BY id"  # noqa: S608  # a constant

# The first time, nothing is told: what came up before is past.
BEGIN: Final = "INSERT INTO expiry_notice_mark VALUES ($1, $2) ON CONFLICT DO NOTHING"
LOCK_MARK: Final = "SELECT told_until FROM expiry_notice_mark WHERE program_id = $1 FOR UPDATE"
MOVE_MARK: Final = "UPDATE expiry_notice_mark SET told_until = $2 WHERE program_id = $1"

# What comes up after $2 and by $3, with a lead of $4: the morning ($5) of so many days before the last local day.
# A lot ends with a day of the zone that its partner was in then: in that of today, at any time of the day.
NOTE: Final = """
INSERT INTO expiry_notice (program_id, partner_id, unit, expires_on, lead_days, expires_at)
SELECT $1::bigint, e.partner_id, e.unit, d.expires_on, e.lead, max(e.expires_at)
FROM (
    SELECT l.partner_id, l.unit, k.lead, l.expires_at
    FROM unnest($4::int[]) AS k (lead)
    JOIN lot l ON l.program_id = $1 AND l.remaining > 0 AND l.matured AND l.expires_at IS NOT NULL
        AND l.expires_at > greatest($3::timestamptz, $2::timestamptz + make_interval(hours => 24 * k.lead - 12))
        AND l.expires_at <= $3::timestamptz + make_interval(hours => 24 * k.lead + 20)
    UNION ALL
    SELECT w.partner_id, w.unit, k.lead, w.idle_until
    FROM unnest($4::int[]) AS k (lead)
    JOIN wallet w ON w.program_id = $1 AND w.available > 0 AND w.idle_until IS NOT NULL
        AND w.idle_until > greatest($3::timestamptz, $2::timestamptz + make_interval(hours => 24 * k.lead - 12))
        AND w.idle_until <= $3::timestamptz + make_interval(hours => 24 * k.lead + 20)
) AS e
JOIN partner p ON p.program_id = $1 AND p.id = e.partner_id AND p.status <> 'CLOSED'
JOIN program g ON g.id = $1
CROSS JOIN LATERAL (SELECT coalesce(p.time_zone, g.time_zone) AS zone) z
CROSS JOIN LATERAL (
    SELECT (e.expires_at AT TIME ZONE z.zone - interval '1 microsecond')::date AS expires_on
) d
CROSS JOIN LATERAL (SELECT (d.expires_on - e.lead + $5::time) AT TIME ZONE z.zone AS comes_up) c
WHERE c.comes_up > $2 AND c.comes_up <= $3
GROUP BY e.partner_id, e.unit, d.expires_on, e.lead
ON CONFLICT DO NOTHING
"""

# All that is noted of the next partners after $3, and what is left of it: nothing, where it was spent or put off.
# What a return took for a lot elsewhere does not expire with it. Each partner's open lots are read once.
UNTOLD: Final = """
WITH page AS MATERIALIZED (
    SELECT DISTINCT partner_id FROM expiry_notice WHERE program_id = $1 AND NOT told AND partner_id > $3
    ORDER BY partner_id LIMIT $2
), noted AS MATERIALIZED (
    SELECT * FROM expiry_notice
    WHERE program_id = $1 AND NOT told AND partner_id > $3 AND partner_id <= (SELECT max(partner_id) FROM page)
    FOR UPDATE SKIP LOCKED
), remains AS MATERIALIZED (
    SELECT l.partner_id, l.unit, d.expires_on, sum(l.amount)::bigint AS amount
    FROM page
    JOIN partner p ON p.program_id = $1 AND p.id = page.partner_id
    JOIN program g ON g.id = $1
    CROSS JOIN LATERAL (
        SELECT o.partner_id, o.unit, CASE WHEN o.sliding THEN w.idle_until ELSE o.expires_at END AS expires_at,
               least(o.remaining, o.granted - o.expired - o.recalled) AS amount
        FROM lot o JOIN wallet w ON w.program_id = $1 AND w.partner_id = o.partner_id AND w.unit = o.unit
        WHERE o.program_id = $1 AND o.partner_id = page.partner_id AND o.remaining + o.held > 0
            AND o.remaining > 0 AND o.matured
    ) l
    CROSS JOIN LATERAL (
        SELECT (l.expires_at AT TIME ZONE coalesce(p.time_zone, g.time_zone)
                - interval '1 microsecond')::date AS expires_on
    ) d
    GROUP BY l.partner_id, l.unit, d.expires_on
)
SELECT n.program_id, n.partner_id, n.unit, n.expires_on, n.lead_days, n.expires_at, coalesce(r.amount, 0) AS amount,
       coalesce(p.time_zone, g.time_zone) AS time_zone, p.locale, g.locale AS program_locale,
       g.settings -> 'messages' AS program_texts
FROM noted n
JOIN partner p ON p.program_id = n.program_id AND p.id = n.partner_id
JOIN program g ON g.id = n.program_id
LEFT JOIN remains r ON r.partner_id = n.partner_id AND r.unit = n.unit AND r.expires_on = n.expires_on
ORDER BY n.partner_id, n.expires_on, n.unit, n.lead_days
"""
TOLD: Final = """
UPDATE expiry_notice n SET told = true
FROM unnest($2::bigint[], $3::text[], $4::date[], $5::int[]) AS t (partner_id, unit, expires_on, lead_days)
WHERE n.program_id = $1 AND n.partner_id = t.partner_id AND n.unit = t.unit AND n.expires_on = t.expires_on
    AND n.lead_days = t.lead_days
"""
FORGET: Final = "DELETE FROM expiry_notice WHERE program_id = $1 AND expires_at <= $2"


async def tell_expiring(now: datetime, *, is_phone_configured: bool) -> None:
    """Tell what has come up by `now`, in every program whose past is not being loaded."""
    async with reading() as connection:
        programs = [row["id"] for row in await connection.fetch(PROGRAMS, now)]
    await go_round(
        programs,
        lambda program_id: tell_expiring_of(program_id, now=now, is_phone_configured=is_phone_configured),
    )


async def tell_expiring_of(program_id: int, *, now: datetime, is_phone_configured: bool) -> None:
    """Tell what has come up in a program by `now`."""
    await retrying(lambda: _note(program_id, now))
    failpoints.reach("expiring.noted")
    after: int | None = 0
    while after is not None:
        after = await retrying(lambda: _tell_page(program_id, after, now, is_phone_configured))  # noqa: B023


async def _note(program_id: int, now: datetime) -> None:
    """Note what came up since the last time; forget what is over."""
    async with transaction() as connection:
        await connection.execute(BEGIN, program_id, now)
        before = await connection.fetchval(LOCK_MARK, program_id)
        if before >= now:
            return
        days = (await load_policies(connection, program_id=program_id)).expiry_notice_days
        await connection.execute(FORGET, program_id, now)
        await connection.execute(NOTE, program_id, before, now, days, MORNING)
        await connection.execute(MOVE_MARK, program_id, now)


async def _tell_page(
    program_id: int, after: int | None, now: datetime, is_phone_configured: bool
) -> int | None:
    """Tell the next partners after one; the last of them, and None where there was none."""
    async with transaction() as connection:
        rows = await connection.fetch(UNTOLD, program_id, PARTNERS_PER_PAGE, after)
        if not rows:
            return None
        names = await _names_of_units(connection, rows)
        messages = list(_write(rows, names=names, now=now))
        await send_messages(connection, messages, now=now, is_phone_configured=is_phone_configured)
        keys = ("partner_id", "unit", "expires_on", "lead_days")
        await connection.execute(TOLD, program_id, *([row[key] for row in rows] for key in keys))
        failpoints.reach("expiring.written")
        last: int = rows[-1]["partner_id"]
        return last


async def _names_of_units(connection: Connection, rows: Sequence[asyncpg.Record]) -> Names:
    units = {(row["program_id"], "unit", row["unit"]) for row in rows if row["unit"] != POINT}
    return await load_names(connection, units)


def _write(rows: Sequence[asyncpg.Record], *, names: Names, now: datetime) -> Iterator[Message]:
    """A message for each day of a partner on which something expires."""

    def day(row: asyncpg.Record) -> tuple[int, date]:
        return row["partner_id"], row["expires_on"]

    for (_, expires_on), notes in groupby(rows, key=day):
        noted = list(notes)
        # One that comes up with two leads at once is one amount.
        amounts = {row["unit"]: row["amount"] for row in noted if row["amount"] > 0}
        if amounts and noted[0]["expires_at"] > now:
            to = read_addressee(noted[0])
            teller = Teller(to, names)
            values = {"date": teller.date(expires_on, now=now)}
            yield teller.write("points_expiring", values, amounts, posted_at=now)
