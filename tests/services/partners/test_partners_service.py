"""Programs are created, regions and partners upserted: all of an input or nothing, in a fixed number of statements."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from activity.rules import KINDS
from base.database import reading
from base.errors import Invalid, NotFound
from partners.checks import MOST_ITEMS
from partners.queries import load_regions
from partners.service import (
    ACTIVITY_KINDS,
    PartnerInput,
    PartnerKind,
    PartnerStatus,
    ProgramInput,
    RegionInput,
    create_program,
    upsert_partners,
    upsert_regions,
)
from tests.services.programs import (
    NOW,
    Refusal,
    another_transaction,
    config_version,
    counted_statements,
    make_program,
    refused,
    rows,
    value,
    wait_for_lock,
)

pytestmark = pytest.mark.usefixtures("database")

REGIONS = [
    RegionInput("java", "Java", "nation"),
    RegionInput("nation", "Nation"),
    RegionInput("bali", "Bali", "nation"),
]


def shop(code: str = "shop", **changes: Any) -> PartnerInput:
    return replace(
        PartnerInput(code=code, name=code.title(), kind=PartnerKind.RETAILER, region="java"), **changes
    )


async def make_regions() -> int:
    program = await make_program()
    await upsert_regions(program_id=program.id, regions=REGIONS)
    return program.id


async def outbox_of(program_id: int) -> list[list[int]]:
    return [
        row["partner_ids"]
        for row in await rows("SELECT partner_ids FROM outbox WHERE program_id = $1", program_id)
    ]


async def upsert(program_id: int, *partners: PartnerInput) -> list[int]:
    made = await upsert_partners(program_id=program_id, partners=partners, now=NOW)
    return [partner.id for partner in made]


# ------------------------------------------------------------------------------------------------------------ programs


async def test_a_program_is_created_once() -> None:
    program = ProgramInput("once", "Once", currency="IDR", time_zone="Asia/Jakarta", locale="id-ID")
    made = await create_program(program=program, now=NOW)
    assert (made.key, made.currency, made.time_zone, made.locale) == ("once", "IDR", "Asia/Jakarta", "id-ID")
    assert await create_program(program=program, now=NOW) == made
    with pytest.raises(Invalid) as caught:
        await create_program(program=replace(program, locale="id"), now=NOW)
    assert (caught.value.code, caught.value.field) == ("KEY_TAKEN", ("key",))


def test_programs_know_the_kinds_that_the_journal_knows() -> None:
    assert ACTIVITY_KINDS == KINDS


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"key": ""}, ("INVALID_CODE", ("key",))),
        ({"key": " padded"}, ("INVALID_CODE", ("key",))),
        ({"key": "a\0b"}, ("INVALID_CODE", ("key",))),
        ({"name": "  "}, ("INVALID_NAME", ("name",))),
        ({"currency": "usd"}, ("INVALID_CURRENCY", ("currency",))),
        ({"currency": "DOLLAR"}, ("INVALID_CURRENCY", ("currency",))),
        ({"time_zone": "Jakarta"}, ("INVALID_TIME_ZONE", ("timeZone",))),
        ({"time_zone": "../etc/passwd"}, ("INVALID_TIME_ZONE", ("timeZone",))),
        ({"time_zone": "Asia"}, ("INVALID_TIME_ZONE", ("timeZone",))),
        ({"time_zone": ""}, ("INVALID_TIME_ZONE", ("timeZone",))),
        ({"locale": "id_ID"}, ("INVALID_LOCALE", ("locale",))),
        ({"activity_kinds": []}, ("REQUIRED", ("activityKinds",))),
        ({"activity_kinds": ["SALE", "site visit"]}, ("INVALID_KIND", ("activityKinds", "1"))),
        ({"activity_kinds": ["SALE", "SALE"]}, ("DUPLICATE", ("activityKinds", "1"))),
    ],
)
async def test_a_wrong_program_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    with pytest.raises(Invalid) as caught:
        await create_program(program=replace(ProgramInput("wrong", "Wrong"), **changes), now=NOW)
    assert (caught.value.code, caught.value.field) == refusal
    assert await value("SELECT count(*) FROM program WHERE key = 'wrong'") == 0


# ------------------------------------------------------------------------------------------------------------- regions


async def test_regions_may_name_parents_that_come_later() -> None:
    program = await make_program()
    made = await upsert_regions(program_id=program.id, regions=REGIONS)
    assert [(row.code, row.parent) for row in made] == [
        ("java", "nation"),
        ("nation", None),
        ("bali", "nation"),
    ]
    async with reading() as connection:
        regions = await load_regions(connection, program.id)
    assert regions.lineages[made[0].id] == {"java", "nation"}


async def test_the_same_regions_again_change_nothing() -> None:
    program_id = await make_regions()
    version = await config_version(program_id)
    before = await rows("SELECT xmin::text, * FROM region WHERE program_id = $1 ORDER BY id", program_id)
    await upsert_regions(program_id=program_id, regions=REGIONS)
    assert (
        await rows("SELECT xmin::text, * FROM region WHERE program_id = $1 ORDER BY id", program_id) == before
    )
    assert await config_version(program_id) == version


async def test_a_region_that_moves_takes_its_partners_along() -> None:
    program_id = await make_regions()
    await upsert_regions(program_id=program_id, regions=[RegionInput("bandung", "Bandung", "java")])
    ids = await upsert(
        program_id, shop("a", region="bandung"), shop("b", region="java"), shop("c", region="bali")
    )
    version = await config_version(program_id)
    await upsert_regions(program_id=program_id, regions=[RegionInput("java", "Java", "bali")])
    versions = await rows("SELECT id, version FROM partner WHERE program_id = $1 ORDER BY id", program_id)
    assert [tuple(row) for row in versions] == [(ids[0], 2), (ids[1], 2), (ids[2], 1)]
    assert await outbox_of(program_id) == [ids[:2]]
    assert await config_version(program_id) == version + 1  # type: ignore[operator]


async def test_a_new_name_of_a_region_moves_nobody() -> None:
    program_id = await make_regions()
    await upsert(program_id, shop())
    await upsert_regions(program_id=program_id, regions=[RegionInput("java", "West Java", "nation")])
    assert await value("SELECT version FROM partner WHERE program_id = $1", program_id) == 1
    assert await outbox_of(program_id) == []


@pytest.mark.parametrize(
    ("regions", "refusal"),
    [
        ([RegionInput("x", "X"), RegionInput("y", "Y", "z")], ("UNKNOWN_REGION", ("regions", "1", "parent"))),
        ([RegionInput("x", "X"), RegionInput("x", "X")], ("DUPLICATE", ("regions", "1", "code"))),
        ([RegionInput("x", "X", "x")], ("CYCLE", ("regions", "0", "parent"))),
        (
            [RegionInput("z", "Z", "x"), RegionInput("x", "X", "y"), RegionInput("y", "Y", "x")],
            ("CYCLE", ("regions", "1", "parent")),
        ),
        ([RegionInput("nation", "Nation", "java")], ("CYCLE", ("regions", "0", "parent"))),
        ([RegionInput("x", "X"), RegionInput("", "Y")], ("INVALID_CODE", ("regions", "1", "code"))),
        ([RegionInput("x", "X"), RegionInput("y", " ")], ("INVALID_NAME", ("regions", "1", "name"))),
    ],
)
async def test_wrong_regions_are_refused(regions: list[RegionInput], refusal: Refusal) -> None:
    program_id = await make_regions()
    assert (
        await refused(upsert_regions(program_id=program_id, regions=regions), program_id=program_id)
        == refusal
    )


async def test_another_programs_regions_and_partners_are_unknown() -> None:
    program_id, other_id = await make_regions(), await make_regions()
    await upsert_regions(program_id=other_id, regions=[RegionInput("theirs", "Theirs")])
    await upsert(other_id, shop("theirs"))
    call = upsert_regions(program_id=program_id, regions=[RegionInput("x", "X", "theirs")])
    assert await refused(call, program_id=program_id) == ("UNKNOWN_REGION", ("regions", "0", "parent"))
    call_ = upsert_partners(program_id=program_id, partners=[shop(region="theirs")], now=NOW)
    assert await refused(call_, program_id=program_id) == ("UNKNOWN_REGION", ("partners", "0", "region"))
    call_ = upsert_partners(program_id=program_id, partners=[shop(parent="theirs")], now=NOW)
    assert await refused(call_, program_id=program_id) == ("UNKNOWN_PARTNER", ("partners", "0", "parent"))


async def test_a_program_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound):
        await upsert_regions(program_id=-1, regions=REGIONS)


# ------------------------------------------------------------------------------------------------------------ partners


async def test_partners_are_upserted_in_the_order_given() -> None:
    program_id = await make_regions()
    made = await upsert_partners(
        program_id=program_id,
        partners=[
            shop("shop", parent="hub"),
            shop("hub", kind=PartnerKind.DISTRIBUTOR, time_zone="Asia/Jakarta"),
        ],
        now=NOW,
    )
    assert [(row.code, row.parent, row.kind, row.time_zone) for row in made] == [
        ("shop", "hub", PartnerKind.RETAILER, None),
        ("hub", None, PartnerKind.DISTRIBUTOR, "Asia/Jakarta"),
    ]
    assert await value("SELECT max(version) FROM partner WHERE program_id = $1", program_id) == 1
    assert await outbox_of(program_id) == []


async def test_the_same_partners_again_change_nothing() -> None:
    program_id = await make_regions()
    given = [shop("shop", parent="hub", attributes={"class": "A", "size": 1.5}), shop("hub", locale="id")]
    await upsert(program_id, *given)
    version = await config_version(program_id)
    before = await rows("SELECT xmin::text, * FROM partner WHERE program_id = $1 ORDER BY id", program_id)
    await upsert(program_id, *given)
    assert (
        await rows("SELECT xmin::text, * FROM partner WHERE program_id = $1 ORDER BY id", program_id)
        == before
    )
    assert await config_version(program_id) == version


@pytest.mark.parametrize(
    ("changes", "is_seen"),
    [
        ({"kind": PartnerKind.AGENT}, True),
        ({"region": "bali"}, True),
        ({"status": PartnerStatus.SUSPENDED}, True),
        ({"status": PartnerStatus.CLOSED}, True),
        ({"name": "Renamed"}, False),
        ({"parent": "hub"}, False),
        ({"time_zone": "Asia/Makassar"}, False),
        ({"attributes": {"class": "B"}}, False),
        ({"status": PartnerStatus.ACTIVE}, False),
    ],
)
async def test_what_others_see_of_a_partner_changes_with_its_version(
    changes: dict[str, Any], is_seen: bool
) -> None:
    program_id = await make_regions()
    shop_id, _ = await upsert(program_id, shop(), shop("hub"))
    version = await config_version(program_id)
    await upsert(program_id, shop(**changes), shop("hub"))
    assert await value("SELECT version FROM partner WHERE id = $1", shop_id) == 1 + is_seen
    assert await outbox_of(program_id) == ([[shop_id]] if is_seen else [])
    assert await config_version(program_id) == version + is_seen  # type: ignore[operator]


async def test_a_status_stays_where_it_is_left_out() -> None:
    program_id = await make_regions()
    await upsert(program_id, shop(status=PartnerStatus.SUSPENDED))
    [kept] = await upsert_partners(program_id=program_id, partners=[shop(name="Other")], now=NOW)
    assert (kept.status, kept.name) == (PartnerStatus.SUSPENDED, "Other")
    [back] = await upsert_partners(
        program_id=program_id, partners=[shop(status=PartnerStatus.ACTIVE)], now=NOW
    )
    assert back.status is PartnerStatus.ACTIVE


async def test_the_rest_is_cleared_where_it_is_left_out() -> None:
    program_id = await make_regions()
    await upsert(
        program_id, shop(parent="hub", time_zone="Asia/Jakarta", attributes={"class": "A"}), shop("hub")
    )
    [cleared] = await upsert_partners(program_id=program_id, partners=[shop()], now=NOW)
    assert (cleared.parent, cleared.time_zone) == (None, None)
    assert await value("SELECT attributes FROM partner WHERE id = $1", cleared.id) == "{}"


@pytest.mark.parametrize(
    ("partners", "refusal"),
    [
        ([shop("x"), shop("y", region="mars")], ("UNKNOWN_REGION", ("partners", "1", "region"))),
        ([shop("x"), shop("y", parent="nobody")], ("UNKNOWN_PARTNER", ("partners", "1", "parent"))),
        ([shop("x", parent="y"), shop("y", parent="x")], ("CYCLE", ("partners", "0", "parent"))),
        ([shop("stands", parent="stands")], ("CYCLE", ("partners", "0", "parent"))),
        ([shop("above", parent="stands")], ("CYCLE", ("partners", "0", "parent"))),
        ([shop("x", parent="stands"), shop("above", parent="x")], ("CYCLE", ("partners", "0", "parent"))),
        ([shop("x"), shop("x")], ("DUPLICATE", ("partners", "1", "code"))),
        ([shop("x"), shop("y\n")], ("INVALID_CODE", ("partners", "1", "code"))),
        ([shop("x", name="")], ("INVALID_NAME", ("partners", "0", "name"))),
        ([shop("x", kind="SHOP")], ("UNKNOWN_KIND", ("partners", "0", "kind"))),
        ([shop("x", status="GONE")], ("UNKNOWN_STATUS", ("partners", "0", "status"))),
        ([shop("x", time_zone="Mars/Phobos")], ("INVALID_TIME_ZONE", ("partners", "0", "timeZone"))),
        ([shop("x", locale="English")], ("INVALID_LOCALE", ("partners", "0", "locale"))),
        ([shop("x", attributes={"a": "b\0"})], ("INVALID_ATTRIBUTES", ("partners", "0", "attributes"))),
        ([shop("x", attributes={"a": "\ud800"})], ("INVALID_ATTRIBUTES", ("partners", "0", "attributes"))),
        (
            [shop("x", attributes={"a": float("nan")})],
            ("INVALID_ATTRIBUTES", ("partners", "0", "attributes")),
        ),
    ],
)
async def test_wrong_partners_are_refused(partners: list[PartnerInput], refusal: Refusal) -> None:
    program_id = await make_regions()
    await upsert(program_id, shop("above"), shop("stands", parent="above"))
    call = upsert_partners(program_id=program_id, partners=partners, now=NOW)
    assert await refused(call, program_id=program_id) == refusal


@pytest.mark.parametrize("text", ["\\u0000", "😀", "\\ud800", 'quo"te'])
async def test_attributes_keep_any_text_that_can_be_stored(text: str) -> None:
    program_id = await make_regions()
    [id_] = await upsert(program_id, shop(attributes={"text": text}))
    assert await value("SELECT attributes ->> 'text' FROM partner WHERE id = $1", id_) == text


async def test_an_upsert_waits_for_whoever_holds_a_partner(database_url: str) -> None:
    """A partner's row is the mutex for all its state: what an activity holds is not changed underneath it."""
    program_id = await make_regions()
    [id_] = await upsert(program_id, shop())
    async with another_transaction(database_url) as holder:
        await holder.fetch("SELECT FROM partner WHERE id = $1 FOR UPDATE", id_)
        waiting = asyncio.create_task(upsert(program_id, shop(region="bali")))
        await wait_for_lock(database_url, waiting, "SELECT id FROM partner%FOR NO KEY UPDATE%")
    await waiting
    assert await value("SELECT version FROM partner WHERE id = $1", id_) == 2


# ---------------------------------------------------------------------------------------------------------- statements


def chain(count: int) -> Sequence[PartnerInput]:
    """Partners one under the other, each before its parent."""
    return [
        shop(f"p{index}", parent=f"p{index + 1}" if index + 1 < count else None) for index in range(count)
    ]


async def test_thousands_of_partners_cost_as_many_statements_as_two() -> None:
    counts = []
    for count in (2, 3_000):
        program_id = await make_regions()
        async with counted_statements() as first:
            await upsert(program_id, *chain(count))
        moved = [replace(partner, region="bali") for partner in chain(count)]
        async with counted_statements() as second:
            await upsert(program_id, *moved)
        counts.append((len(first), len(second)))
        assert (
            await value("SELECT cardinality(partner_ids) FROM outbox WHERE program_id = $1", program_id)
            == count
        )
    assert counts[0] == counts[1]
    assert 0 < max(counts[0]) <= 12


async def test_many_regions_cost_as_many_statements_as_two() -> None:
    counts = []
    for count in (2, 1_000):
        program_id = (await make_program()).id
        regions = [RegionInput(f"r{n}", "R", f"r{n + 1}" if n + 1 < count else None) for n in range(count)]
        async with counted_statements() as sent:
            await upsert_regions(program_id=program_id, regions=regions)
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= 12


async def test_more_than_ten_thousand_are_refused() -> None:
    program_id = await make_regions()
    many = [shop(f"p{index}") for index in range(MOST_ITEMS + 1)]
    call = upsert_partners(program_id=program_id, partners=many, now=NOW)
    assert await refused(call, program_id=program_id) == ("TOO_MANY", ("partners",))


async def test_nothing_given_is_nothing_done() -> None:
    program_id = await make_regions()
    version = await config_version(program_id)
    assert await upsert_partners(program_id=program_id, partners=[], now=NOW) == []
    assert await upsert_regions(program_id=program_id, regions=[]) == []
    assert await config_version(program_id) == version


async def test_only_new_regions_leave_what_exists_as_it_is() -> None:
    program_id = await make_regions()
    before = await rows("SELECT xmin::text, * FROM region WHERE program_id = $1 ORDER BY id", program_id)
    found = await upsert_regions(
        program_id=program_id,
        regions=[
            RegionInput("java", "Other"),
            RegionInput("solo", "Solo", "city"),
            RegionInput("city", "City", "java"),
        ],
        only_new=True,
    )
    assert [(row.code, row.name, row.parent) for row in found] == [
        ("java", "Java", "nation"),
        ("solo", "Solo", "city"),
        ("city", "City", "java"),
    ]
    after = await rows("SELECT xmin::text, * FROM region WHERE program_id = $1 ORDER BY id", program_id)
    assert after[: len(before)] == before


async def test_only_new_partners_leave_what_exists_as_it_is() -> None:
    program_id = await make_regions()
    await upsert_partners(program_id=program_id, partners=[shop("top"), shop(parent="top")], now=NOW)
    query = "SELECT xmin::text, * FROM partner WHERE program_id = $1 ORDER BY id"
    before = await rows(query, program_id)
    outbox = await outbox_of(program_id)
    changed = shop(name="Other", kind=PartnerKind.AGENT, region="bali", status=PartnerStatus.CLOSED)
    found = await upsert_partners(
        program_id=program_id,
        partners=[changed, shop("low", parent="new"), shop("new", parent="shop")],
        now=NOW,
        only_new=True,
    )
    assert [(row.code, row.name, row.region, row.parent, row.status) for row in found] == [
        ("shop", "Shop", "java", "top", PartnerStatus.ACTIVE),
        ("low", "Low", "java", "new", PartnerStatus.ACTIVE),
        ("new", "New", "java", "shop", PartnerStatus.ACTIVE),
    ]
    assert (await rows(query, program_id))[: len(before)] == before
    assert await outbox_of(program_id) == outbox


async def test_of_only_new_partners_the_one_that_is_wrong_is_named_by_its_place() -> None:
    program_id = await make_regions()
    await upsert_partners(program_id=program_id, partners=[shop()], now=NOW)
    call = upsert_partners(
        program_id=program_id, partners=[shop(), shop("new", region="moon")], now=NOW, only_new=True
    )
    assert await refused(call, program_id=program_id) == ("UNKNOWN_REGION", ("partners", "1", "region"))
