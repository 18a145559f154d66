"""The journal: accepted once, numbered densely, and never more taken back than was there."""

from typing import Final

from ops.audit.check import Check, sql_check

ACTIVITIES: Final = "SELECT count(*) FROM activity WHERE program_id = $1"

KEYS: Final = sql_check(
    "keys",
    "each idempotency key has one activity, and each activity its key",
    rows="SELECT count(*) FROM activity_key WHERE program_id = $1",
    wrong="""
    SELECT coalesce(k.source || ' ' || k.external_id, 'activity ' || a.id)
    FROM (SELECT * FROM activity_key WHERE program_id = $1) k
    FULL JOIN (SELECT * FROM activity WHERE program_id = $1) a
           ON a.id = k.activity_id AND a.source = k.source AND a.external_id = k.external_id
    WHERE k.activity_id IS NULL OR a.id IS NULL
    """,
)

NUMBERS: Final = sql_check(
    "activity numbers",
    "a partner's activities are numbered from 1 without a gap, up to the number that the partner carries",
    rows=ACTIVITIES,
    wrong="""
    SELECT 'partner ' || p.code FROM partner p
    LEFT JOIN (SELECT partner_id, count(*) AS count, min(number) AS first, max(number) AS last
               FROM activity WHERE program_id = $1 GROUP BY partner_id) a ON a.partner_id = p.id
    WHERE p.program_id = $1
      AND (p.activities <> coalesce(a.count, 0) OR p.activities <> coalesce(a.last, 0) OR a.first <> 1)
    """,
)

RETURNS: Final = sql_check(
    "returns",
    "no more of a line came back than was sold, by quantity and by amount",
    rows="SELECT count(*) FROM activity_line WHERE program_id = $1 AND reverses_id IS NOT NULL",
    wrong="""
    SELECT 'activity ' || s.activity_id || ' line ' || s.line
    FROM (SELECT reverses_id, reverses_line, sum(quantity) AS quantity, sum(amount) AS amount FROM activity_line
          WHERE program_id = $1 AND reverses_id IS NOT NULL GROUP BY reverses_id, reverses_line) r
    JOIN activity_line s ON s.program_id = $1 AND s.activity_id = r.reverses_id AND s.line = r.reverses_line
    WHERE r.quantity > s.quantity OR r.amount > s.amount
    """,
)

WHOLE_RETURNS: Final = sql_check(
    "whole returns",
    "an activity without lines came back once at most",
    rows="SELECT count(*) FROM activity WHERE program_id = $1 AND reverses_id IS NOT NULL",
    wrong="""
    SELECT 'activity ' || r.reverses_id FROM activity r
    WHERE r.program_id = $1 AND r.reverses_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM activity_line l WHERE l.program_id = $1 AND l.activity_id = r.reverses_id)
    GROUP BY r.reverses_id HAVING count(*) > 1
    """,
)

PACKS: Final = sql_check(
    "packs",
    "a line that was reported in packs is of as much as these packs held of its product when it was sold",
    rows="SELECT count(*) FROM activity_line WHERE program_id = $1 AND unit IS NOT NULL",
    wrong="""
    SELECT 'activity ' || l.activity_id || ' line ' || l.line
    FROM activity_line l JOIN product p ON p.program_id = $1 AND p.id = l.product_id
    WHERE l.program_id = $1 AND l.unit IS NOT NULL
      AND l.quantity IS DISTINCT FROM l.unit_quantity * (p.packs ->> l.unit)::numeric
    """,
)

JOURNAL: Final[tuple[Check, ...]] = (KEYS, NUMBERS, RETURNS, WHOLE_RETURNS, PACKS)
