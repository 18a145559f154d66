"""The rows behind caps, numbered purchases and budgets: read and written in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from base.database import Connection, Statement
from loyalty.earning.counters import Budget, Counters, Usage, UsageKey

READ_USAGE: Final = """
SELECT u.rule_id, u.partner_id, u.period, u.starts_on, u.points, u.activities
FROM earning_usage u
JOIN unnest($2::bigint[], $3::bigint[], $4::text[], $5::date[]) AS k (rule_id, partner_id, period, starts_on)
  USING (rule_id, partner_id, period, starts_on)
WHERE u.program_id = $1
"""
READ_BUDGETS: Final = "SELECT rule_id, budget, spent FROM earning_budget WHERE program_id = $1"
# Whoever decides on budgets that were taken from under it again and again has them to itself.
LOCK_BUDGETS: Final = """
SELECT count(*) FROM (SELECT FROM earning_budget WHERE program_id = $1 ORDER BY rule_id FOR UPDATE) AS held
"""
WRITE_USAGE: Final = """
INSERT INTO earning_usage (program_id, rule_id, partner_id, period, starts_on, points, activities)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::date[], $6::bigint[], $7::int[])
ON CONFLICT (program_id, rule_id, partner_id, period, starts_on)
DO UPDATE SET points = excluded.points, activities = excluded.activities
"""
# A budget is taken from only as far as it goes; one that somebody else has taken from meanwhile is not in the answer.
TAKE_BUDGETS: Final = """
UPDATE earning_budget b SET spent = greatest(0, b.spent + k.taken)
FROM (SELECT k.rule_id, k.taken
      FROM unnest($2::bigint[], $3::bigint[]) AS k (rule_id, taken)
      JOIN earning_budget held ON held.program_id = $1 AND held.rule_id = k.rule_id
      ORDER BY k.rule_id FOR UPDATE OF held) k
WHERE b.program_id = $1 AND b.rule_id = k.rule_id AND (k.taken <= 0 OR b.spent + k.taken <= b.budget)
RETURNING b.rule_id
"""


class BudgetMoved(Exception):
    """Others have taken of a budget what this batch had counted on: it starts over."""


def read_counters(*, program_id: int, keys: Collection[UsageKey]) -> tuple[Statement, Statement]:
    """What was used under these keys, and all budgets of the program."""
    columns = tuple(list(column) for column in zip(*keys, strict=True)) or ([], [], [], [])
    return Statement(READ_USAGE, (program_id, *columns)), Statement(READ_BUDGETS, (program_id,))


def build_counters(usage: Iterable[Sequence[Any]], budgets: Iterable[Sequence[Any]]) -> Counters:
    """Counters of the rows that were read."""
    return Counters(
        {(row[0], row[1], row[2], row[3]): Usage(row[4], row[5]) for row in usage},
        {rule_id: Budget(limit, spent) for rule_id, limit, spent in budgets},
    )


async def lock_budgets(connection: Connection, *, program_id: int) -> None:
    """Keep all others from the program's budgets, to the end of the transaction."""
    await connection.execute(LOCK_BUDGETS, program_id)


def write_usage(*, program_id: int, counters: Counters) -> Statement:
    """What was used of caps, and how many purchases were counted, where that changed."""
    changed = [(key, used) for key, used in counters.usage.items() if used.changed]
    columns = (
        [root for (root, _, _, _), _ in changed],
        [partner_id for (_, partner_id, _, _), _ in changed],
        [period for (_, _, period, _), _ in changed],
        [starts_on for (_, _, _, starts_on), _ in changed],
        [used.points for _, used in changed],
        [used.activities for _, used in changed],
    )
    return Statement(WRITE_USAGE, (program_id, *columns))


async def take_budgets(connection: Connection, *, program_id: int, counters: Counters) -> None:
    """Take this batch's part out of the budgets: the last thing before the commit, as all batches take from the same.

    Raises `BudgetMoved` where one has not so much left.
    """
    taken: Mapping[int, int] = {id_: one.taken for id_, one in counters.budgets.items() if one.taken}
    if not taken:
        return
    rows = await connection.fetch(TAKE_BUDGETS, program_id, list(taken), list(taken.values()))
    if len(rows) != len(taken):
        raise BudgetMoved
