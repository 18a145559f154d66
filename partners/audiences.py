"""Audiences as a caller states them: everything that they name must be there."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from base.database import Connection
from partners.checks import check_count, check_known
from partners.inputs import PartnerKind
from partners.rules import Audience

# Which of these region, partner and segment codes the program has.
KNOWN: Final = """
SELECT ARRAY(SELECT code FROM region WHERE program_id = $1 AND code = ANY($2::text[])) AS regions,
       ARRAY(SELECT code FROM partner WHERE program_id = $1 AND code = ANY($3::text[])) AS partners,
       ARRAY(SELECT key FROM segment WHERE program_id = $1 AND key = ANY($4::text[])) AS segments
"""


@dataclass(frozen=True, slots=True)
class AudienceInput:
    """Partners by what they are: every condition that is set must hold, and an empty list sets none."""

    partner_kinds: Sequence[PartnerKind] = ()
    regions: Sequence[str] = ()
    tiers: Sequence[str] = ()
    partners: Sequence[str] = ()
    segments: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What audiences may name of a program."""

    tiers: Collection[str]
    regions: Collection[str]
    partners: Collection[str]
    segments: Collection[str]


async def load_known(
    connection: Connection, *, program_id: int, given: Iterable[AudienceInput], tiers: Collection[str]
) -> Known:
    """What there is of all that these audiences name. `tiers` holds the keys of the program's tiers."""
    given = list(given)
    row = await connection.fetchrow(
        KNOWN,
        program_id,
        list({code for one in given for code in one.regions}),
        list({code for one in given for code in one.partners}),
        list({key for one in given for key in one.segments}),
    )
    assert row is not None
    return Known(tiers, row["regions"], row["partners"], row["segments"])


def settle_audience(given: AudienceInput, known: Known, field: Sequence[str]) -> Audience:
    """The audience that was meant. UNKNOWN_KIND, UNKNOWN_REGION, UNKNOWN_TIER, UNKNOWN_PARTNER, UNKNOWN_SEGMENT,
    TOO_MANY."""
    for name, codes in (
        ("regions", given.regions),
        ("tiers", given.tiers),
        ("partners", given.partners),
        ("segments", given.segments),
    ):
        check_count(codes, [*field, name])
    check_known(given.partner_kinds, PartnerKind, [*field, "partnerKinds"], noun="kind")
    check_known(given.regions, known.regions, [*field, "regions"], noun="region")
    check_known(given.tiers, known.tiers, [*field, "tiers"], noun="tier")
    check_known(given.partners, known.partners, [*field, "partners"], noun="partner")
    check_known(given.segments, known.segments, [*field, "segments"], noun="segment")
    return Audience(
        kinds=frozenset(kind.value for kind in given.partner_kinds),
        regions=frozenset(given.regions),
        tiers=frozenset(given.tiers),
        partners=frozenset(given.partners),
        segments=frozenset(given.segments),
    )


async def check_audience(
    connection: Connection,
    *,
    program_id: int,
    given: AudienceInput | None,
    tiers: Collection[str],
    field: Sequence[str] = ("audience",),
) -> Audience:
    """The audience that was meant; without one, everybody. It refuses what `settle_audience` does."""
    if given is None:
        return Audience()
    known = await load_known(connection, program_id=program_id, given=[given], tiers=tiers)
    return settle_audience(given, known, field)
