"""The table of `api.access` and the schema hold the same fields: what the schema has and the table lacks is denied."""

from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType

from api.access import ACCESS, is_allowed
from api.roles import Role
from api.schema.root import build_schema
from ops.commands.token import TokenRole

SCHEMA = build_schema(introspection=True)._schema
FIELDS = {
    (name, field)
    for name, type_ in SCHEMA.type_map.items()
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
    for field in type_.fields
}


def test_every_field_is_listed_and_nothing_else() -> None:
    assert {(name, field) for name, fields in ACCESS.items() for field in fields} == FIELDS


def test_what_is_not_listed_is_denied() -> None:
    assert not any(is_allowed(role, "Partner", "secrets") for role in Role)
    assert not any(is_allowed(role, "Nothing", "id") for role in Role)
    assert not any(is_allowed(role, "Query", "__schema") for role in Role)


def test_a_field_of_an_interface_is_open_to_nobody_whom_its_types_refuse() -> None:
    for name, type_ in SCHEMA.type_map.items():
        if isinstance(type_, GraphQLInterfaceType):
            for field in type_.fields:
                for possible in SCHEMA.get_possible_types(type_):
                    assert ACCESS[name][field] <= ACCESS[possible.name][field], (name, field, possible.name)


def test_a_field_that_answers_a_type_is_open_to_those_who_may_read_something_of_it() -> None:
    """A role that may ask for a field but for nothing of what it answers would be a mistake of the table."""
    for name, field in FIELDS:
        type_ = SCHEMA.type_map[name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        answered: Any = type_.fields[field].type
        while hasattr(answered, "of_type"):
            answered = answered.of_type
        if isinstance(answered, GraphQLObjectType | GraphQLInterfaceType):
            for role in ACCESS[name][field]:
                assert any(role in roles for roles in ACCESS[answered.name].values()), (name, field, role)


def test_the_command_knows_the_same_roles() -> None:
    assert [role.value for role in TokenRole] == [role.value for role in Role]
