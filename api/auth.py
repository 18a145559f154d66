"""Sign-in: who calls, from the bearer token that comes with each request or opens a socket.

A token proves its claims; `load_caller` then asks the database whether its program, partner and region exist, in one
statement, so that a partner who was closed is out at once. Tokens of our own are JWTs signed with the installation's
secret by one pinned algorithm. Another way to sign in (Firebase, say) is another `Authenticator`.

    Unauthenticated       the `reason` says why: MISSING_TOKEN, MALFORMED_TOKEN, BAD_SIGNATURE, TOKEN_EXPIRED,
                          UNKNOWN_PROGRAM, UNKNOWN_PARTNER, PARTNER_CLOSED, UNKNOWN_REGION
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import jwt

from api.roles import REGIONAL, Role
from base.database import Connection
from partners.listing import Scope
from partners.queries import ProgramRow

ALGORITHM: Final = "HS256"
ISSUER: Final = "mitra"
MAX_TOKEN: Final = 4_096

# The program, and where the token names one, the partner and the region with all that lies under it.
CALLER: Final = """
SELECT g.id, g.key, g.name, g.currency, g.time_zone, g.locale, g.config_version,
       p.id AS partner_id, p.status, coalesce(p.locale, g.locale) AS partner_locale, r.id AS region_id,
       ARRAY(
           WITH RECURSIVE under (id) AS (
               SELECT r.id WHERE r.id IS NOT NULL
               UNION
               SELECT c.id FROM region c JOIN under ON c.program_id = g.id AND c.parent_id = under.id
           )
           SELECT id FROM under
       ) AS region_ids
FROM program g
LEFT JOIN partner p ON p.program_id = g.id AND p.code = $2
LEFT JOIN region r ON r.program_id = g.id AND r.code = $3
WHERE g.key = $1
"""


class Unauthenticated(Exception):
    """Nobody is signed in by this."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: a role in a program, for a partner's people or a region's staff."""

    role: Role
    program: str
    subject: str
    expires_at: datetime
    partner: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `partner_id` is set for a partner's people, `region_id` for a region's staff."""

    role: Role
    subject: str
    program: ProgramRow
    config_version: int
    partner_id: int | None = None
    partner_code: str | None = None
    partner_suspended: bool = False
    partner_locale: str | None = None
    region_id: int | None = None
    region_ids: tuple[int, ...] | None = None

    @property
    def scope(self) -> Scope:
        """The partners that the caller may see."""
        return Scope(self.program.id, self.region_ids, self.partner_id)


class Authenticator(Protocol):
    """A way to sign in."""

    async def verify(self, token: str) -> Claims:
        """What the token says, once it is proved. Raises `Unauthenticated`."""
        ...


class LocalTokens:
    """Tokens signed with the installation's own key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def issue(self, claims: Claims) -> str:
        """A token that says this."""
        stated = {
            "iss": ISSUER,
            "sub": claims.subject,
            "role": claims.role.value,
            "program": claims.program,
            "partner": claims.partner,
            "region": claims.region,
            "iat": datetime.now(UTC),
            "exp": claims.expires_at,
        }
        return jwt.encode(
            {name: value for name, value in stated.items() if value is not None},
            self._key,
            algorithm=ALGORITHM,
        )

    async def verify(self, token: str) -> Claims:
        """What the token says, where it is ours and still lasts."""
        if len(token) > MAX_TOKEN:
            raise Unauthenticated("MALFORMED_TOKEN", "This is no token of ours.")
        try:
            stated = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["exp", "iss", "sub", "role", "program"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("TOKEN_EXPIRED", "The token has expired: get a new one.") from error
        except jwt.InvalidSignatureError as error:
            raise Unauthenticated(
                "BAD_SIGNATURE", "The token was not signed by this installation."
            ) from error
        except jwt.PyJWTError as error:
            raise Unauthenticated("MALFORMED_TOKEN", "This is no token of ours.") from error
        return _claims(stated)


def _claims(stated: Mapping[str, Any]) -> Claims:
    """The claims of a token whose signature holds."""
    try:
        role = Role(stated["role"])
        texts = [stated["program"], stated["sub"], stated.get("partner", ""), stated.get("region", "")]
        expires_at = datetime.fromtimestamp(stated["exp"], UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Unauthenticated("MALFORMED_TOKEN", "The token names no role that we know.") from error
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise Unauthenticated("MALFORMED_TOKEN", "The token's claims are not text.")
    claims = Claims(role, texts[0], texts[1], expires_at, texts[2] or None, texts[3] or None)
    if (role is Role.PARTNER) != (claims.partner is not None):
        raise Unauthenticated("MALFORMED_TOKEN", "The role PARTNER, and no other, is for one partner.")
    if (role in REGIONAL) != (claims.region is not None):
        raise Unauthenticated(
            "MALFORMED_TOKEN", "The roles REGIONAL_LEAD and SALES_REP, and no other, are for a region."
        )
    return claims


def issue_token(
    key: str,
    *,
    role: Role,
    program: str,
    now: datetime,
    lasting: timedelta,
    partner: str | None = None,
    region: str | None = None,
    subject: str | None = None,
) -> str:
    """A local token. PARTNER needs `partner`; REGIONAL_LEAD and SALES_REP need `region`."""
    named = subject or ":".join(filter(None, (role.value.lower(), partner, region)))
    return LocalTokens(key).issue(Claims(role, program, named, now + lasting, partner, region))


def bearer(header: str | None) -> str:
    """The token of an `Authorization: Bearer …` header."""
    if not header:
        raise Unauthenticated("MISSING_TOKEN", "Send a token: `Authorization: Bearer …`.")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("MALFORMED_TOKEN", "The header must be `Authorization: Bearer …`.")
    return token.strip()


async def load_caller(connection: Connection, claims: Claims) -> Caller:
    """The caller behind proved claims, in one statement. A suspended partner may still read; a closed one is out."""
    row = await connection.fetchrow(CALLER, claims.program, claims.partner, claims.region)
    if row is None:
        raise Unauthenticated("UNKNOWN_PROGRAM", "The token's program does not exist.")
    if claims.partner is not None and row["partner_id"] is None:
        raise Unauthenticated("UNKNOWN_PARTNER", "The token's partner does not exist.")
    if row["status"] == "CLOSED":
        raise Unauthenticated("PARTNER_CLOSED", "The token's partner has left the program.")
    if claims.region is not None and row["region_id"] is None:
        raise Unauthenticated("UNKNOWN_REGION", "The token's region does not exist.")
    return Caller(
        role=claims.role,
        subject=claims.subject,
        program=ProgramRow(*row[:6]),
        config_version=row["config_version"],
        partner_id=row["partner_id"],
        partner_code=claims.partner,
        partner_suspended=row["status"] == "SUSPENDED",
        partner_locale=row["partner_locale"] if claims.partner else None,
        region_id=row["region_id"],
        region_ids=tuple(row["region_ids"]) if claims.region else None,
    )
