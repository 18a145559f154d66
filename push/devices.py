"""Devices that a partner's messages can be pushed to.

A token is one device, and belongs to whoever signed in on it last: on a shared phone it moves with the sign-in, and
what was queued for its previous owner is no longer sent there (see `deliveries`).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from base.database import retrying, transaction
from base.errors import Invalid, NotFound

PLATFORMS: Final = frozenset({"ANDROID", "IOS", "WEB"})
LIVE_DEVICES: Final = 20
"""A partner's; the one that registered longest ago is forgotten for the next."""
TOKEN: Final = re.compile(r"[!-~]{1,4096}")
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}")

# The partner's row is the mutex of its devices.
LOCK_PARTNER: Final = "SELECT id FROM partner WHERE program_id = $1 AND id = $2 FOR NO KEY UPDATE"
REGISTER: Final = """
INSERT INTO device (program_id, partner_id, token, platform, locale, registered_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (program_id, token) DO UPDATE
SET partner_id = $2, platform = $4, locale = $5, registered_at = $6, forgotten_at = NULL
RETURNING id
"""
FORGET_OLDEST: Final = """
UPDATE device SET forgotten_at = $4
WHERE program_id = $1 AND id IN (
    SELECT id FROM device WHERE program_id = $1 AND partner_id = $2 AND forgotten_at IS NULL
    ORDER BY registered_at DESC, id DESC OFFSET $3
)
"""


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """A device as it stands after its registration."""

    id: int
    partner_id: int
    platform: str
    locale: str | None
    registered_at: datetime


async def register_device(
    *, program_id: int, partner_id: int, token: str, platform: str, locale: str | None, now: datetime
) -> RegisteredDevice:
    """Register a device for the partner's messages; again is as good as once.

    Invalid for a token that is none, an unknown platform or a locale that is none; NotFound without such a partner.
    """
    if not TOKEN.fullmatch(token):
        raise Invalid(
            "A device token has 1 to 4,096 visible characters and no spaces",
            code="INVALID_TOKEN",
            field=("token",),
        )
    if platform not in PLATFORMS:
        raise Invalid(
            f"A platform is one of {', '.join(sorted(PLATFORMS))}",
            code="UNKNOWN_PLATFORM",
            field=("platform",),
        )
    if locale is not None and not LOCALE.fullmatch(locale):
        raise Invalid(f"{locale!r} is not a locale: en, id-ID", code="INVALID_LOCALE", field=("locale",))

    async def register() -> int:
        async with transaction() as connection:
            if await connection.fetchval(LOCK_PARTNER, program_id, partner_id) is None:
                raise NotFound("There is no such partner")
            device_id: int = await connection.fetchval(
                REGISTER, program_id, partner_id, token, platform, locale, now
            )
            await connection.execute(FORGET_OLDEST, program_id, partner_id, LIVE_DEVICES, now)
            return device_id

    device_id = await retrying(register)
    return RegisteredDevice(device_id, partner_id, platform, locale, now)
