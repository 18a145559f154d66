"""`mitra token`: local tokens."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from base.settings import Settings

# Whom a newcomer looks at first: an active partner of the first program that has done something, and its region.
EXAMPLES: Final = """
SELECT g.key AS program, p.code AS partner, r.code AS region
FROM program g
LEFT JOIN partner p ON p.program_id = g.id AND p.status = 'ACTIVE'
LEFT JOIN region r ON r.program_id = g.id AND r.id = p.region_id
ORDER BY g.id, p.activities DESC NULLS LAST, p.code LIMIT 1
"""
PARTNER: Final = "SELECT FROM partner WHERE program_id = $1 AND code = $2"
REGION: Final = "SELECT FROM region WHERE program_id = $1 AND code = $2"


class TokenRole(StrEnum):
    """The roles of `api.roles`, which is not imported for `--help`; a test holds the two equal."""

    PARTNER = "PARTNER"
    SALES_REP = "SALES_REP"
    REGIONAL_LEAD = "REGIONAL_LEAD"
    MARKETER = "MARKETER"
    FINANCE = "FINANCE"
    ADMIN = "ADMIN"
    INTEGRATION = "INTEGRATION"


OF_PARTNER: Final = frozenset({TokenRole.PARTNER})
OF_REGION: Final = frozenset({TokenRole.SALES_REP, TokenRole.REGIONAL_LEAD})

ROLES: Final = ", ".join(TokenRole)


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    app.command()(token)


def _read_role(given: str) -> TokenRole:
    """The role, in whatever case it is written."""
    try:
        return TokenRole(given.upper())
    except ValueError:
        raise typer.BadParameter(
            f"there is no role {given!r}; it is one of {ROLES}", param_hint="--role"
        ) from None


def token(
    role: Annotated[
        TokenRole, typer.Option(parser=_read_role, metavar="ROLE", help=f"What its bearer may do: {ROLES}.")
    ],
    partner: Annotated[str | None, typer.Option(help="Code of the partner, for PARTNER.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Code of the region, for REGIONAL_LEAD and SALES_REP.")
    ] = None,
    program: Annotated[
        str | None, typer.Option(help="Key of the program.", show_default="the only one there is")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Who its bearer is: what takes two people needs two names.", show_default="the role"
        ),
    ] = None,
) -> None:
    """Print a token, and nothing else. It lasts as long as MITRA_TOKEN_DAYS says.

    Example: [bold]mitra token --role PARTNER --partner S00367[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    _check(role, OF_PARTNER, partner, "--partner")
    _check(role, OF_REGION, region, "--region")
    settings = Settings()
    printed = _print_token(settings, role, partner=partner, region=region, program=program, name=name)
    run(printed, settings)


def _check(role: TokenRole, roles: frozenset[TokenRole], given: str | None, option: str) -> None:
    """An option that belongs to some roles is there for them, and for no other."""
    if role in roles and not given:
        raise typer.BadParameter(f"the role {role.value} needs it", param_hint=option)
    if role not in roles and given:
        raise typer.BadParameter(f"the role {role.value} has none", param_hint=option)


async def _print_token(
    settings: "Settings",
    role: TokenRole,
    *,
    partner: str | None,
    region: str | None,
    program: str | None,
    name: str | None,
) -> None:
    from base.database import reading
    from base.errors import NotFound
    from ops.installation import open_installation
    from partners.queries import find_program

    async with open_installation(settings):
        async with reading() as connection:
            found = await find_program(connection, program)
            for noun, code, query in (("partner", partner, PARTNER), ("region", region, REGION)):
                if code is not None and await connection.fetchrow(query, found.id, code) is None:
                    raise NotFound(f"the program {found.key} has no {noun} {code}")
        issued = _issue(settings, role, program=found.key, partner=partner, region=region, name=name)
        typer.echo(issued)


async def role_tokens(settings: "Settings") -> list[tuple[str, str]]:
    """A token for each role of the first program: (role, token); the pools are open.

    Those of a partner and of a region are for an active partner and the region it lies in, where there is one.
    """
    from base.database import reading

    async with reading() as connection:
        row = await connection.fetchrow(EXAMPLES)
    if row is None:
        return []
    found = []
    for role in TokenRole:
        partner = row["partner"] if role in OF_PARTNER else None
        region = row["region"] if role in OF_REGION else None
        if row["partner"] is None and role in OF_PARTNER | OF_REGION:
            continue
        label = " ".join(filter(None, (role.value, partner, region)))
        issued = _issue(settings, role, program=row["program"], partner=partner, region=region)
        found.append((label, issued))
    return found


def _issue(
    settings: "Settings",
    role: TokenRole,
    *,
    program: str,
    partner: str | None,
    region: str | None,
    name: str | None = None,
) -> str:
    from datetime import timedelta

    from api.auth import issue_token
    from api.roles import Role
    from base.clock import SystemClock
    from base.settings import signing_key

    return issue_token(
        signing_key(settings),
        role=Role(role.value),
        program=program,
        partner=partner,
        region=region,
        subject=name,
        now=SystemClock().now(),
        lasting=timedelta(days=settings.token_days),
    )
