"""A batch of 1,000 costs the statements of a batch of one."""

import pytest

from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_invariants
from tests.services.programs import counted_statements
from tests.world import NOW, World, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

SHOPS = tuple(f"shop-{number:02}" for number in range(50))


@pytest.fixture
async def world() -> World:
    """Everything there is: three rules, a ladder, a mission that pays, badges, distinct counts, points."""
    world = await make_world(SHOPS)
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.count("range", Measure.DISTINCT_PRODUCTS, Period.MONTHLY)
    await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
    for key in ("first", "second", "third", "fourth"):
        await world.earn(key, amount=1)
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "gold": (100, 2)})
    await world.badge("prize")
    await world.badge("seller", "amount", [10, 50])
    await world.mission("m", {"amount": 30}, points=30, badge="prize")
    await world.accept(*(sale(f"warm up {shop}", shop, [line("tea"), line("soap")]) for shop in SHOPS))
    return world


async def statements(world: World, *batch: object) -> int:
    async with counted_statements() as sent:
        await world.accept(*batch)  # type: ignore[arg-type]
    return count_work(sent)


def count_work(sent: list[str]) -> int:
    """Without what a connection says for itself. COPY is not among what is logged: it is one for each table."""
    own = ("BEGIN", "COMMIT", "SELECT pg_advisory_unlock_all")
    return sum(not query.startswith(own) and "typeinfo" not in query for query in sent)


async def test_sales(world: World) -> None:
    one = await statements(world, sale("one", SHOPS[1], [line("tea", 1, 10), line("soap", 2, 5)]))
    thousand = await statements(
        world,
        *(sale(f"x{n}", SHOPS[n % 50], [line("tea", 1, 10), line("soap", 2, 5)]) for n in range(1_000)),
    )
    assert one == thousand
    assert one <= 12
    await check_invariants(world.program_id)


async def test_returns(world: World) -> None:
    """Of lines and of the whole, which take missions, badges and tiers away with them."""
    lines = [line("tea", 2, 10), line("soap", 2, 6)]
    await world.accept(*(sale(f"x{n}", SHOPS[n % 50], lines, at=NOW) for n in range(1_000)))
    one = await statements(world, return_of("one", SHOPS[0], [back("x0", 1, "tea", 1, 5)]))
    one_whole = await statements(world, return_of("one whole", SHOPS[0], "x0"))
    thousand = await statements(
        world,
        *(return_of(f"part{n}", SHOPS[n % 50], [back(f"x{n}", 1, "tea", 1, 5)]) for n in range(1, 501)),
        *(return_of(f"whole{n}", SHOPS[n % 50], f"x{n}") for n in range(1, 501)),
    )
    assert one == one_whole == thousand
    assert one <= 25
    await check_invariants(world.program_id)


async def test_repetitions_and_refusals(world: World) -> None:
    given = [sale(f"x{n}", SHOPS[n % 50]) for n in range(500)]
    await world.accept(*given)
    async with counted_statements() as few:
        await world.record(given[0], return_of("r0", SHOPS[0], "nothing"))
    async with counted_statements() as many:
        await world.record(*given, *(return_of(f"r{n}", SHOPS[n % 50], "nothing") for n in range(500)))
    assert count_work(few) == count_work(many)
