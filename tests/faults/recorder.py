"""A process that records the same batches whenever it is started, and says so after each.

python -m tests.faults.recorder DATABASE_URL PROGRAM_ID
"""

import asyncio
import random
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import base.database
from activity.rules import ActivityInput
from game.pipeline import record
from tests.servers import ROLE
from tests.world import NOW, World, back, line, return_of, sale

SHOPS: Final = ("a", "b", "c", "d")
BATCHES: Final = 16
SIZE: Final = 20


def make_batches() -> list[Sequence[ActivityInput]]:
    """Sales of three months, and returns of whole ones and of lines among them; the same every time."""
    dice = random.Random(7)
    sold: list[tuple[str, str]] = []
    made: list[ActivityInput] = []
    for number in range(BATCHES * SIZE):
        name, shop = f"x{number}", dice.choice(SHOPS)
        if number % 5 == 4 and sold:
            of, shop = sold.pop(dice.randrange(len(sold)))
            what = of if dice.random() < 0.5 else [back(of, 2, "soap", 1, 3)]
            made.append(return_of(name, shop, what))
            continue
        lines = [line("tea", dice.randint(1, 4), dice.randint(1, 60)), line("soap", 2, 9)]
        made.append(sale(name, shop, lines, at=NOW - timedelta(hours=dice.randint(0, 2_000))))
        sold.append((name, shop))
    return [made[start : start + SIZE] for start in range(0, len(made), SIZE)]


async def main(url: str, program_id: int) -> None:
    """Record them all, and write a line after each batch."""
    await base.database.connect(url, role=ROLE, max_size=2)
    clock = World(program_id).clock
    for batch in make_batches():
        outcomes = await record(program_id=program_id, activities=batch, clock=clock)
        assert not [one for one in outcomes if one.status == "REJECTED"]
        sys.stdout.write(f"{outcomes[0].status}\n")
        sys.stdout.flush()
    await base.database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
