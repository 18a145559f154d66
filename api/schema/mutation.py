"""What can be changed. Each takes one `input` and answers `<Name>Payload | UserError`."""

import strawberry

from api.schema.activity import ActivityMutation
from api.schema.adjustment import AdjustmentMutation
from api.schema.badge import BadgeMutation
from api.schema.device import DeviceMutation
from api.schema.hold import HoldMutation
from api.schema.imports import ImportMutation
from api.schema.leaderboard import LeaderboardMutation
from api.schema.metric import MetricMutation
from api.schema.mission import MissionMutation
from api.schema.partner import PartnerMutation
from api.schema.points import PointsMutation
from api.schema.policy import PolicyMutation
from api.schema.product import ProductMutation
from api.schema.region import RegionMutation
from api.schema.rule import EarningRuleMutation
from api.schema.segment import SegmentMutation
from api.schema.tier import TierMutation
from api.schema.tier_change import TierChangeMutation
from api.schema.unit import UnitMutation


@strawberry.type(description="What can be changed.")
class Mutation(
    ActivityMutation,
    RegionMutation,
    PartnerMutation,
    ProductMutation,
    SegmentMutation,
    MetricMutation,
    TierMutation,
    TierChangeMutation,
    EarningRuleMutation,
    MissionMutation,
    BadgeMutation,
    LeaderboardMutation,
    PointsMutation,
    AdjustmentMutation,
    HoldMutation,
    PolicyMutation,
    UnitMutation,
    DeviceMutation,
    ImportMutation,
):
    pass
