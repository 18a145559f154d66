"""Segment: a saved filter over partners, which audiences name."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from api.schema.scalars import JSON
from partners.inputs import PartnerKind
from partners.segments import SegmentInput, SegmentRow, upsert_segments


@strawberry.type(description="Which partners are in a segment: those that meet every condition that is set.")
class SegmentFilter:
    partner_kinds: list[PartnerKind]
    regions: list[str]
    tiers: list[str]
    partners: list[str]
    attributes: JSON = strawberry.field(description="By name, the values that a partner may have.")


@strawberry.type(description="A saved filter over partners, which audiences name by key.")
class Segment:
    key: str
    name: str
    filter: SegmentFilter

    @classmethod
    def of(cls, row: SegmentRow) -> Segment:
        stored = row.filter
        return cls(
            key=row.key,
            name=row.name,
            filter=SegmentFilter(
                partner_kinds=[PartnerKind(kind) for kind in stored.get("kinds", ())],
                regions=list(stored.get("regions", ())),
                tiers=list(stored.get("tiers", ())),
                partners=list(stored.get("partners", ())),
                attributes=JSON(stored.get("attributes", {})),
            ),
        )


@strawberry.input(
    description="Every condition that is set must hold. Regions by code hold all under them; an empty filter holds all."
)
class SegmentFilterInput:
    partner_kinds: list[PartnerKind] | None = None
    regions: list[str] | None = None
    tiers: list[str] | None = None
    partners: list[str] | None = None
    attributes: JSON | None = strawberry.field(
        default=None,
        description="By name, one value or a list of those that a partner may have: texts, numbers, true or false.",
    )


@strawberry.input(name="SegmentInput")
class SegmentUpsertItem:
    key: str
    name: str
    filter: SegmentFilterInput

    def taken(self) -> SegmentInput:
        given = self.filter
        return SegmentInput(
            key=self.key,
            name=self.name,
            partner_kinds=given.partner_kinds or (),
            regions=given.regions or (),
            tiers=given.tiers or (),
            partners=given.partners or (),
            attributes=given.attributes or {},
        )


@strawberry.input
class SegmentUpsertInput:
    segments: list[SegmentUpsertItem]


@strawberry.type
class SegmentUpsertPayload:
    segments: list[Segment]


SegmentUpsertResult: TypeAlias = Annotated[
    SegmentUpsertPayload | UserError, strawberry.union("SegmentUpsertResult")
]


@strawberry.type
class SegmentQuery:
    @strawberry.field(description="Saved filters over partners, by key.")
    def segments(self, info: Info) -> list[Segment]:
        return [Segment.of(row) for row in info.context.catalog.segments.values()]


@strawberry.type
class SegmentMutation:
    @strawberry.field(
        description="Create and change segments: all of them, or none. What names one follows its filter."
    )
    async def segment_upsert(self, info: Info, given: Given[SegmentUpsertInput]) -> SegmentUpsertResult:
        context = info.context
        segments = [one.taken() for one in given.segments]
        tiers = context.catalog.tiers_by_key
        rows = await upsert_segments(program_id=context.program_id, segments=segments, tiers=tiers)
        await context.renew()
        return SegmentUpsertPayload(segments=[Segment.of(row) for row in rows])
