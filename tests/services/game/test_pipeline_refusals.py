"""What is refused, with which code and path; that it is refused alone; and that nothing of it is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest

from activity.rules import MAX_LINES, MAX_TEXT, RETURN, ActivityInput, LineInput, LineReference
from game.pipeline import WrongSize
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.books import MOST
from metrics.rules import Measure
from metrics.windows import Period
from partners.service import ProductInput
from tests.invariants import check_audit, check_invariants
from tests.world import NOW, World, activity, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
async def world() -> World:
    """Two shops; `shop` sold x1 (two lines) and y1, and took y1 back."""
    world = await make_world(("shop", "other", "closed", "far"))
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.earn(amount=1)
    await world.accept(
        sale("x1", "shop", [line("tea", 2, 20), line("soap", 1, 5)]),
        sale("y1", "shop"),
        return_of("y1-back", "shop", "y1"),
        sale("z1", "other"),
    )
    await world.close("closed")
    await world.partner("far", "Pacific/Niue")
    return world


SALE = sale("new", "shop", [line("tea", 1, 10), line("soap", 1, 5)])
RETURN_OF_X1 = return_of("new", "shop", [back("x1", 1, "tea", 1, 10)])


def _line(**changes: object) -> ActivityInput:
    """The sale, something wrong with its second line."""
    return replace(SALE, lines=[SALE.lines[0], replace(SALE.lines[1], **changes)])  # type: ignore[arg-type]


def _back(**changes: object) -> ActivityInput:
    """The return, something wrong with its only line."""
    return replace(RETURN_OF_X1, lines=[replace(RETURN_OF_X1.lines[0], **changes)])  # type: ignore[arg-type]


REFUSED: list[tuple[str, tuple[str, ...], ActivityInput]] = [
    ("INVALID_TEXT", ("source",), replace(SALE, source="")),
    ("INVALID_TEXT", ("source",), replace(SALE, source="x" * (MAX_TEXT + 1))),
    ("INVALID_TEXT", ("externalId",), replace(SALE, external_id="")),
    ("INVALID_TEXT", ("externalId",), replace(SALE, external_id="a\0b")),
    ("INVALID_TEXT", ("externalId",), replace(SALE, external_id="half a pair \ud83d")),
    ("UNKNOWN_KIND", ("kind",), replace(SALE, kind="GIFT")),
    ("UNKNOWN_CURRENCY", ("currency",), replace(SALE, currency="IDR")),
    ("FUTURE_DATE", ("occurredAt",), replace(SALE, occurred_at=NOW + timedelta(minutes=5, seconds=1))),
    ("INVALID_DATE", ("occurredAt",), replace(SALE, occurred_at=datetime(1, 1, 1, tzinfo=UTC), partner="far")),
    (
        "INVALID_DATE",
        ("occurredAt",),
        replace(SALE, occurred_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))),
    ),
    ("TOO_MANY_LINES", ("lines",), replace(SALE, lines=[line("tea")] * (MAX_LINES + 1))),
    ("INVALID_TEXT", ("attributes",), replace(SALE, attributes={"till": ["a\0b"]})),
    ("INVALID_ATTRIBUTES", ("attributes",), replace(SALE, attributes={"till": "\ud83d"})),
    ("INVALID_ATTRIBUTES", ("attributes",), replace(SALE, attributes={"till": 2**70})),
    ("UNKNOWN_PARTNER", ("partner",), replace(SALE, partner="nobody")),
    ("INVALID_TEXT", ("partner",), replace(SALE, partner="a\0b")),
    ("INVALID_TEXT", ("partner",), replace(SALE, partner="\ud83d")),
    ("PARTNER_CLOSED", ("partner",), replace(SALE, partner="closed")),
    ("UNKNOWN_SKU", ("lines", "1", "sku"), _line(sku="gold")),
    ("INVALID_TEXT", ("lines", "1", "sku"), _line(sku="a\0b")),
    ("UNKNOWN_UNIT", ("lines", "1", "unit"), _line(unit="BOX")),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal(0))),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal(-1))),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal("NaN"))),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal("sNaN"))),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal("Infinity"))),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal("1.0000001"))),
    ("INVALID_QUANTITY", ("lines", "1", "quantity"), _line(quantity=Decimal("1e12"))),
    ("INVALID_AMOUNT", ("lines", "1", "amount"), _line(amount=Decimal("-0.01"))),
    ("INVALID_AMOUNT", ("lines", "1", "amount"), _line(amount=Decimal("0.00001"))),
    ("INVALID_AMOUNT", ("lines", "1", "amount"), _line(amount=Decimal("1e12"))),
    ("INVALID_AMOUNT", ("lines", "1", "amount"), _line(amount=Decimal("NaN"))),
    ("NOT_A_RETURN", ("reverses",), replace(SALE, reverses="x1")),
    ("NOT_A_RETURN", ("lines", "1", "reverses"), _line(reverses=LineReference("x1", 1))),
    ("RETURN_WITH_BOTH", ("lines",), replace(RETURN_OF_X1, reverses="x1")),
    ("RETURN_WITHOUT_SALE", ("reverses",), activity("new", "shop", kind=RETURN)),
    ("RETURN_WITHOUT_SALE", ("lines", "0", "reverses"), _back(reverses=None)),
    ("INVALID_QUANTITY", ("lines", "0", "quantity"), _back(quantity=Decimal(0))),
    ("INVALID_AMOUNT", ("lines", "0", "amount"), _back(amount=Decimal(-1))),
    ("UNKNOWN_ACTIVITY", ("reverses",), return_of("new", "shop", "x9")),
    ("UNKNOWN_ACTIVITY", ("reverses",), return_of("new", "shop", "x1", source="erp")),
    ("UNKNOWN_ACTIVITY", ("reverses",), return_of("new", "shop", "z1")),
    ("INVALID_TEXT", ("reverses",), return_of("new", "shop", "a\0b")),
    ("UNKNOWN_ACTIVITY", ("lines", "0", "reverses"), _back(reverses=LineReference("z1", 1))),
    ("UNKNOWN_ACTIVITY", ("lines", "0", "reverses"), _back(reverses=LineReference("x1", 1, "erp"))),
    ("INVALID_TEXT", ("lines", "0", "reverses", "source"), _back(reverses=LineReference("x1", 1, "\ud83d"))),
    ("NOT_REVERSIBLE", ("reverses",), return_of("new", "shop", "y1-back")),
    ("NOT_REVERSIBLE", ("lines", "0", "reverses"), _back(reverses=LineReference("y1-back", 1))),
    ("RETURN_BEFORE_SALE", ("occurredAt",), return_of("new", "shop", "x1", at=NOW - timedelta(seconds=1))),
    ("NOTHING_LEFT", ("reverses",), return_of("new", "shop", "y1")),
    ("UNKNOWN_LINE", ("lines", "0", "reverses", "line"), _back(reverses=LineReference("x1", 3))),
    ("UNKNOWN_LINE", ("lines", "0", "reverses", "line"), _back(reverses=LineReference("x1", 0))),
    ("WRONG_SKU", ("lines", "0", "sku"), _back(sku="soap")),
    ("INVALID_TEXT", ("lines", "0", "sku"), _back(sku="a\0b")),
    ("UNKNOWN_UNIT", ("lines", "0", "unit"), _back(unit="BOX")),
    ("MORE_THAN_LEFT", ("lines", "0", "quantity"), _back(quantity=Decimal("2.000001"))),
    ("MORE_THAN_LEFT", ("lines", "0", "amount"), _back(amount=Decimal("20.0001"))),
    (
        "MORE_THAN_LEFT",
        ("lines", "1", "quantity"),
        return_of("new", "shop", [back("x1", 1, "tea", 1, 1), back("x1", 1, "tea", "1.5", 1)]),
    ),
]  # fmt: skip


async def test_each_fault_has_its_code_and_path_and_leaves_nothing_behind(world: World) -> None:
    before = await world.everything()
    for code, path, given in REFUSED:
        assert await world.refusal(given) == (code, path), given
    assert await world.everything() == before
    await check_invariants(world.program_id)


async def test_a_fault_refuses_its_own_item_alone(world: World) -> None:
    batch = []
    for number, (_, _, given) in enumerate(REFUSED):
        batch += [sale(f"good-{number}", "shop", 7), given]
    outcomes = await world.record(*batch, sale("last", "other", 7))

    assert [one.status for one in outcomes] == ["RECORDED", "REJECTED"] * len(REFUSED) + ["RECORDED"]
    assert [(one.code, one.field) for one in outcomes[1::2]] == [(code, path) for code, path, _ in REFUSED]
    assert await world.value("amount", Period.MONTHLY, "shop") == 25 + 7 * len(REFUSED)
    await check_invariants(world.program_id)


async def test_a_refused_key_is_free_for_the_mended_activity(world: World) -> None:
    """Whether it was refused before anything was locked, or by the fold."""
    for number, given in enumerate((_line(sku="gold"), _line(unit="BOX"), return_of("new", "shop", "x9"))):
        refused = replace(given, external_id=f"key-{number}")
        await world.refusal(refused)
        (mended,) = await world.record(replace(SALE, external_id=f"key-{number}"))
        assert mended.status == "RECORDED"
        assert await world.refusal(refused) == ("IDEMPOTENCY_CONFLICT", ("externalId",))
    await check_invariants(world.program_id)


async def test_in_one_batch_a_mended_activity_takes_the_key_of_the_refused_one(world: World) -> None:
    too_much = _back(quantity=Decimal(3))
    refused, mended, again, other = await world.record(
        too_much, RETURN_OF_X1, RETURN_OF_X1, replace(RETURN_OF_X1, occurred_at=NOW + timedelta(seconds=1))
    )
    assert (refused.status, mended.status, again.status) == ("REJECTED", "RECORDED", "DUPLICATE")
    assert (again.activity_id, again.facts) == (mended.activity_id, mended.facts)
    assert (other.status, other.code) == ("REJECTED", "IDEMPOTENCY_CONFLICT")
    (later,) = await world.record(RETURN_OF_X1)
    assert (later.status, later.activity_id) == ("DUPLICATE", mended.activity_id)
    await check_invariants(world.program_id)


async def test_the_same_payload_may_be_accepted_once_what_it_waited_for_is_there(world: World) -> None:
    comes_back = return_of("back", "shop", "late")
    first, sold, second = await world.record(comes_back, sale("late", "shop"), comes_back)
    assert (first.code, sold.status, second.status) == ("UNKNOWN_ACTIVITY", "RECORDED", "RECORDED")
    await check_invariants(world.program_id)


async def test_a_batch_has_1_to_1000_activities(world: World) -> None:
    with pytest.raises(WrongSize) as none:
        await world.record()
    with pytest.raises(WrongSize) as too_many:
        await world.record(*(sale(f"n{number}", "shop") for number in range(1_001)))
    assert none.value.code == too_many.value.code == "WRONG_SIZE"
    assert tuple(none.value.field) == tuple(too_many.value.field) == ("activities",)


async def test_the_edges_of_what_is_accepted(world: World) -> None:
    most = [line("tea", "0.000001", "0.0001")] * MAX_LINES
    await world.accept(
        replace(SALE, external_id="x" * MAX_TEXT),
        replace(SALE, external_id="soon", occurred_at=NOW + timedelta(minutes=5)),
        replace(SALE, external_id="long", lines=most),
        replace(SALE, external_id="large", lines=[line("tea", "999999999999.999999", "999999999999.9999")]),
        replace(SALE, external_id="free", lines=[line("tea", 1, "-0.0")]),
        replace(SALE, external_id="money", currency="USD"),
        replace(SALE, external_id="text", attributes={"path": "C:\\u0000", "nested": {"a": [1, 2.5, None]}}),
        activity("visit", "shop", kind="VISIT"),
    )
    await check_invariants(world.program_id)


async def test_a_refusal_never_goes_by_an_older_configuration(world: World) -> None:
    """A process that knows a product as it was must not refuse by that what is right now."""
    by_box = sale("boxes", "shop", [LineInput("tea", Decimal(1), Decimal(10), "BOX")])
    assert await world.refusal(by_box) == ("UNKNOWN_UNIT", ("lines", "0", "unit"))
    await world.products(ProductInput("tea", "Tea", category="drinks", unit="BOX"))
    (outcome,) = await world.record(by_box)
    assert outcome.status == "RECORDED"


async def test_a_repetition_answers_as_the_first_time_whatever_was_configured_since(world: World) -> None:
    by_piece = sale("pieces", "shop", [LineInput("tea", Decimal(1), Decimal(10), "EA")])
    (first,) = await world.accept(by_piece)
    await world.products(ProductInput("tea", "Tea", category="drinks", unit="BOX"))
    await world.close("shop")
    (again,) = await world.record(by_piece)
    assert (again.status, again.activity_id, again.facts) == ("DUPLICATE", first.activity_id, first.facts)
    changed = replace(by_piece, lines=[LineInput("tea", Decimal(2), Decimal(10), "EA")])
    assert await world.refusal(changed) == ("IDEMPOTENCY_CONFLICT", ("externalId",))


async def test_more_points_than_a_wallet_can_hold_refuse_their_item_alone(world: World) -> None:
    """A rule's rate may be absurd: the batch goes on, and the wallet stays exact."""
    await world.earn("absurd", amount=10**9)
    huge = sale("huge", "shop", [line("tea", 1, 10**11)])
    refused, taken = await world.record(huge, sale("small", "shop", [line("tea", 1, 1)]))
    assert (refused.status, refused.code, refused.field) == ("REJECTED", "TOO_MANY_POINTS", ("lines",))
    assert taken.status == "RECORDED"
    await check_invariants(world.program_id)


async def test_a_mission_whose_reward_has_no_room_waits_and_says_so() -> None:
    world = await make_world()
    await world.count("sales", Measure.COUNT)
    await world.mission("rich", {"sales": 1}, points=MOST)

    async def adjust(amount: int) -> None:
        await adjust_points(
            program_id=world.program_id,
            partner="shop",
            amount=amount,
            reason="test",
            idempotency_key=str(amount),
            actor="tests",
            now=NOW,
        )

    await adjust(10)
    await world.accept(sale("a1", "shop"))
    (row,) = await world.rows(
        "SELECT because::text FROM ledger_transaction WHERE program_id = $1 AND key ~ 'activity'"
    )
    assert orjson.loads(row["because"])[-1] == {"step": "no_room", "on": 1, "mission": "rich", "points": MOST}
    assert await world.completions("shop") == {}
    await adjust(-10)
    await world.accept(sale("a2", "shop"))
    assert (await world.wallet("shop")).available == MOST
    await check_invariants(world.program_id)
    await check_audit(world.program_id)
