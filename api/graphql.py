"""The GraphQL endpoint: its routes, and what is around the schema."""

from starlette.routing import BaseRoute

from base.settings import Settings


def routes(settings: Settings) -> list[BaseRoute]:
    """The routes of `/graphql`, over HTTP and WebSocket."""
    return []
