"""What a program decides about its points as a whole is changed: its policies, and its units."""

from typing import Final

import orjson

from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.books import POINT
from loyalty.ledger.policies import SETTING, Policies
from loyalty.ledger.units import Unit
from partners.checks import check_code, check_currency, check_name
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key

SET_POLICIES: Final = """
UPDATE program SET settings = settings || jsonb_build_object($2::text, $3::text::jsonb) WHERE id = $1
"""
STORED_UNIT: Final = "SELECT currency, digits FROM unit WHERE program_id = $1 AND code = $2"
SET_UNIT: Final = """
INSERT INTO unit (program_id, code, name, currency, digits) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (program_id, code) DO UPDATE SET name = excluded.name
"""
MOST_DIGITS: Final = 6


async def set_policies(*, program_id: int, policies: Policies) -> None:
    """Set the program's policies for its points. They hold for what is posted from now on."""

    async def change(connection: Connection, program: LockedProgram) -> None:
        await connection.execute(SET_POLICIES, program.id, SETTING, orjson.dumps(policies.to_json()).decode())
        await raise_config_version(connection, program.id)

    await configure(program_id, change)


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
            settle_key(unit.code, stored=dict(stored), asked=asked)
        values = (unit.code, unit.name, unit.currency, unit.digits)
        await connection.execute(SET_UNIT, program.id, *values)
        await raise_config_version(connection, program.id)

    await configure(program_id, change)
