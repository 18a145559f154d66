"""Region: a node of the program's region tree."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from partners.listing import RegionRow
from partners.service import RegionInput, upsert_regions


@strawberry.type(description="A node of the program's region tree.")
class Region:
    row: strawberry.Private[RegionRow]
    code: str
    name: str

    @strawberry.field
    def parent(self, info: Info) -> Region | None:
        parent_id = self.row.parent_id
        return None if parent_id is None else Region.of(info.context.catalog.regions[parent_id])

    @classmethod
    def of(cls, row: RegionRow) -> Region:
        return cls(row=row, code=row.code, name=row.name)


@strawberry.input(name="RegionInput")
class RegionUpsertItem:
    code: str
    name: str
    parent: str | None = None


@strawberry.input
class RegionUpsertInput:
    regions: list[RegionUpsertItem]


@strawberry.type
class RegionUpsertPayload:
    regions: list[Region]


RegionUpsertResult: TypeAlias = Annotated[
    RegionUpsertPayload | UserError, strawberry.union("RegionUpsertResult")
]


@strawberry.type
class RegionMutation:
    @strawberry.field(description="Create and change regions: all of them, or none.")
    async def region_upsert(self, info: Info, given: Given[RegionUpsertInput]) -> RegionUpsertResult:
        context = info.context
        regions = [RegionInput(one.code, one.name, one.parent) for one in given.regions]
        rows = await upsert_regions(program_id=context.program_id, regions=regions)
        await context.renew()
        return RegionUpsertPayload(regions=[Region.of(context.catalog.regions[row.id]) for row in rows])
