"""What earning rules gave: caps and budgets stand at what was granted under them and did not come back."""

from typing import Final

from ops.audit.check import Check, sql_check

USED: Final = sql_check(
    "caps",
    "what counts against a rule's caps is what it granted in the period, less what returns took",
    rows="SELECT count(*) FROM earning_usage WHERE program_id = $1",
    wrong="""
    WITH granted AS (
        SELECT f.id AS rule_id, l.partner_id, cap ->> 0 AS period, sum(l.granted - l.recalled) AS points,
               CASE cap ->> 0 WHEN 'DAY' THEN a.local_date WHEN 'MONTH' THEN date_trunc('month', a.local_date)::date
                              ELSE date '-infinity' END AS starts_on
        FROM lot l JOIN activity a ON a.program_id = l.program_id AND a.id = l.activity_id
        JOIN earning_rule r ON r.program_id = l.program_id AND r.id = l.rule_id
        JOIN earning_rule f ON f.program_id = r.program_id AND f.key = r.key AND f.version = 1
        CROSS JOIN LATERAL jsonb_array_elements(coalesce(r.terms -> 'caps', '[]')) cap
        WHERE l.program_id = $1 AND cap ->> 0 <> 'ACTIVITY' GROUP BY 1, 2, 3, 5
    )
    SELECT 'rule ' || coalesce(u.rule_id, g.rule_id) || ', partner ' || coalesce(u.partner_id, g.partner_id) || ', '
           || coalesce(u.period, g.period) || ' from ' || coalesce(u.starts_on, g.starts_on)
    FROM (SELECT * FROM earning_usage WHERE program_id = $1) u
    FULL JOIN granted g USING (rule_id, partner_id, period, starts_on)
    WHERE coalesce(u.points, 0) <> coalesce(g.points, 0)
    """,
)

SPENT: Final = sql_check(
    "budgets of rules",
    "what was spent of a rule's budget is what it granted, less what returns took",
    rows="SELECT count(*) FROM earning_budget WHERE program_id = $1",
    wrong="""
    SELECT 'rule ' || b.rule_id FROM earning_budget b
    JOIN earning_rule f ON f.program_id = b.program_id AND f.id = b.rule_id
    WHERE b.program_id = $1 AND b.spent <> (
        SELECT coalesce(sum(l.granted - l.recalled), 0) FROM earning_rule r
        JOIN lot l ON l.program_id = r.program_id AND l.rule_id = r.id
        WHERE r.program_id = b.program_id AND r.key = f.key AND r.terms ? 'budget')
    """,
)

EARNING: Final[tuple[Check, ...]] = (USED, SPENT)
