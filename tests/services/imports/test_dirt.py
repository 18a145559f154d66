"""Files with every kind of dirt, taken in by the mappings beside them: each row has its account."""

from pathlib import Path
from typing import Final

import pytest

from tests.invariants import check_audit, check_invariants
from tests.services.imports.taking import journal, taken
from tests.world import make_world

pytestmark = pytest.mark.usefixtures("database")

HERE: Final = Path(__file__).parent


async def test_every_kind_of_dirt_is_accounted_for() -> None:
    world = await make_world(())
    content, mapping = (HERE / "dirt.csv").read_bytes(), (HERE / "dirt.toml").read_text()
    first = await taken(world, content, mapping=mapping)
    assert first.read == 54
    assert first.duplicates == 2
    assert first.refused[22] == "MORE_THAN_LEFT"
    assert first.refused[23] == "RETURN_WITHOUT_SALE"
    assert len(first.refused) == 31
    assert first.recorded == 21
    activities = {(number, kind): lines for number, kind, _, lines in await journal(world)}
    assert activities["7001", "SALE"] == [
        ("T-100A", 6, 25),
        ("T-100A", 2, 8),
        ("C-200", 24, 20),
        ("C-200", 12, 10),
    ]
    # The newest sale first, then the newest lines of the one before.
    assert activities["C7006", "RETURN"] == [("T-100A", 4, 16), ("T-100A", 2, 8), ("T-100A", 3, 12)]
    assert activities["C7011", "RETURN"] == [("P-500", 74_215, 77_183)]
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_german_export_is_taken_in() -> None:
    world = await make_world(())
    found = await taken(
        world, (HERE / "dirt_german.csv").read_bytes(), mapping=(HERE / "dirt_german.toml").read_text()
    )
    assert (found.read, found.recorded, found.duplicates, len(found.refused)) == (11, 5, 0, 6)
    assert ("G-0002", "RETURN", "42", [("KA-10", 200, 2057)]) in await journal(world)
    await check_invariants(world.program_id)
