"""What a program decides about its points as a whole is changed: its policies, and its units."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import orjson

from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.books import POINT
from loyalty.ledger.expiry import check_last_day
from loyalty.ledger.policies import MOST_NOTICE_DAYS, MOST_NOTICES, SETTING, Policies
from loyalty.ledger.units import Unit, load_units
from partners.checks import (
    check_code,
    check_count,
    check_currency,
    check_known,
    check_name,
    check_unique,
    item_path,
)
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key

SETTINGS: Final = "SELECT settings FROM program WHERE id = $1"
SET_POLICIES: Final = """
UPDATE program SET settings = settings || jsonb_build_object($2::text, $3::text::jsonb) WHERE id = $1
"""
STORED_UNIT: Final = "SELECT currency, digits FROM unit WHERE program_id = $1 AND code = $2"
SET_UNIT: Final = """
INSERT INTO unit (program_id, code, name, currency, digits) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (program_id, code) DO UPDATE SET name = excluded.name
"""
MOST_DIGITS: Final = 6
THRESHOLDS: Final = "adjustmentApprovalAbove"
NOTICE_DAYS: Final = "expiryNoticeDays"


async def set_policies(*, program_id: int, policies: Policies) -> None:
    """Set all of the program's policies for its points. They hold for what is posted from now on."""
    await change_policies(program_id=program_id, change=lambda stored: policies)


async def change_policies(
    *, program_id: int, change: Callable[[Policies], Policies], now: datetime | None = None
) -> Policies:
    """Change some of the program's policies for its points; what stands then. By `now` no day of it may be over.

    Raises `Invalid` (UNKNOWN_UNIT, INVALID_NUMBER, INVALID_EXPIRY, DUPLICATE, TOO_MANY).
    """

    async def write(connection: Connection, program: LockedProgram) -> Policies:
        stored = await load_policies(connection, program_id=program.id)
        changed = change(stored)
        _check_notice_days(changed.expiry_notice_days)
        if now is not None and changed.expiry != stored.expiry:
            check_last_day(changed.expiry, now=now, field=["expiry"])
        units = await load_units(connection, program_id=program.id)
        check_known(changed.approval_above, units, [THRESHOLDS], noun="unit", name="unit")
        if changed != stored:
            written = orjson.dumps(changed.to_json()).decode()
            await connection.execute(SET_POLICIES, program.id, SETTING, written)
            await raise_config_version(connection, program.id)
        return changed

    return await configure(program_id, write)


def _check_notice_days(days: Sequence[int]) -> None:
    check_count(days, [NOTICE_DAYS], most=MOST_NOTICES)
    check_unique(map(str, days), [NOTICE_DAYS])
    for place, one in enumerate(days):
        if not 1 <= one <= MOST_NOTICE_DAYS:
            message = f"must be 1 to {MOST_NOTICE_DAYS}"
            raise Invalid(message, code="INVALID_NUMBER", field=item_path([NOTICE_DAYS], place))


async def load_policies(connection: Connection, *, program_id: int) -> Policies:
    """The program's policies for its points."""
    return Policies.from_settings(orjson.loads(await connection.fetchval(SETTINGS, program_id)))


async def set_unit(*, program_id: int, unit: Unit) -> None:
    """Add a unit, or give one another name; what it counts never changes.

    Raises `Invalid` (INVALID_CODE, INVALID_NAME, INVALID_CURRENCY, INVALID_NUMBER, KEY_TAKEN).
    """
    check_code(unit.code, ("code",))
    check_name(unit.name, ("name",))
    if unit.currency is not None:
        check_currency(unit.currency, ("currency",))
    if not 0 <= unit.digits <= MOST_DIGITS:
        message = f"digits must be 0 to {MOST_DIGITS}"
        raise Invalid(message, code="INVALID_NUMBER", field=("digits",))
    if unit.code == POINT:
        raise Invalid("every program has points already", code="KEY_TAKEN", field=("code",))

    async def change(connection: Connection, program: LockedProgram) -> None:
        asked = {"currency": unit.currency, "digits": unit.digits}
        stored = await connection.fetchrow(STORED_UNIT, program.id, unit.code)
        if stored is not None:
            settle_key(unit.code, stored=dict(stored), asked=asked, field=("code",))
        values = (unit.code, unit.name, unit.currency, unit.digits)
        await connection.execute(SET_UNIT, program.id, *values)
        await raise_config_version(connection, program.id)

    await configure(program_id, change)
