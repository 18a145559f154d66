"""Viewer: who is signed in, and in which program."""

import strawberry

from api.context import Info
from api.roles import Role
from api.schema.partner import Partner
from api.schema.region import Region
from partners.queries import ProgramRow

strawberry.enum(Role, description="What someone does in a program.")


@strawberry.type(description="One loyalty program of one brand.")
class Program:
    key: str
    name: str
    currency: str
    time_zone: str
    locale: str

    @classmethod
    def of(cls, row: ProgramRow) -> "Program":
        return cls(
            key=row.key, name=row.name, currency=row.currency, time_zone=row.time_zone, locale=row.locale
        )


@strawberry.type(description="The signed-in person or integration.")
class Viewer:
    name: str
    roles: list[Role]
    program: Program

    @strawberry.field(description="Set for a partner's people.")
    async def partner(self, info: Info) -> Partner | None:
        code = info.context.caller.partner_code
        row = None if code is None else await info.context.loaders.partners.load(code)
        return None if row is None else Partner.of(row, info.context)

    @strawberry.field(description="Set for a region's staff: the root of what they see.")
    def region(self, info: Info) -> Region | None:
        region_id = info.context.caller.region_id
        return None if region_id is None else Region.of(info.context.catalog.regions[region_id])


@strawberry.type
class ViewerQuery:
    @strawberry.field(description="The signed-in person or integration.")
    def viewer(self, info: Info) -> Viewer:
        caller = info.context.caller
        return Viewer(name=caller.subject, roles=[caller.role], program=Program.of(caller.program))
