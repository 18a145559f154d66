"""Audience: who takes part."""

import strawberry

from partners.audiences import AudienceInput as GivenAudience
from partners.inputs import PartnerKind

strawberry.enum(PartnerKind, description="What a partner is in the channel.")


@strawberry.input(
    description="Partners by what they are: every condition that is set must hold. Regions by code hold all under "
    "them; of segments, by key, one must hold the partner."
)
class AudienceInput:
    segments: list[str] | None = None
    partner_kinds: list[PartnerKind] | None = None
    regions: list[str] | None = None
    tiers: list[str] | None = None
    partners: list[str] | None = None

    def taken(self) -> GivenAudience:
        return GivenAudience(
            tuple(self.partner_kinds or ()),
            tuple(self.regions or ()),
            tuple(self.tiers or ()),
            tuple(self.partners or ()),
            tuple(self.segments or ()),
        )
