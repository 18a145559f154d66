"""What must hold once all is quiet again."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import base.database
import base.feed
import base.redis
from base.database import reading
from base.outbox import OutboxRow, depth
from leaderboards.keys import groups_key, ranking_key, rows_key
from leaderboards.queries import seasons_in
from leaderboards.rebuild import heal, rebuild_all
from leaderboards.rules import OPEN
from ops.audit.checks import CHECKS
from push.notifier import load_happenings
from push.rules import write_messages
from tests.servers import ROLE
from tests.soak.clients import Activity
from tests.soak.site import Site

DRAIN_SECONDS: Final = 120.0

RECORDED: Final = "SELECT external_id FROM activity WHERE program_id = $1"
SOLD: Final = """
SELECT p.code, sum(CASE a.kind WHEN 'SALE' THEN l.amount ELSE 0 END) AS sold, count(DISTINCT a.id) AS activities
FROM activity a JOIN partner p ON p.program_id = a.program_id AND p.id = a.partner_id
LEFT JOIN activity_line l ON l.program_id = a.program_id AND l.activity_id = a.id
WHERE a.program_id = $1 GROUP BY p.code
"""
COUNTED: Final = """
SELECT p.code, m.value FROM meter m
JOIN meter_series s ON s.program_id = m.program_id AND s.id = m.series_id
JOIN metric k ON k.program_id = s.program_id AND k.id = s.metric_id
JOIN partner p ON p.program_id = m.program_id AND p.id = m.partner_id
WHERE m.program_id = $1 AND k.key = 'amount' AND s.period = 'LIFETIME'
"""
TOLD: Final = "SELECT transaction_id, fact FROM message WHERE program_id = $1 AND transaction_id IS NOT NULL"
TRANSACTIONS: Final = "SELECT id FROM ledger_transaction WHERE program_id = $1"


async def find_faults(site: Site, program_id: int, accepted: dict[str, Activity]) -> list[str]:
    """What does not hold, in a line each. The workers must run: they have to come to the end of the outbox first."""
    await base.database.connect(site.database_url, role=ROLE, max_size=4)
    await base.redis.connect(site.redis_url)
    await base.feed.connect(site.redis_url)
    try:
        found = await _drain()
        found += await _compare_journal(program_id, accepted)
        found += await _compare_messages(program_id)
        found += await _compare_boards(program_id)
        for check in CHECKS:
            finding = await check.look(program_id)
            if finding.violations:
                found.append(f"{check.name}: {', '.join(finding.offending)}")
        return found
    finally:
        await base.feed.close()
        await base.redis.close()
        await base.database.close()


async def _drain() -> list[str]:
    """Wait until every consumer has seen every row."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while any(one.rows for one in await depth()):  # noqa: ASYNC110  # other processes do it
                await asyncio.sleep(0.1)
    except TimeoutError:
        return [f"the outbox is not empty: {await depth()}"]
    return [f"{one.parked} rows are parked for {one.consumer}" for one in await depth() if one.parked]


async def _compare_journal(program_id: int, accepted: dict[str, Activity]) -> list[str]:
    """Every accepted activity once, and no other; and what they were worth."""
    async with reading() as connection:
        recorded = Counter(row[0] for row in await connection.fetch(RECORDED, program_id))
        sold = {row["code"]: row["sold"] for row in await connection.fetch(SOLD, program_id)}
        counted = dict(await connection.fetch(COUNTED, program_id))
    found = []
    for what, names in {
        "lost": accepted.keys() - recorded.keys(),
        "recorded, and never accepted": recorded.keys() - accepted.keys(),
        "recorded twice": {name for name, times in recorded.items() if times > 1},
    }.items():
        if names:
            found.append(f"{len(names)} activities {what}: {sorted(names)[:5]}")
    worth, net = _worth(accepted)
    found += [
        f"{code} sold {sold.get(code)} instead of {amount}"
        for code, amount in worth.items()
        if sold.get(code, 0) != amount
    ]
    found += [
        f"{code} counts {counted.get(code)} instead of {amount}"
        for code, amount in net.items()
        if counted.get(code, 0) != amount
    ]
    return found


def _worth(accepted: dict[str, Activity]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """By partner: the amount of all sales, and of those that did not come back."""
    amounts = {
        name: sum((Decimal(line["amount"]) for line in given["lines"]), Decimal(0))
        for name, given in accepted.items()
        if given["kind"] == "SALE"
    }
    sold, net = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    for name, given in accepted.items():
        if given["kind"] == "SALE":
            sold[given["partner"]] += amounts[name]
            net[given["partner"]] += amounts[name]
        else:
            net[given["partner"]] -= amounts[given["reverses"]]
    return sold, net


async def _compare_messages(program_id: int) -> list[str]:
    """One message for each sort of facts that is told, and no other."""
    async with reading() as connection:
        ids = [row["id"] for row in await connection.fetch(TRANSACTIONS, program_id)]
        happened = await load_happenings(connection, [OutboxRow(program_id, [], ids)])
        told = Counter(tuple(row) for row in await connection.fetch(TOLD, program_id))
    wanted = {
        (one.transaction_id, one.facts[0]) for each in happened for one in write_messages(each, names={})
    }
    return [
        f"{len(pairs)} messages {what}"
        for what, pairs in {"are missing": wanted - told.keys(), "too many": told.keys() - wanted}.items()
        if pairs
    ]


async def _compare_boards(program_id: int) -> list[str]:
    """What the boards show as they stand is what they show when they are built anew."""
    await heal()
    before = await _boards(program_id)
    await rebuild_all(program_id)
    after = await _boards(program_id)
    if not before or not all(before.values()):
        return ["no board is built"]
    return [
        f"the board of season {name} is not as a rebuild makes it"
        for name in after
        if before.get(name) != after[name]
    ]


async def _boards(program_id: int) -> dict[str, dict[str, Sequence[Any]]]:
    """By season, every group's standings, and every partner's row."""
    client: Any = base.redis.connected()
    found = {}
    async with reading() as connection:
        views = await seasons_in(connection, program_id=program_id, states=OPEN)
    for view in views:
        season = view.season
        groups = {""} | {
            group.decode() for group in await client.smembers(groups_key(season.id, season.generation))
        }
        shown = {
            group: await client.zrange(
                ranking_key(season.id, season.generation, group), 0, -1, withscores=True
            )
            for group in sorted(groups)
        }
        rows = await client.hgetall(rows_key(season.id, season.generation))
        standing = {key: value for key, value in rows.items() if value.split(b" ")[1:2] != [b""]}
        found[f"{view.board.key} {season.key}"] = {
            **{k: v for k, v in shown.items() if v},
            "rows": sorted(standing.items()),
        }
    return found
