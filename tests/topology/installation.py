"""Mitra in separate processes: PostgreSQL by URL with two roles, a Redis cluster, two API processes and two workers."""

import json
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
from websockets.asyncio.client import connect

from api.auth import issue_token
from api.roles import Role
from ops.scheduler import LOCK
from tests.api.sockets import PROTOCOL, Line
from tests.command import Mitra, Running
from tests.topology.cluster import Cluster
from tests.topology.own_postgres import OwnPostgres

KEY: Final = "the key that all processes share, long enough to sign with"
PROGRAM: Final = "harbour"

LEADERS: Final = """
SELECT a.client_port FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.objid = $1 AND l.granted AND a.application_name = 'mitra scheduler'
"""


class Installation:
    """What runs, and how it is asked."""

    def __init__(self, postgres: OwnPostgres, cluster: Cluster, mitra: Mitra) -> None:
        self.postgres = postgres
        self.cluster = cluster
        self.mitra = mitra
        self.environment: Final = {
            "MITRA_DATABASE_URL": postgres.url,
            "MITRA_REDIS_URL": cluster.url,
            "MITRA_SECRET_KEY": KEY,
            "MITRA_ENVIRONMENT": "production",
        }
        self.apis: list[Running] = []
        self.workers: list[Running] = []

    def run(self, *arguments: str) -> str:
        """What a command prints that ends well."""
        done = self.mitra.run(*arguments, **self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Migrate, make the program, and start all processes."""
        self.run("migrate")
        start = self.mitra.start
        self.apis = [start("serve", "--only", "api", **self.environment) for _ in range(2)]
        self.workers = [start("serve", "--only", "worker", **self.environment) for _ in range(2)]
        self.run("program", "create", PROGRAM, "--name", "Harbour Foods", "--currency", "IDR")
        for api in self.apis:
            api.wait_ready()

    async def leaders(self) -> list[Running]:
        """The workers that hold the schedule's lock, found by the ports of the connections that do."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            rows = await connection.fetch(LEADERS, LOCK)
        finally:
            await connection.close()
        ports = {row["client_port"] for row in rows}
        return [worker for worker in self.workers if ports & local_ports(worker.process.pid)]

    async def season_of(self, board: str) -> int:
        """The id of a board's only season."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            season = (
                "SELECT s.id FROM season s JOIN leaderboard b ON b.id = s.leaderboard_id WHERE b.key = $1"
            )
            return int(await connection.fetchval(season, board))
        finally:
            await connection.close()

    def ask(
        self,
        api: Running,
        role: Role,
        document: str,
        variables: Mapping[str, Any] | None = None,
        **claims: str,
    ) -> Any:
        """The data that one of the API processes answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{api.port}/graphql",
            json.dumps({"query": document, "variables": variables}).encode(),
            {"authorization": f"Bearer {self.token(role, **claims)}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]

    def change(self, api: Running, role: Role, name: str, given: Any, wanted: str = "__typename") -> Any:
        """What a mutation answers that is not refused."""
        kind = name[0].upper() + name[1:]
        data = self.ask(
            api,
            role,
            f"mutation ($input: {kind}Input!) {{ {name}(input: $input) {{ __typename"
            f" ... on {kind}Payload {{ {wanted} }} ... on UserError {{ code message field }} }} }}",
            {"input": given},
        )[name]
        assert data["__typename"] == f"{kind}Payload", data
        return data

    @asynccontextmanager
    async def subscribed(self, api: Running, role: Role, document: str, **claims: str) -> AsyncIterator[Line]:
        """A socket that hears of `document`."""
        async with connect(f"ws://127.0.0.1:{api.port}/graphql", subprotocols=[PROTOCOL]) as socket:
            line = Line(socket)
            token = self.token(role, **claims)
            await line.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert (await line.hear())["type"] == "connection_ack"
            await line.subscribe(document)
            yield line

    def token(self, role: Role, **claims: str) -> str:
        return issue_token(
            KEY, role=role, program=PROGRAM, now=datetime.now(UTC), lasting=timedelta(hours=1), **claims
        )


def local_ports(pid: int) -> set[int]:
    """The local ports of a process's TCP connections."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            sockets.add(str(descriptor.readlink()))
        except OSError:
            continue
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets}
