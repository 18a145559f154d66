"""The schema, put together."""

from functools import cache
from typing import Final

from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryObjectDefinition

from api.door import Held, ServedSchema
from api.schema.fact import FACTS
from api.schema.faults import DomainErrors
from api.schema.mutation import Mutation
from api.schema.query import Query
from api.schema.reading import read_by_type
from api.schema.scalars import SCALARS
from api.schema.subscription import Subscription
from api.schema.wallet import LedgerEntry

OF_INTERFACES: Final = (*FACTS, LedgerEntry)
"""Types that are reached through an interface."""


@cache
def build_schema(*, introspection: bool) -> ServedSchema:
    """The schema, ready to serve."""
    schema = ServedSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=OF_INTERFACES,
        extensions=[Held],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not introspection),
        exception_handlers=[DomainErrors()],
    )
    known = (concrete.definition for concrete in schema.schema_converter.type_map.values())
    read_by_type(one for one in known if isinstance(one, StrawberryObjectDefinition) and one.is_input)
    return schema.serve(introspection=introspection)
