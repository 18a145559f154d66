"""A wallet's statement: exact sums by local days, its entries page by page, and the same as a file for people."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.ids import encode, global_id
from api.roles import Role
from base.database import snapshot
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.books import Bucket
from loyalty.ledger.queries import EntryRow
from loyalty.ledger.statements import AT_ONCE, load_statement, span_of, stream_posted
from metrics.rules import Measure
from tests.api.door import Answer, Api, open_api
from tests.world import World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database", "redis")

STATEMENT = """
    query ($partner: String, $from: Date!, $to: Date!, $first: Int, $after: String) {
        walletStatement(partner: $partner, from: $from, to: $to) {
            partner { code } unit from to timeZone startsAt endsAt csvUrl
            buckets { bucket opening change closing }
            totals { kind bucket amount entries }
            entries(first: $first, after: $after) {
                edges { cursor node { id kind bucket amount balanceAfter postedAt } }
                pageInfo { hasNextPage hasPreviousPage endCursor }
            }
        }
    }
"""
NOVEMBER = {"partner": "shop", "from": "2026-11-01", "to": "2026-11-30"}


async def adjust(world: World, amount: int, at: datetime, *, reason: str = "a gift") -> None:
    await adjust_points(
        program_id=world.program_id,
        partner="shop",
        amount=amount,
        reason=reason,
        idempotency_key=f"{at} {amount} {reason}",
        actor="finance",
        now=at,
    )


def day(number: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


async def state(api: Api, role: str = "FINANCE", **given: Any) -> Answer:
    shown: Answer = (await api.ask(role, STATEMENT, NOVEMBER | given))["walletStatement"]
    return shown


async def download(api: Api, url: str, role: str = "FINANCE", **headers: str) -> httpx2.Response:
    return await api.client.get(url, headers={"authorization": f"Bearer {api.token(role)}", **headers})


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def of(statement: Answer, bucket: str) -> tuple[int, int, int]:
    (found,) = (one for one in statement["buckets"] if one["bucket"] == bucket)
    return found["opening"], found["change"], found["closing"]


async def test_it_opens_and_closes_with_local_days() -> None:
    api = await open_api(await jakarta())
    # Jakarta is seven hours ahead: its November begins on 31 October at 17:00 in UTC.
    await adjust(api.world, 1, day(31, 16, month=10))
    await adjust(api.world, 10, day(31, 17, month=10))
    await adjust(api.world, 100, day(30, 16))
    await adjust(api.world, 1000, day(30, 17))
    shown = await state(api)
    assert of(shown, "AVAILABLE") == (1, 110, 111)
    assert (shown["partner"], shown["unit"]) == ({"code": "shop"}, "POINT")
    assert (shown["from"], shown["to"], shown["timeZone"]) == ("2026-11-01", "2026-11-30", "Asia/Jakarta")
    assert (shown["startsAt"], shown["endsAt"]) == ("2026-10-31T17:00:00+00:00", "2026-11-30T17:00:00+00:00")
    assert [edge["node"]["amount"] for edge in shown["entries"]["edges"]] == [10, 100]
    assert [one["bucket"] for one in shown["buckets"]] == list(Bucket)


async def jakarta() -> dict[str, str]:
    return {"shop": "Asia/Jakarta"}


async def test_it_is_exact_where_versions_and_times_disagree() -> None:
    """A history load books at an earlier time what gets a later version."""
    api = await open_api()
    await adjust(api.world, 50, day(10))
    await adjust(api.world, 7, day(5))
    await adjust(api.world, 20, day(20))
    for first, last in ((1, 7), (8, 15), (16, 30), (1, 30)):
        shown = await state(api, **{"from": f"2026-11-{first:02}", "to": f"2026-11-{last:02}"})
        opening, change, closing = of(shown, "AVAILABLE")
        amounts = [edge["node"]["amount"] for edge in shown["entries"]["edges"]]
        assert (opening + change, change) == (closing, sum(amounts))
    assert [edge["node"]["postedAt"][8:10] for edge in shown["entries"]["edges"]] == ["05", "10", "20"]
    assert closing == (await api.world.wallet("shop")).available == 77


async def test_a_debt_and_the_kinds_that_were_booked() -> None:
    api = await open_api()
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.earn("base", amount=1)
    api.world.clock.set(day(21))
    await api.world.accept(sale("a", "shop", 100, at=day(21)))
    await adjust(api.world, -60, day(22))
    api.world.clock.set(day(24))
    await api.world.accept(return_of("b", "shop", "a", at=day(24)))
    shown = await state(api, **{"from": "2026-11-23", "to": "2026-11-30"})
    assert of(shown, "AVAILABLE") == (40, -40, 0)
    assert of(shown, "DEBT") == (0, -60, -60)
    assert shown["totals"] == [
        {"kind": "REVERSE", "bucket": "AVAILABLE", "amount": -40, "entries": 1},
        {"kind": "REVERSE", "bucket": "DEBT", "amount": -60, "entries": 1},
    ]


async def test_its_entries_come_page_by_page() -> None:
    api = await open_api()
    for number in range(7):  # several at one time: the version decides
        await adjust(api.world, number + 1, day(2 + number // 3))
    found: list[int] = []
    after = None
    while True:
        page = (await state(api, first=2, after=after))["entries"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        found += [edge["node"]["amount"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert await api.ask(
        "ADMIN", "query ($id: ID!) { node(id: $id) { id } }", {"id": page["edges"][0]["node"]["id"]}
    )


@pytest.mark.parametrize("cursor", [encode((1,)), encode(("a", 1)), encode((2**62, 1)), "x"])
async def test_another_lists_cursor_is_refused(cursor: str) -> None:
    api = await open_api()
    answer = await api.answer("FINANCE", STATEMENT, NOVEMBER | {"after": cursor})
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_CURSOR"


@pytest.mark.parametrize(
    ("role", "given", "code", "field"),
    [
        ("FINANCE", {"partner": None}, "REQUIRED", ["partner"]),
        ("FINANCE", {"partner": "nobody"}, "NOT_FOUND", ["partner"]),
        ("PARTNER", {"partner": "elsewhere"}, "NOT_FOUND", ["partner"]),
        ("REGIONAL_LEAD", {"partner": "elsewhere"}, "NOT_FOUND", ["partner"]),
        ("FINANCE", {"to": "2026-10-31"}, "ENDS_BEFORE_START", ["to"]),
        ("FINANCE", {"from": "0001-01-01"}, "INVALID_DATE", ["from"]),
        ("FINANCE", {"to": "9999-12-31"}, "INVALID_DATE", ["to"]),
        ("FINANCE", {"to": "2026-02-30"}, "MALFORMED", ["to"]),
        ("FINANCE", {"to": "20261130"}, "MALFORMED", ["to"]),
    ],
)  # fmt: skip
async def test_what_cannot_be_stated(role: str, given: dict[str, Any], code: str, field: list[str]) -> None:
    api = await open_api()
    error = await api.refusal(role, STATEMENT, NOVEMBER | given)
    assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, field)


async def test_without_a_partner_it_is_the_callers_own() -> None:
    api = await open_api(("shop", "other"))
    await adjust(api.world, 5, day(5))
    own = await state(api, "PARTNER", partner=None)
    assert own["partner"] == {"code": "shop"}
    assert of(own, "AVAILABLE") == (0, 5, 5)
    assert read((await download(api, own["csvUrl"], "PARTNER")).content)[5][4] == "5"


# ------------------------------------------------------------------------------------------------------ as a file


async def test_the_file_says_what_the_statement_says() -> None:
    api = await open_api(await jakarta())
    api.world.clock.set(day(30, 17))  # its days are just over
    await adjust(api.world, 3, day(1, month=10))
    await adjust(api.world, 100, day(5, 20), reason="=HYPERLINK(1)")
    await adjust(api.world, -30, day(20), reason="a mug")
    shown = await state(api)
    answer = await download(api, shown["csvUrl"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert (
        answer.headers["content-disposition"]
        == 'attachment; filename="statement-shop-2026-11-01-2026-11-30.csv"'
    )
    assert answer.headers["content-language"] == "en"
    header, *rows = read(answer.content)
    assert header == ["Posted", "Occurred", "Entry", "Bucket", "Amount", "Balance", "Unit", "Reason"]
    assert rows[0] == [
        "2026-11-01 00:00:00+07:00",
        "",
        "Opening balance",
        "Available",
        "",
        "3",
        "POINT",
        "Partner shop",
    ]
    assert [row[3] for row in rows[:4]] == ["Available", "Pending", "Held", "Owed"]
    at = "2026-11-06 03:00:00+07:00"
    assert rows[4] == [
        at,
        at,
        "Adjusted",
        "Available",
        "100",
        "103",
        "POINT",
        "Adjusted by hand: =HYPERLINK(1)",
    ]
    assert rows[5][4:] == ["-30", "73", "POINT", "Adjusted by hand: a mug"]
    assert rows[6] == ["2026-12-01 00:00:00+07:00", "", "Closing balance", "Available", "", "73", "POINT", ""]
    assert len(rows) == 10


async def test_a_file_of_days_that_are_not_over_says_so() -> None:
    api = await open_api(await jakarta())
    api.world.clock.set(day(20, 8))
    await adjust(api.world, 3, day(5))
    url = (await state(api))["csvUrl"]
    at = "2026-11-20 15:00:00+07:00"
    closing = read((await download(api, url)).content)[-4]
    assert closing == [at, "", "Balance so far", "Available", "", "3", "POINT", ""]
    closing = read((await download(api, url, **{"accept-language": "id"})).content)[-4]
    assert closing[:3] == [at, "", "Saldo sejauh ini"]


async def test_a_file_is_named_safely_after_its_partner() -> None:
    code = 'sh"op/../42 ключ'
    api = await open_api((code,))
    answer = await download(api, (await state(api, partner=code))["csvUrl"])
    name = answer.headers["content-disposition"].partition("=")[2]
    assert name == '"statement-sh-op-..-42-2026-11-01-2026-11-30.csv"'
    assert read(answer.content)[1][-1] == f"Partner {code}"


async def test_the_file_speaks_the_readers_language() -> None:
    api = await open_api()
    await adjust(api.world, 3, day(5))
    url = (await state(api))["csvUrl"]
    answer = await download(api, url, **{"accept-language": "id-ID"})
    header, opening, *_ = read(answer.content)
    assert (header[0], opening[2], answer.headers["content-language"]) == ("Dibukukan", "Saldo awal", "id")


async def test_a_long_statement_is_streamed_and_comes_to_its_closing() -> None:
    """Its entries come from the database some hundred at a time."""
    world = await make_world(("shop",))
    for number in range(AT_ONCE // 2 + 2):
        await adjust(world, 10, day(1) + timedelta(minutes=number))
        await adjust(world, -4, day(1) + timedelta(minutes=number, seconds=1))
    api = await open_api(world=world)
    async with snapshot() as connection:
        span = span_of(first_day=date(2026, 11, 1), last_day=date(2026, 11, 30), time_zone="UTC")
        (row,) = await world.rows("SELECT id FROM partner WHERE program_id = $1")
        statement = await load_statement(
            connection, program_id=world.program_id, partner_id=row["id"], unit="POINT", span=span
        )
        parts: list[Sequence[EntryRow]] = [
            part async for part in stream_posted(connection, program_id=world.program_id, statement=statement)
        ]
    assert [len(part) for part in parts] == [AT_ONCE, 4]
    _, *rows = read((await download(api, (await state(api))["csvUrl"])).content)
    assert rows[-5][5] == rows[-4][5] == str(6 * (AT_ONCE // 2 + 2))
    assert len(rows) == AT_ONCE + 4 + 8


@pytest.mark.parametrize("role", Role)
async def test_who_may_have_the_file(role: Role) -> None:
    api = await open_api()
    await adjust(api.world, 3, day(5))
    url = (await state(api))["csvUrl"]
    answer = await download(api, url, role)
    if role is Role.INTEGRATION:
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    else:
        assert answer.status_code == 200
    elsewhere = url.replace(
        global_id("Partner", api.program, "shop"), global_id("Partner", api.program, "elsewhere")
    )
    expected = {Role.INTEGRATION: 403} | dict.fromkeys(
        (Role.PARTNER, Role.SALES_REP, Role.REGIONAL_LEAD), 404
    )
    assert (await download(api, elsewhere, role)).status_code == expected.get(role, 200)


async def test_a_file_that_cannot_be_had() -> None:
    api, other = await open_api(), await open_api()
    url = (await state(api))["csvUrl"]
    path, _, query = url.partition("?")
    for asked, status, code in (
        (url.replace(path.split("/")[2], "x"), 404, "NOT_FOUND"),
        (url.replace(path.split("/")[2], global_id("Partner", other.program, "shop")), 404, "NOT_FOUND"),
        (path, 400, "INVALID_DATE"),
        (f"{path}?{query.replace('2026-11-30', '2026-10-30')}", 400, "ENDS_BEFORE_START"),
    ):
        answer = await download(api, asked)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)
    answer = await api.client.get(url)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
