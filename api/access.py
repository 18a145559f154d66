"""Who may see and change what: one table, and what is not in it is denied.

Every field of every object type, interface and root stands here with the roles that may ask for it; a test walks
the schema and compares. The check is static: before an operation runs, every (type, field) that it names must be
allowed to the caller's role, or nothing runs. Which rows of an allowed field a caller sees is the queries' business:
they are bound to the caller's program and `Scope`.

INTEGRATION and ADMIN record activities, import files and upsert; MARKETER and ADMIN create; FINANCE and ADMIN adjust,
ADMIN decides about the program's points; MARKETER, FINANCE and ADMIN read the program; REGIONAL_LEAD and SALES_REP read
the region in their token and what lies under it; a PARTNER reads its own and registers devices; INTEGRATION reads the
answers to what it sent, imports among them.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from api.roles import REGIONAL, Role

Roles = frozenset[Role]

ALL: Final[Roles] = frozenset(Role)
PROGRAM: Final[Roles] = frozenset({Role.MARKETER, Role.FINANCE, Role.ADMIN})
READING: Final[Roles] = PROGRAM | REGIONAL | {Role.PARTNER}
SENDING: Final[Roles] = frozenset({Role.INTEGRATION, Role.ADMIN})
DESIGNING: Final[Roles] = frozenset({Role.MARKETER, Role.ADMIN})
ADJUSTING: Final[Roles] = frozenset({Role.FINANCE, Role.ADMIN})
DECIDING: Final[Roles] = frozenset({Role.ADMIN})
OWN: Final[Roles] = frozenset({Role.PARTNER})
IMPORTING: Final[Roles] = PROGRAM | SENDING


def _fields(roles: Roles, names: str) -> dict[str, Roles]:
    return dict.fromkeys(names.split(), roles)


def _page(node: str, roles: Roles) -> dict[str, dict[str, Roles]]:
    """A connection and its edges."""
    return {
        f"{node}Connection": _fields(roles, "edges pageInfo"),
        f"{node}Edge": _fields(roles, "cursor node"),
    }


FACT: Final = _fields(ALL, "id occurredAt postedAt because")

ACCESS: Final[Mapping[str, Mapping[str, Roles]]] = {
    # ------------------------------------------------------------------------------------------------------ roots
    "Query": _fields(ALL, "viewer")
    | _fields(
        READING,
        "node partner partners missions mission badges tiers tierLadder leaderboards leaderboard walletStatement "
        "units",
    )
    | _fields(PROGRAM, "metrics earningRules earningRuleVersions segments programPolicy tierReviews")
    | _fields(ADJUSTING, "adjustments liability")
    | _fields(ADJUSTING | SENDING, "holds")
    | _fields(READING | SENDING, "activity activityExplain")
    | _fields(PROGRAM | SENDING, "earningPreview")
    | _fields(IMPORTING, "import imports"),
    "Mutation": _fields(
        SENDING,
        "activityRecord regionUpsert partnerUpsert productUpsert importCreate importResume pointsHold holdCapture "
        "holdRelease",
    )
    | _fields(
        DESIGNING,
        "segmentUpsert metricCreate tierLadderSet earningRuleCreate earningRuleUpdate earningRuleEnd "
        "missionCreate missionPublish missionEnd badgeCreate leaderboardCreate",
    )
    | _fields(ADJUSTING, "pointsAdjust adjustmentApprove adjustmentReject")
    | _fields(DECIDING, "programPolicySet unitCreate tierOverride")
    | _fields(OWN, "deviceRegister"),
    "Subscription": _fields(READING, "leaderboardChanged") | _fields(OWN, "partnerFacts"),
    # ----------------------------------------------------------------------------------------------- who is calling
    "Viewer": _fields(ALL, "name roles program partner region"),
    "Program": _fields(ALL, "key name currency timeZone locale"),
    "Region": _fields(ALL, "code name parent"),
    "PageInfo": _fields(ALL, "hasNextPage hasPreviousPage startCursor endCursor"),
    "Node": _fields(READING, "id"),
    "UserError": _fields(ALL, "code message field"),
    # ---------------------------------------------------------------------------------------- a partner's standing
    "Partner": _fields(ALL, "id code name kind region status timeZone locale joinedOn")
    | _fields(READING, "wallet tier tierHistory missions badges standings inbox"),
    **_page("Partner", READING),
    "Wallet": _fields(READING, "unit available pending held debt expiring entries holds"),
    "Hold": _fields(READING | SENDING, "id partnerCode unit amount purpose state captured heldAt endedAt"),
    **_page("Hold", READING | SENDING),
    "ExpiringPoints": _fields(READING, "amount expiresAt"),
    "LedgerEntry": _fields(READING, "id kind bucket amount balanceAfter occurredAt postedAt because"),
    **_page("LedgerEntry", READING),
    "WalletStatement": _fields(
        READING, "partner unit from to timeZone startsAt endsAt buckets totals entries csvUrl"
    ),
    "BucketStatement": _fields(READING, "bucket opening change closing"),
    "StatementTotal": _fields(READING, "kind bucket amount entries"),
    "Because": _fields(ALL, "code step detail value"),
    "TierStanding": _fields(READING, "tier since qualifying next toNext keptUntil projected override"),
    "Tier": _fields(ALL, "key name level threshold multiplier access") | _fields(READING, "expiry"),
    "TierOverride": _fields(READING, "until earned"),
    "TierLadder": _fields(
        READING, "metric period rollingMonths fromJoining downgrade graceDays returnsTake tiers countingPast"
    ),
    "TierChange": _fields(READING, "from to changedAt cause because"),
    **_page("TierChange", READING),
    "TierReview": _fields(PROGRAM, "endsOn partners raised lowered"),
    "Message": _fields(READING, "id title body locale createdAt readAt facts"),
    **_page("Message", READING),
    # --------------------------------------------------------------------------------------------- missions, badges
    "Mission": _fields(ALL, "id key title state version startsAt endsAt")
    | _fields(READING, "description objectives rewards"),
    **_page("Mission", READING),
    "Objective": _fields(READING, "key label metric target"),
    "Target": _fields(READING, "fixed"),
    "MissionReward": _fields(READING, "points badge"),
    "MissionProgress": _fields(READING, "id mission state window completedAt objectives"),
    **_page("MissionProgress", READING),
    "ObjectiveProgress": _fields(READING, "objective current target done"),
    "Badge": _fields(ALL, "key name levels hidden"),
    "BadgeAward": _fields(READING, "badge level awardedAt revokedAt"),
    "Metric": _fields(READING, "key name activityKinds measure"),
    "EarningRule": _fields(
        PROGRAM,
        "key name version activityKind basis rate startsAt endsAt effectiveFrom endedAt state filter audience step "
        "bands minBasketAmount maxBasketAmount nth group priority weekdays hours caps lockDays expiry "
        "tierMultiplier segmentMultipliers budget budgetLeft unit",
    ),
    "EarningBand": _fields(PROGRAM, "from points"),
    "EarningNth": _fields(PROGRAM, "number repeats per"),
    "EarningHours": _fields(PROGRAM, "from to"),
    "EarningCap": _fields(PROGRAM, "per points"),
    "EarningSegmentMultiplier": _fields(PROGRAM, "segment factor"),
    "Segment": _fields(PROGRAM, "key name filter"),
    "SegmentFilter": _fields(PROGRAM, "partnerKinds regions tiers partners attributes"),
    # ------------------------------------------------------------------------------------------------- leaderboards
    "Leaderboard": _fields(READING, "id key name season size top around"),
    "Season": _fields(READING, "key startsAt endsAt state"),
    "Standing": _fields(READING, "partner group rank position score reachedAt percentile"),
    **_page("Standing", READING),
    "StandingPartner": _fields(READING, "code name region"),
    "LeaderboardChange": _fields(READING, "snapshot provisional top"),
    # ------------------------------------------------------------------------------------------------ what happened
    "Fact": FACT,
    "PointsPosted": FACT | _fields(ALL, "unit amount"),
    "PointsMatured": FACT | _fields(ALL, "unit amount"),
    "ObjectiveAdvanced": FACT | _fields(ALL, "mission window objective current target"),
    "ObjectiveReceded": FACT | _fields(ALL, "mission window objective current target"),
    "MissionCompleted": FACT | _fields(ALL, "mission window"),
    "MissionRevoked": FACT | _fields(ALL, "mission window"),
    "BadgeAwarded": FACT | _fields(ALL, "badge level"),
    "BadgeRevoked": FACT | _fields(ALL, "badge level"),
    "TierChanged": FACT | _fields(ALL, "from to"),
    "Activity": _fields(
        READING | SENDING,
        "source externalId kind partner occurredAt postedAt recordedAt currency lines stands facts",
    ),
    "ActivityRule": _fields(READING | SENDING, "rule name version points unit because"),
    "EarningPreview": _fields(PROGRAM | SENDING, "outcome rules") | _fields(PROGRAM, "wallets tier"),
    "PreviewedWallet": _fields(PROGRAM, "unit available pending held debt"),
    "ActivityLine": _fields(
        READING | SENDING,
        "line sku quantity amount unit reportedQuantity reportedUnit quantityLeft amountLeft",
    ),
    # ------------------------------------------------------------------------------------------------------ imports
    "Import": _fields(
        IMPORTING,
        "id kind state standing fileName size received progress rowsRead rowsRecorded rowsDuplicate rowsRefused "
        "refusedByReason activities createdAt startedAt finishedAt error refusals refusedUrl",
    )
    | _fields(SENDING, "uploadUrl"),
    **_page("Import", IMPORTING),
    "RefusedReason": _fields(IMPORTING, "code count"),
    "ImportRefusal": _fields(IMPORTING, "line firstLine code message column cells"),
    **_page("ImportRefusal", IMPORTING),
    # ----------------------------------------------------------------------------------------- answers to mutations
    "ActivityRecordPayload": _fields(SENDING, "outcomes"),
    "ActivityOutcome": _fields(PROGRAM | SENDING, "externalId status error facts"),
    "RegionUpsertPayload": _fields(SENDING, "regions"),
    "PartnerUpsertPayload": _fields(SENDING, "partners"),
    "ProductUpsertPayload": _fields(SENDING, "products"),
    "Product": _fields(SENDING, "sku name category brand unit packs"),
    "Pack": _fields(SENDING, "unit quantity"),
    "ImportCreatePayload": _fields(SENDING, "import"),
    "ImportResumePayload": _fields(SENDING, "import"),
    "SegmentUpsertPayload": _fields(DESIGNING, "segments"),
    "MetricCreatePayload": _fields(DESIGNING, "metric"),
    "TierLadderSetPayload": _fields(DESIGNING, "tiers ladder"),
    "TierOverridePayload": _fields(DECIDING, "standing"),
    "EarningRuleCreatePayload": _fields(DESIGNING, "earningRule"),
    "EarningRuleUpdatePayload": _fields(DESIGNING, "earningRule"),
    "EarningRuleEndPayload": _fields(DESIGNING, "earningRule"),
    "MissionCreatePayload": _fields(DESIGNING, "mission"),
    "MissionPublishPayload": _fields(DESIGNING, "mission"),
    "MissionEndPayload": _fields(DESIGNING, "mission"),
    "BadgeCreatePayload": _fields(DESIGNING, "badge"),
    "LeaderboardCreatePayload": _fields(DESIGNING, "leaderboard"),
    "Liability": _fields(ADJUSTING, "unit asOf timeZone available pending held total debt months csvUrl"),
    "LiabilityMonth": _fields(ADJUSTING, "month available pending held total"),
    "PointsAdjustPayload": _fields(ADJUSTING, "entries adjustment"),
    "PointsHoldPayload": _fields(SENDING, "hold"),
    "HoldCapturePayload": _fields(SENDING, "hold"),
    "HoldReleasePayload": _fields(SENDING, "hold"),
    "AdjustmentApprovePayload": _fields(ADJUSTING, "adjustment"),
    "AdjustmentRejectPayload": _fields(ADJUSTING, "adjustment"),
    "Adjustment": _fields(
        ADJUSTING,
        "id partner state amount unit reason askedBy askedAt decidedBy decidedAt rejection entries",
    ),
    **_page("Adjustment", ADJUSTING),
    "ProgramPolicySetPayload": _fields(DECIDING, "policy"),
    "ProgramPolicy": _fields(PROGRAM, "returns expiry adjustmentApprovalAbove expiryNoticeDays"),
    "ApprovalAbove": _fields(PROGRAM, "unit amount"),
    "Expiry": _fields(READING, "kind days months period on"),
    "UnitCreatePayload": _fields(DECIDING, "unit"),
    "Unit": _fields(READING, "code name currency digits"),
    "DeviceRegisterPayload": _fields(OWN, "device"),
    "Device": _fields(OWN, "id platform locale registeredAt"),
}

Path = tuple[str, ...]
Reach = tuple[str, str, Path]
"""A type, a field of it, and where in the answer the operation names it."""


def is_allowed(role: Role, type_name: str, field: str) -> bool:
    """Whether a role may ask for a field."""
    return role in ACCESS.get(type_name, {}).get(field, frozenset())


def denied(role: Role, reached: Iterable[Reach]) -> list[Reach]:
    """What of an operation the role may not ask for."""
    return [reach for reach in reached if not is_allowed(role, reach[0], reach[1])]
