"""Segments are upserted: what they hold moves with its partners, and only these."""

from dataclasses import replace
from typing import Any

import pytest

from base.database import reading
from partners.inputs import PartnerKind
from partners.membership import LINEAGE, meets
from partners.queries import load_regions, load_views
from partners.segments import MOST_SEGMENTS, SegmentInput, SegmentRow, load_segments, upsert_segments
from partners.service import PartnerInput, RegionInput, upsert_partners, upsert_regions
from tests.services.programs import (
    NOW,
    Refusal,
    config_version,
    counted_statements,
    make_program,
    refused,
    rows,
    value,
)

pytestmark = pytest.mark.usefixtures("database")

TIERS = ("bronze", "gold")
REGIONS = [RegionInput("java", "Java"), RegionInput("jkt", "Jakarta", "java"), RegionInput("bali", "Bali")]
MODERN = SegmentInput(
    "modern", "Modern trade", regions=["java"], attributes={"stars": [5, 4], "channel": "MT"}
)


def shop(code: str, region: str = "jkt", **attributes: Any) -> PartnerInput:
    return PartnerInput(code, code.title(), PartnerKind.RETAILER, region, attributes=attributes)


async def make() -> int:
    program_id = (await make_program()).id
    await upsert_regions(program_id=program_id, regions=REGIONS)
    await change(
        program_id,
        shop("a", channel="MT", stars=5),
        shop("b", channel="GT", stars=5),
        shop("c", channel="MT", stars=3),
        shop("d", region="bali", channel="MT", stars=5),
    )
    return program_id


async def change(program_id: int, *partners: PartnerInput) -> None:
    await upsert_partners(program_id=program_id, partners=partners, now=NOW)


async def upsert(program_id: int, *segments: SegmentInput) -> list[SegmentRow]:
    return await upsert_segments(program_id=program_id, segments=segments, tiers=TIERS)


async def versions(program_id: int) -> dict[str, int]:
    return {
        row["code"]: row["version"]
        for row in await rows("SELECT code, version FROM partner WHERE program_id = $1", program_id)
    }


async def moved(program_id: int, *segments: SegmentInput) -> str:
    """The partners whose versions an upsert raises, and whose boards it tells of them: the same."""
    before = await versions(program_id)
    last = await value("SELECT coalesce(max(id), 0) FROM outbox WHERE program_id = $1", program_id)
    await upsert(program_id, *segments)
    after = await versions(program_id)
    raised = {code for code in after if after[code] != before[code]}
    told = await rows(
        "SELECT p.code FROM outbox o JOIN partner p ON p.program_id = $1 AND p.id = ANY(o.partner_ids)"
        " WHERE o.program_id = $1 AND o.id > $2",
        program_id,
        last,
    )
    assert raised == {row["code"] for row in told}
    return "".join(sorted(raised))


async def test_segments_are_answered_as_they_are_stored() -> None:
    program_id = await make()
    golden = SegmentInput("golden", "Golden", [PartnerKind.AGENT], tiers=["gold"], partners=["b", "a"])
    made = await upsert(program_id, MODERN, golden, SegmentInput("all", "Everybody"))
    assert made == [
        SegmentRow(
            "modern",
            "Modern trade",
            {"regions": ["java"], "attributes": {"channel": ["MT"], "stars": [4, 5]}},
        ),
        SegmentRow("golden", "Golden", {"kinds": ["AGENT"], "tiers": ["gold"], "partners": ["a", "b"]}),
        SegmentRow("all", "Everybody", {}),
    ]


async def test_the_same_segments_again_change_nothing() -> None:
    program_id = await make()
    await upsert(program_id, MODERN)
    before = await rows("SELECT xmin::text, * FROM segment WHERE program_id = $1", program_id)
    version = await config_version(program_id)
    again = replace(MODERN, attributes={"channel": ["MT"], "stars": [4, 5.0]})
    assert await moved(program_id, again) == ""
    assert await rows("SELECT xmin::text, * FROM segment WHERE program_id = $1", program_id) == before
    assert await config_version(program_id) == version


async def test_another_filter_moves_whoever_enters_or_leaves() -> None:
    program_id = await make()
    version: Any = await config_version(program_id)
    assert await moved(program_id, MODERN) == ""  # nothing names it yet
    assert await moved(program_id, replace(MODERN, name="Modern")) == ""
    assert await moved(program_id, replace(MODERN, attributes={"channel": "GT"})) == "ab"
    assert await moved(program_id, replace(MODERN, attributes={"channel": ["GT", "MT"]})) == "ac"
    assert await moved(program_id, replace(MODERN, attributes={"channel": ["GT", "MT"]}, regions=[])) == "d"
    assert await moved(program_id, SegmentInput("modern", "Modern", regions=["bali"])) == "abc"
    # Who stands on which tier is not asked here.
    assert await moved(program_id, SegmentInput("modern", "Modern", regions=["bali"], tiers=["gold"])) == "d"
    assert await moved(program_id, SegmentInput("modern", "Modern", partners=["b"], tiers=["gold"])) == "bd"
    assert await config_version(program_id) == version + 8


async def test_a_partners_attribute_moves_it_where_a_segment_asks_for_it() -> None:
    program_id = await make()
    await upsert(program_id, MODERN)
    before = await versions(program_id)
    version: Any = await config_version(program_id)
    await change(
        program_id,
        shop("a", channel="MT", stars=5, owner="Ani"),  # nothing asks who owns it
        shop("b", channel="MT", stars=5),
        shop("c", channel="MT", stars=3.0),  # the same number
        shop("d", region="bali", channel="MT"),
    )
    after = await versions(program_id)
    assert {code for code in after if after[code] != before[code]} == {"b", "d"}
    assert await config_version(program_id) == version + 1
    [(told,)] = await rows("SELECT partner_ids FROM outbox WHERE program_id = $1", program_id)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("segments", "refusal"),
    [
        ([replace(MODERN, key=" ")], ("INVALID_CODE", ("segments", "0", "key"))),
        ([replace(MODERN, name="")], ("INVALID_NAME", ("segments", "0", "name"))),
        ([MODERN, MODERN], ("DUPLICATE", ("segments", "1", "key"))),
        ([replace(MODERN, regions=["x"])], ("UNKNOWN_REGION", ("segments", "0", "filter", "regions", "0"))),
        (
            [replace(MODERN, partners=["x"])],
            ("UNKNOWN_PARTNER", ("segments", "0", "filter", "partners", "0")),
        ),
        ([replace(MODERN, tiers=["iron"])], ("UNKNOWN_TIER", ("segments", "0", "filter", "tiers", "0"))),
        (
            [MODERN, replace(MODERN, key="x", attributes={"a": [1, None]})],
            ("INVALID_ATTRIBUTES", ("segments", "1", "filter", "attributes", "a", "1")),
        ),
        (
            [replace(MODERN, key=f"s{number}") for number in range(MOST_SEGMENTS + 1)],
            ("TOO_MANY", ("segments",)),
        ),
        ([replace(MODERN, key=f"s{number}") for number in range(MOST_SEGMENTS)], ("TOO_MANY", ("segments",))),
    ],
)
async def test_wrong_segments_are_refused(segments: list[SegmentInput], refusal: Refusal) -> None:
    program_id = await make()
    await upsert(program_id, SegmentInput("first", "The first"))
    assert await refused(upsert(program_id, *segments), program_id=program_id) == refusal


async def test_another_programs_segments_are_its_own() -> None:
    program_id, other = await make(), await make()
    await upsert(program_id, MODERN)
    before = await versions(other)
    await upsert(other, MODERN)
    assert await moved(program_id, replace(MODERN, attributes={})) == "bc"
    assert await versions(other) == before


async def test_many_segments_cost_as_many_statements_as_one() -> None:
    counts = []
    for count in (1, 100):
        program_id = await make()
        many = [replace(MODERN, key=f"s{number}") for number in range(count)]
        async with counted_statements() as sent:
            await upsert(program_id, *many)
            await upsert(program_id, *(replace(one, regions=["bali"]) for one in many))
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= 24


ALIKE = ["GT", "5", "true", "", 5, 5.0, 0.5, -0.0, 0, 1, True, False, 2**53 + 1, float(2**53), 1e300]
HELD = [*ALIKE, None, ["GT"], [5], [], {}, {"GT": 5}, ["GT", 5]]
IN_SQL = f"""{LINEAGE}
SELECT p.code, s.key FROM partner p JOIN lineage l ON l.region_id = p.region_id
JOIN segment s ON s.program_id = $1 WHERE p.program_id = $1 AND {meets("s.filter")}
"""


async def test_sql_compares_attributes_as_the_rules_do() -> None:
    program_id = await make()
    await change(program_id, *(shop(f"p{place}", x=value) for place, value in enumerate(HELD)))
    asked = [[value] for value in ALIKE] + [["GT", 5, True], [0, "5", 1e300]]
    segments = [
        SegmentInput(f"s{place}", "S", attributes={"x": values}) for place, values in enumerate(asked)
    ]
    await upsert(program_id, *segments)
    ids = [row["id"] for row in await rows("SELECT id FROM partner WHERE program_id = $1", program_id)]
    async with reading() as connection:
        regions = await load_regions(connection, program_id)
        compiled = await load_segments(connection, program_id=program_id)
        views = await load_views(
            connection, program_id=program_id, partner_ids=ids, regions=regions, segments=compiled, tiers={}
        )
    decided = {(view.code, key) for view in views.values() for key in view.segments}
    assert {tuple(row) for row in await rows(IN_SQL, program_id)} == decided
    assert len({code for code, _ in decided}) == len(ALIKE)
