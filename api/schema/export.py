"""Writes the schema to `schema.graphql`, which is committed: `make schema`."""

from pathlib import Path
from typing import Final

from api.schema.root import build_schema

SDL: Final = Path(__file__).with_name("schema.graphql")


def written() -> str:
    """The schema as SDL."""
    return f"{build_schema(introspection=True)}\n"


if __name__ == "__main__":
    SDL.write_text(written())
