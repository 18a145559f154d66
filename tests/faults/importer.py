"""A process that takes a file of sales in, from where its import stands, and says so after each step.

python -m tests.faults.importer DATABASE_URL PROGRAM_ID FILE
"""

import asyncio
import sys
from pathlib import Path

import base.database
from imports.store import Step
from tests.servers import ROLE
from tests.services.imports.taking import take
from tests.world import World


def tell(step: Step) -> None:
    """A line a step: how many rows it accounted for."""
    sys.stdout.write(f"{step.read}\n")
    sys.stdout.flush()


async def main(url: str, program_id: int, file: Path) -> None:
    """Import to the end."""
    await base.database.connect(url, role=ROLE, max_size=2)
    await take(World(program_id), file.read_bytes(), tell=tell)
    await base.database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
