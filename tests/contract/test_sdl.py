"""The committed schema is the one that the code serves."""

from graphql import parse, validate_schema
from graphql.utilities import build_ast_schema

from api.schema.export import SDL, written


def test_the_committed_schema_equals_the_code() -> None:
    assert SDL.read_text() == written(), "run `make schema`"


def test_the_committed_schema_is_valid() -> None:
    assert validate_schema(build_ast_schema(parse(SDL.read_text()))) == []
