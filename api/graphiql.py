"""GraphiQL at `/graphql` in development. Its assets come with `make setup`, none from elsewhere."""

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute


def page() -> Response:
    """The page."""
    return HTMLResponse("<!doctype html><title>Mitra</title>")


def graphiql_routes(path: str) -> list[BaseRoute]:
    """Where its assets are served."""
    return []
