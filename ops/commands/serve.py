"""`mitra serve`: the API, the relay and the scheduler."""

from enum import StrEnum
from typing import Annotated

import typer


class Part(StrEnum):
    """A part that runs alone."""

    API = "api"
    WORKER = "worker"


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="MITRA_HOST or 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on.", min=1, max=65535, show_default="MITRA_PORT or 8000"),
    ] = None,
    workers: Annotated[int, typer.Option(help="API processes; the worker is always one.", min=1, max=64)] = 1,
    only: Annotated[Part | None, typer.Option(help="Run only this part.", show_default="both")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Load the demo first, once, and print a token for each role.")
    ] = False,
) -> None:
    """Serve the API, and run the worker beside it.

    Without MITRA_DATABASE_URL and MITRA_REDIS_URL it starts its own PostgreSQL and Valkey and migrates by itself.

    Example: [bold]mitra serve --port 8080 --workers 2[/bold]
    """
    from base.settings import Settings
    from ops.running import run
    from ops.serve import serve as serve_until_stopped

    given = {"host": host, "port": port}
    settings = Settings().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    api, worker = only is not Part.WORKER, only is not Part.API
    run(serve_until_stopped(settings, workers=workers, api=api, worker=worker, demo=demo), settings)
