"""What a program decides about its points as a whole is changed."""

from typing import Final

import orjson

from base.database import Connection
from loyalty.ledger.policies import SETTING, Policies
from partners.configuration import LockedProgram, configure, raise_config_version

SET_POLICIES: Final = """
UPDATE program SET settings = settings || jsonb_build_object($2::text, $3::text::jsonb) WHERE id = $1
"""


async def set_policies(*, program_id: int, policies: Policies) -> None:
    """Set the program's policies for its points. They hold for what is posted from now on."""

    async def change(connection: Connection, program: LockedProgram) -> None:
        await connection.execute(SET_POLICIES, program.id, SETTING, orjson.dumps(policies.to_json()).decode())
        await raise_config_version(connection, program.id)

    await configure(program_id, change)
