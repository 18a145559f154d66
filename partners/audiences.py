"""Audiences as a caller states them: everything that they name must be there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from base.database import Connection
from partners.checks import check_count, check_known
from partners.inputs import PartnerKind
from partners.rules import Audience

# Which of these region and partner codes the program has.
KNOWN: Final = """
SELECT ARRAY(SELECT code FROM region WHERE program_id = $1 AND code = ANY($2::text[])) AS regions,
       ARRAY(SELECT code FROM partner WHERE program_id = $1 AND code = ANY($3::text[])) AS partners
"""


@dataclass(frozen=True, slots=True)
class AudienceInput:
    """Partners by what they are: every condition that is set must hold, and an empty list sets none."""

    partner_kinds: Sequence[PartnerKind] = ()
    regions: Sequence[str] = ()
    tiers: Sequence[str] = ()
    partners: Sequence[str] = ()


async def check_audience(
    connection: Connection,
    *,
    program_id: int,
    given: AudienceInput | None,
    tiers: Collection[str],
    field: Sequence[str] = ("audience",),
) -> Audience:
    """The audience that was meant; without one, everybody. `tiers` holds the keys of the program's tiers.

    UNKNOWN_KIND, UNKNOWN_REGION, UNKNOWN_TIER, UNKNOWN_PARTNER, TOO_MANY.
    """
    if given is None:
        return Audience()
    for name, codes in (("regions", given.regions), ("tiers", given.tiers), ("partners", given.partners)):
        check_count(codes, [*field, name])
    check_known(given.partner_kinds, PartnerKind, [*field, "partnerKinds"], noun="kind")
    known = await connection.fetchrow(KNOWN, program_id, list(given.regions), list(given.partners))
    assert known is not None
    check_known(given.regions, known["regions"], [*field, "regions"], noun="region")
    check_known(given.tiers, tiers, [*field, "tiers"], noun="tier")
    check_known(given.partners, known["partners"], [*field, "partners"], noun="partner")
    return Audience(
        kinds=frozenset(kind.value for kind in given.partner_kinds),
        regions=frozenset(given.regions),
        tiers=frozenset(given.tiers),
        partners=frozenset(given.partners),
    )
