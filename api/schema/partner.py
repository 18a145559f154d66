"""Partner: a business in the channel, and all that the program knows of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, TypeAlias

import strawberry

from api.context import Context, Info
from api.ids import global_id, read_cursor
from api.schema.badge import BadgeAward
from api.schema.faults import Given, UserError
from api.schema.leaderboard import Standing
from api.schema.leaderboard import standings_of as standings_in
from api.schema.message import Message
from api.schema.node import Node
from api.schema.paging import Connection, connect, page_size
from api.schema.progress import MissionProgress, ProgressState, progress_of
from api.schema.region import Region
from api.schema.scalars import JSON
from api.schema.tier import TierStanding, standing_of
from api.schema.tier_change import TierChange
from api.schema.wallet import Wallet
from base.database import reading
from base.errors import Invalid
from leaderboards.queries import standings_of
from loyalty.ledger.books import POINT
from metrics.windows import local_day
from partners.inputs import PartnerKind, PartnerStatus
from partners.listing import PartnerRow, list_partners, subtree
from partners.service import PartnerInput, upsert_partners

LONGEST_SEARCH: Final = 100
"""Characters: matching takes time with the length of what is searched for."""

strawberry.enum(PartnerStatus, description="Whether a partner takes part.")


@strawberry.type(description="A business in the channel.")
class Partner(Node):
    row: strawberry.Private[PartnerRow]
    code: str
    name: str
    kind: PartnerKind
    status: PartnerStatus
    time_zone: str
    locale: str
    joined_on: date = strawberry.field(description="The local day on which it joined the program.")

    @strawberry.field
    def region(self, info: Info) -> Region:
        return Region.of(info.context.catalog.regions[self.row.region_id])

    @strawberry.field
    async def wallet(self, info: Info, unit: str | None = POINT) -> Wallet:
        code = info.context.catalog.unit(POINT if unit is None else unit).code
        return Wallet.of(await info.context.loaders.wallets.load((self.row.id, code)))

    @strawberry.field(description="Null where the program has no tiers.")
    async def tier(self, info: Info) -> TierStanding | None:
        return await standing_of(self.row, info.context)

    @strawberry.field(description="Newest first.")
    async def tier_history(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[TierChange]:
        context, size, before = info.context, page_size(first), read_cursor(after, int)
        rows = await context.loaders.tier_changes.load((self.row.id, before, size + 1))
        return connect(
            rows, size=size, after=after, key=lambda row: row.id, node=lambda row: TierChange.of(row, context)
        )

    @strawberry.field(description="Newest first.")
    async def missions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        states: list[ProgressState] | None = None,
    ) -> Connection[MissionProgress]:
        size, below = page_size(first), read_cursor(after, int)
        found = await progress_of(self.row, info.context, states)
        rest = [one for one in found if below is None or one.mission.row.id < below]
        return connect(rest, size=size, after=after, key=lambda one: one.mission.row.id, node=lambda one: one)

    @strawberry.field(description="Newest first, revoked ones too.")
    async def badges(self, info: Info) -> list[BadgeAward]:
        badges = info.context.catalog.badges
        awards = await info.context.loaders.awards.load(self.row.id)
        return [BadgeAward.of(award, badges[award.badge_id]) for award in awards]

    @strawberry.field(
        description="One per group that the partner is ranked in: the whole board, its region …"
    )
    async def standings(self, info: Info, leaderboard: str) -> list[Standing]:
        board = (await info.context.loaders.boards()).get(leaderboard)
        if board is None:
            return []
        async with reading() as connection:
            rows = await standings_of(connection, board, partner_id=self.row.id)
        return standings_in(rows, info.context)

    @strawberry.field(description="Newest first.")
    async def inbox(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[Message]:
        context, size, before = info.context, page_size(first), read_cursor(after, int)
        rows = await context.loaders.inboxes.load((self.row.id, before, size + 1))
        return connect(
            rows, size=size, after=after, key=lambda row: row.id, node=lambda row: Message.of(row, context)
        )

    @classmethod
    def of(cls, row: PartnerRow, context: Context) -> Partner:
        return cls(
            row=row,
            id=strawberry.ID(global_id("Partner", context.caller.program.key, row.code)),
            code=row.code,
            name=row.name,
            kind=PartnerKind(row.kind),
            status=PartnerStatus(row.status),
            time_zone=row.time_zone,
            locale=row.locale,
            joined_on=row.joined_on or local_day(row.created_at, row.time_zone),
        )


@strawberry.input(
    name="PartnerInput",
    description="A partner as a whole: what is left out is cleared, but for status and joinedOn. No personal data.",
)
class PartnerUpsertItem:
    code: str
    name: str
    kind: PartnerKind
    region: str
    parent: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    attributes: JSON | None = None
    status: PartnerStatus | None = strawberry.field(
        default=None, description="As it stands, where left out; ACTIVE for a new partner."
    )
    joined_on: date | None = strawberry.field(
        default=None,
        description="The local day on which it joined the program: ladders by anniversary count from it. As it "
        "stands, where left out; the day of its creation for a new partner.",
    )

    def taken(self) -> PartnerInput:
        return PartnerInput(
            code=self.code,
            name=self.name,
            kind=self.kind,
            region=self.region,
            parent=self.parent,
            time_zone=self.time_zone,
            locale=self.locale,
            attributes=self.attributes,
            status=self.status,
            joined_on=self.joined_on,
        )


@strawberry.input
class PartnerUpsertInput:
    partners: list[PartnerUpsertItem]


@strawberry.type
class PartnerUpsertPayload:
    partners: list[Partner]


PartnerUpsertResult: TypeAlias = Annotated[
    PartnerUpsertPayload | UserError, strawberry.union("PartnerUpsertResult")
]


@strawberry.type
class PartnerQuery:
    @strawberry.field(description="Null where the caller may not see it.")
    async def partner(self, info: Info, code: str) -> Partner | None:
        row = await info.context.loaders.partners.load(code)
        return None if row is None else Partner.of(row, info.context)

    @strawberry.field(
        description="Those that the caller may see, by code: under a region, with `search` in code or name."
    )
    async def partners(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        region: str | None = None,
        search: str | None = None,
    ) -> Connection[Partner]:
        context, size, start = info.context, page_size(first), read_cursor(after, str)
        if search is not None and len(search) > LONGEST_SEARCH:
            raise Invalid(
                f"search has {LONGEST_SEARCH} characters at most", code="INVALID_SEARCH", field=("search",)
            )
        async with reading() as connection:
            rows = await list_partners(
                connection,
                scope=context.scope,
                region_ids=_region_ids(context, region),
                search=search,
                after=start,
                limit=size + 1,
            )
        return connect(
            rows, size=size, after=after, key=lambda row: row.code, node=lambda row: Partner.of(row, context)
        )


def _region_ids(context: Context, code: str | None) -> tuple[int, ...] | None:
    """A region and all under it; none where there is no such region."""
    if code is None:
        return None
    region = context.catalog.regions_by_code.get(code)
    return () if region is None else subtree(list(context.catalog.regions.values()), region.id)


@strawberry.type
class PartnerMutation:
    @strawberry.field(description="Create and change partners: all of them, or none.")
    async def partner_upsert(self, info: Info, given: Given[PartnerUpsertInput]) -> PartnerUpsertResult:
        context = info.context
        partners = [one.taken() for one in given.partners]
        rows = await upsert_partners(program_id=context.program_id, partners=partners, now=context.now())
        await context.renew()
        found = await context.loaders.partners.load_many([row.code for row in rows])
        return PartnerUpsertPayload(partners=[Partner.of(row, context) for row in found if row is not None])
