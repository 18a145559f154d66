"""The application: health, limits and routes. What GraphQL answers is `api.graphql`'s business.

`/healthz` tells that the process lives and touches nothing. `/readyz` tells whether it can do its work, and which part
cannot: a balancer takes it out of rotation while that is so.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

import base.database
import base.redis
from api.graphql import routes
from api.liabilities import liability_routes
from api.limits import BodyLimit
from api.problems import json_response, problem
from api.statements import statement_routes
from api.uploads import OFFSET, UNDER, upload_routes
from api.watching import REQUEST_ID, Watching
from base.pools import open_pools
from base.settings import Settings

CHECK_SECONDS: Final = 3.0

Check = Callable[[], Awaitable[str | None]]
"""Answers what is wrong, or None."""


def create_app(
    settings: Settings, *, pending: Callable[[], Awaitable[list[str]]] | None = None, connect: bool = True
) -> Starlette:
    """The application for `settings`.

    `pending` names the migrations that the database lacks (given by `ops`, which knows them); `connect` is False where
    the process has opened its pools already.
    """
    middleware = [Middleware(Watching)]
    if settings.allowed_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.allowed_origins),
                allow_methods=["GET", "HEAD", "POST", "PUT"],
                allow_headers=[
                    "authorization",
                    "content-type",
                    "content-range",
                    "traceparent",
                    REQUEST_ID.decode(),
                ],
                expose_headers=[REQUEST_ID.decode(), OFFSET],
            )
        )
    middleware.append(Middleware(BodyLimit, limit=settings.max_body_bytes, except_under=UNDER))
    return Starlette(
        routes=[
            Route("/", _door),
            Route("/healthz", _alive),
            Route("/readyz", _readiness(pending)),
            *routes(settings),
            *upload_routes(settings),
            *statement_routes(settings),
            *liability_routes(settings),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _refusal},
        lifespan=_pools(settings) if connect else None,
    )


async def _door(_: Request) -> Response:
    """Who comes by browser finds GraphiQL, where it is shown."""
    return RedirectResponse("/graphql")


def _pools(settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """A lifespan that holds the pools open."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        assert settings.database_url is not None
        assert settings.redis_url is not None
        async with open_pools(settings, database_url=settings.database_url, redis_url=settings.redis_url):
            yield

    return lifespan


async def _alive(_: Request) -> Response:
    return json_response({"status": "ok"})


def _readiness(
    pending: Callable[[], Awaitable[list[str]]] | None,
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that asks everything we depend on, all at once."""

    async def migrations() -> str | None:
        missing = await pending() if pending is not None else []
        return f"missing: {', '.join(missing)}" if missing else None

    checks: dict[str, Check] = {"database": _database, "redis": _redis, "migrations": migrations}
    asking: dict[str, asyncio.Task[str | None]] = {}

    async def ready(_: Request) -> Response:
        for name, check in checks.items():
            if name not in asking or asking[name].done():
                asking[name] = asyncio.create_task(_answer(check))
        # What hangs takes its time to give its connection back: nobody waits for that, and no second one is sent in.
        await asyncio.wait(asking.values(), timeout=CHECK_SECONDS)
        answers = [task.result() if task.done() else "does not answer" for task in asking.values()]
        wrong = {name: answer for name, answer in zip(checks, answers, strict=True) if answer is not None}
        states = {name: wrong.get(name, "ok") for name in checks}
        return json_response({"status": "unavailable" if wrong else "ok", **states}, 503 if wrong else 200)

    return ready


async def _answer(check: Check) -> str | None:
    """What a check says. The reason stays in short: anyone may read it."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return "does not answer"
    except Exception as error:  # whatever a driver raises, the part is not ready
        return f"failed: {type(error).__name__}"


async def _database() -> str | None:
    async with base.database.reading() as connection:
        await connection.fetchval("SELECT 1")
    return None


async def _redis() -> str | None:
    await base.redis.ping()
    return None


async def _refusal(_: Request, error: Exception) -> Response:
    """A request that is refused before GraphQL sees it."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, HTTPStatus(error.status_code).name, error.detail, headers=error.headers)
