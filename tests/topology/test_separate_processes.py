"""Two API processes and two workers on PostgreSQL by URL and on a Redis cluster: a program's story, and their deaths.

Each step follows upon those before it, on one installation: `STORY` has them in their order.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest

from api.roles import Role
from leaderboards.keys import generations_key
from leaderboards.rules import GRACE
from ops.scheduler import ELECTION_SECONDS, SESSION
from tests.command import Mitra, Running
from tests.topology.cluster import Cluster
from tests.topology.installation import Installation
from tests.topology.own_postgres import OWNER, SERVICE, OwnPostgres

SECONDS: Final = 30.0
HANDOVER_SECONDS: Final = 5 * ELECTION_SECONDS
CLOSES_IN: Final = timedelta(seconds=20)
"""After which the season that ended a day ago closes."""

FACTS: Final = """
subscription {
  partnerFacts {
    __typename ... on PointsPosted { amount } ... on MissionCompleted { mission { key } }
    ... on MissionRevoked { mission { key } }
  }
}
"""
BOARD: Final = """
subscription {
  leaderboardChanged(key: "race", first: 3) { snapshot provisional top { position score partner { code } } }
}
"""
LOOK: Final = """
{
  partner(code: "shop") {
    wallet { available debt entries { edges { node { kind amount } } } }
    tier { tier { key } }
    missions(states: [ACTIVE, COMPLETED, REVOKED]) { edges { node { state mission { key } } } }
    badges { revokedAt }
    standings(leaderboard: "race") { position score }
  }
}
"""
STANDINGS: Final = """
query ($key: String!) {
  leaderboard(key: $key) { season { state } top { edges { node { position score partner { code } } } } }
}
"""
INBOX: Final = "{ viewer { partner { inbox { edges { node { title body } } } } } }"
OUTCOMES: Final = (
    "outcomes { status error { code message } facts { __typename ... on PointsPosted { amount } } }"
)


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """The installation, started once."""
    folder = tmp_path_factory.mktemp("processes")
    postgres, cluster = OwnPostgres(folder / "postgres"), Cluster(folder)
    try:
        await asyncio.gather(postgres.start(), asyncio.to_thread(cluster.start))
        with Mitra(folder / ".mitra") as mitra:
            made = Installation(postgres, cluster, mitra)
            await asyncio.to_thread(made.start)
            yield made
    finally:
        cluster.stop()
        postgres.stop()


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float = SECONDS) -> None:
    """Wait for what other processes bring about."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def points(outcome: dict[str, Any]) -> list[int]:
    """What an activity posted."""
    return [fact["amount"] for fact in outcome["facts"] if fact["__typename"] == "PointsPosted"]


def record(running: Installation, api: Running, *activities: dict[str, Any]) -> list[dict[str, Any]]:
    """Record activities of the shop; none is refused."""
    given = [{"source": "pos", "partner": "shop", "kind": "SALE", **one} for one in activities]
    answer = running.change(api, Role.INTEGRATION, "activityRecord", {"activities": given}, OUTCOMES)
    assert all(outcome["error"] is None for outcome in answer["outcomes"]), answer
    return list(answer["outcomes"])


def sold(external_id: str, amount: str, *, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A sale of tea."""
    lines = [{"sku": "tea", "quantity": "1", "amount": amount}]
    return {
        "externalId": external_id,
        "occurredAt": (at or datetime.now(UTC)).isoformat(),
        "lines": lines,
        **more,
    }


def taken_back(external_id: str, sale: str, amount: str) -> dict[str, Any]:
    """The return of such a sale."""
    line = {"sku": "tea", "quantity": "1", "amount": amount, "reverses": {"externalId": sale, "line": 1}}
    return sold(external_id, amount, kind="RETURN") | {"lines": [line]}


def standings(running: Installation, api: Running, key: str) -> tuple[str, list[tuple[str, str]]]:
    """A board: its season's state, and who stands on it with what."""
    board = running.ask(api, Role.ADMIN, STANDINGS, {"key": key})["leaderboard"]
    rows = [edge["node"] for edge in board["top"]["edges"]]
    return board["season"]["state"], [(row["partner"]["code"], row["score"]) for row in rows]


async def the_owner_is_no_superuser_and_the_service_may_less(running: Installation) -> None:
    connection = await asyncpg.connect(running.postgres.url)
    try:
        may = await connection.fetchrow(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert not any(may)
        assert await connection.fetchval("SELECT current_user") == OWNER
        await connection.execute(f"SET ROLE {SERVICE}")
        for statement in (
            "UPDATE ledger_entry SET amount = 1",
            "DELETE FROM activity",
            "TRUNCATE lot_movement",
            "ALTER TABLE wallet ADD COLUMN more int",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


def what_one_api_configures_the_other_one_knows(running: Installation) -> None:
    first, second = running.apis
    now = datetime.now(UTC)
    admin = Role.ADMIN
    running.change(first, admin, "regionUpsert", {"regions": [{"code": "JKT", "name": "Jakarta"}]})
    partners = [
        {"code": code, "name": f"Toko {code}", "kind": "RETAILER", "region": "JKT"}
        for code in ("shop", "other")
    ]
    running.change(second, admin, "partnerUpsert", {"partners": partners})
    running.change(first, admin, "productUpsert", {"products": [{"sku": "tea", "name": "Tea"}]})
    running.change(second, admin, "metricCreate", {"key": "sales", "name": "Sales", "measure": "AMOUNT"})
    rule = {"key": "base", "name": "Base", "activityKind": "SALE", "pointsPer": {"amount": "1"}}
    running.change(first, admin, "earningRuleCreate", rule)
    tiers = [
        {"key": "basic", "name": "Basic", "threshold": "0"},
        {"key": "gold", "name": "Gold", "threshold": "100"},
    ]
    running.change(second, admin, "tierLadderSet", {"metric": "sales", "period": "YEARLY", "tiers": tiers})
    running.change(first, admin, "badgeCreate", {"key": "keen", "name": "Keen"})
    mission = {
        "key": "hundred", "title": "Sell for a hundred", "startsAt": (now - timedelta(days=3)).isoformat(),
        "objectives": [{"key": "sell", "label": "Sell", "metric": "sales", "target": {"fixed": "100"}}],
        "rewards": [{"points": 40}, {"badge": "keen"}],
    }  # fmt: skip
    running.change(second, admin, "missionCreate", mission)
    running.change(first, admin, "missionPublish", {"key": "hundred"})
    race = {"key": "race", "name": "The race", "metric": "sales", "period": "FIXED"}
    dates = {
        "startsAt": (now - timedelta(days=9)).isoformat(),
        "endsAt": (now + timedelta(days=9)).isoformat(),
    }
    running.change(second, admin, "leaderboardCreate", race | dates)
    assert standings(running, first, "race")[1] == []


async def what_is_recorded_through_one_is_told_live_by_the_other(running: Installation) -> None:
    first, second = running.apis
    async with (
        running.subscribed(second, Role.PARTNER, FACTS, partner="shop") as facts,
        running.subscribed(second, Role.ADMIN, BOARD) as board,
    ):
        assert (await board.next_data())["leaderboardChanged"]["snapshot"]
        sale = sold("s1", "150")
        (outcome,) = record(running, first, sale)
        assert points(outcome) == [150, 40]
        heard: list[Any] = []
        while {"mission": {"key": "hundred"}, "__typename": "MissionCompleted"} not in heard:
            heard.append((await facts.next_data())["partnerFacts"])
        assert {"__typename": "PointsPosted", "amount": 150} in heard
        change = (await board.next_data())["leaderboardChanged"]
        while [row["score"] for row in change["top"]] != ["150"]:
            change = (await board.next_data())["leaderboardChanged"]
    (again,) = record(running, second, sale)
    assert again == outcome | {"status": "DUPLICATE"}

    async def told() -> bool:
        inbox = running.ask(second, Role.PARTNER, INBOX, partner="shop")["viewer"]["partner"]["inbox"]
        return any("Sell for a hundred" in str(edge["node"]) for edge in inbox["edges"])

    await until(told)


def a_rule_made_through_one_counts_for_the_other_at_once(running: Installation) -> None:
    first, second = running.apis
    assert points(record(running, second, sold("s2", "10"))[0]) == [10]
    rule = {"key": "more", "name": "More", "activityKind": "SALE", "pointsPer": {"activity": 7}}
    running.change(first, Role.ADMIN, "earningRuleCreate", rule)
    assert points(record(running, second, sold("s3", "10"))[0]) == [10, 7]


async def a_season_that_has_ended_still_takes_what_is_late(running: Installation) -> None:
    first, second = running.apis
    ends_at = datetime.now(UTC) - GRACE + CLOSES_IN
    board = {"key": "sprint", "name": "Sprint", "metric": "sales", "period": "FIXED"}
    dates = {"startsAt": (ends_at - timedelta(days=1)).isoformat(), "endsAt": ends_at.isoformat()}
    running.change(first, Role.ADMIN, "leaderboardCreate", board | dates)
    record(running, second, sold("s4", "30", at=ends_at - timedelta(hours=1)))

    async def shows() -> bool:
        return standings(running, first, "sprint") == ("GRACE", [("shop", "30")])

    await until(shows)
    await until(lambda: is_told(running, "sprint"))


async def is_told(running: Installation, key: str) -> bool:
    """Whether a board comes out of its projection."""
    document = f'subscription {{ leaderboardChanged(key: "{key}") {{ provisional }} }}'
    async with running.subscribed(running.apis[1], Role.ADMIN, document) as line:
        return not (await line.next_data())["leaderboardChanged"]["provisional"]


def boards_are_built_anew_by_command(running: Installation) -> None:
    assert "race" in running.run("boards", "rebuild")
    assert standings(running, running.apis[0], "race")[1] == [("shop", "200")]


async def one_of_two_workers_runs_the_schedule_and_the_other_takes_over(running: Installation) -> None:
    async def elected() -> bool:
        return len(await running.leaders()) == 1

    await until(elected)
    (leader,) = await running.leaders()
    leader.stop(signal.SIGKILL)

    async def taken_over() -> bool:
        leaders = await running.leaders()
        return len(leaders) == 1 and leaders[0] is not leader

    await until(taken_over, seconds=HANDOVER_SECONDS)
    record(running, running.apis[0], sold("s5", "1"))

    async def goes_on() -> bool:
        return standings(running, running.apis[1], "race")[1] == [("shop", "201")]

    await until(goes_on)
    running.workers.remove(leader)


async def a_machine_that_is_gone_loses_the_lead_too(running: Installation) -> None:
    """Its connection is never closed: the server has to ask."""
    connection = await asyncpg.connect(running.postgres.url, server_settings=SESSION)
    try:
        idle, interval, count = [
            int(
                await connection.fetchval(
                    f"SELECT setting FROM pg_settings WHERE name = 'tcp_keepalives_{name}'"
                )
            )
            for name in ("idle", "interval", "count")
        ]
    finally:
        await connection.close()
    assert 0 < idle + interval * count <= 10


async def when_one_api_process_dies_the_other_goes_on(running: Installation) -> None:
    lost, left = running.apis
    async with running.subscribed(left, Role.PARTNER, FACTS, partner="shop") as facts:
        lost.stop(signal.SIGKILL)
        record(running, left, sold("s6", "2"))
        assert (await facts.next_data())["partnerFacts"]["__typename"] == "PointsPosted"
    running.apis = [left, left]


async def a_board_heals_when_its_node_comes_back(running: Installation) -> None:
    first, second = running.apis

    async def shows(score: str) -> bool:
        return standings(running, second, "race")[1] == [("shop", score)]

    node = running.cluster.node_of(await running.season_of("race"))
    node.kill()
    (outcome,) = record(running, first, sold("s7", "1"))
    assert outcome["status"] == "RECORDED"
    assert await shows("204")  # by the database
    await asyncio.to_thread(running.cluster.wait_broken)
    assert await shows("204")
    assert second.get("/readyz")[0] == 503
    node.start()
    await asyncio.to_thread(running.cluster.wait_whole)
    record(running, second, sold("s8", "1"))
    await until(lambda: is_told(running, "race"))
    await until(lambda: shows("205"))
    assert second.get("/readyz")[0] == 200


async def a_season_has_closed_on_the_cluster(running: Installation) -> None:
    """The one that was in its grace before all that."""

    async def is_closed() -> bool:
        return standings(running, running.apis[0], "sprint")[0] == "CLOSED"

    await until(is_closed)
    for api in running.apis:
        assert standings(running, api, "sprint") == ("CLOSED", [("shop", "30")])
    season = await running.season_of("sprint")

    async def is_dropped() -> bool:
        return bool(running.cluster.node_of(season).ask("EXISTS", generations_key(season)) == 0)

    await until(is_dropped)


async def returns_unwind_all_of_it(running: Installation) -> None:
    first, second = running.apis
    sales = {"s1": "150", "s2": "10", "s3": "10", "s4": "30", "s5": "1", "s6": "2", "s7": "1", "s8": "1"}
    back = [taken_back(f"r{sale}", sale, amount) for sale, amount in sales.items()]
    record(running, first, *back[:4])
    record(running, second, *back[4:])
    partner = running.ask(second, Role.ADMIN, LOOK)["partner"]
    assert (partner["wallet"]["available"], partner["wallet"]["debt"]) == (0, 0)
    assert partner["tier"]["tier"]["key"] == "basic"
    assert [edge["node"]["state"] for edge in partner["missions"]["edges"]] == ["REVOKED"]
    assert all(badge["revokedAt"] for badge in partner["badges"])

    async def empty() -> bool:
        return standings(running, first, "race")[1] == []

    await until(empty)
    assert standings(running, first, "sprint") == ("CLOSED", [("shop", "30")])


def the_books_add_up(running: Installation) -> None:
    running.run("audit", "--replay")
    assert "Traceback" not in "".join(one.output for one in (*running.apis, *running.workers))


STORY: Final[Sequence[Callable[[Installation], Awaitable[None] | None]]] = (
    the_owner_is_no_superuser_and_the_service_may_less,
    what_one_api_configures_the_other_one_knows,
    what_is_recorded_through_one_is_told_live_by_the_other,
    a_rule_made_through_one_counts_for_the_other_at_once,
    a_season_that_has_ended_still_takes_what_is_late,
    boards_are_built_anew_by_command,
    one_of_two_workers_runs_the_schedule_and_the_other_takes_over,
    a_machine_that_is_gone_loses_the_lead_too,
    when_one_api_process_dies_the_other_goes_on,
    a_board_heals_when_its_node_comes_back,
    a_season_has_closed_on_the_cluster,
    returns_unwind_all_of_it,
    the_books_add_up,
)


async def test_a_programs_story_over_two_apis_and_two_workers(running: Installation) -> None:
    for step in STORY:
        told = step(running)
        if told is not None:
            await told
