"""Who stands on a board: SQL, the projection, the final standings and the rules in Python say the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import base.redis
from base.database import reading
from leaderboards.board import RedisRanking
from leaderboards.queries import BoardView, list_seasons
from leaderboards.rebuild import rebuild
from leaderboards.rules import GRACE, Grouping, Place, percentile, places, scaled, unscaled
from leaderboards.seasons import advance_program
from leaderboards.standings import FinalRanking, LiveRanking
from loyalty.tiers.queries import tier_keys
from metrics.rules import Measure
from partners.attributes import write_value
from partners.audiences import AudienceInput
from partners.inputs import PartnerKind
from partners.queries import load_regions, load_views
from partners.segments import SegmentInput, load_segments, upsert_segments
from tests.services.leaderboards.scenes import Scene, make_scene, relay

KINDS = ["RETAILER", "AGENT"]
REGIONS = ["ID", "JAVA", "JKT", "BALI"]
TIERS = ["bronze", "silver"]
SEGMENTS = ["first", "second"]
NAMES = ["channel", "stars"]
SCALARS = st.sampled_from(["GT", "5", "true", 5, 5.0, 0.5, True, False, 1, 0])
CODES = [f"p{number}" for number in range(6)]
VALUES = st.sampled_from(
    ["0", "0.0004", "0.001", "1", "1.0005", "1.0009", "2.5", "9007199254740", "9999999999999.5"]
)

partners = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "region": st.sampled_from(REGIONS),
        "status": st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "SUSPENDED", "CLOSED"]),
        "tier": st.integers(0, 1),
        "value": VALUES,
        "attributes": st.dictionaries(
            st.sampled_from(NAMES), SCALARS | st.lists(SCALARS, max_size=1) | st.none(), max_size=2
        ),
    }
)
segments = st.builds(
    SegmentInput,
    key=st.sampled_from(SEGMENTS),
    name=st.just("A segment"),
    partner_kinds=st.lists(st.sampled_from([PartnerKind(kind) for kind in KINDS]), max_size=1),
    regions=st.lists(st.sampled_from(REGIONS), max_size=1),
    tiers=st.lists(st.sampled_from(TIERS), max_size=1),
    partners=st.lists(st.sampled_from(CODES), max_size=4, unique=True),
    attributes=st.dictionaries(
        st.sampled_from(NAMES), st.lists(SCALARS, min_size=1, max_size=3, unique_by=write_value), max_size=2
    ),
)
audiences = st.builds(
    AudienceInput,
    partner_kinds=st.lists(st.sampled_from([PartnerKind(kind) for kind in KINDS]), max_size=1),
    regions=st.lists(st.sampled_from(REGIONS), max_size=2, unique=True),
    tiers=st.lists(st.sampled_from(TIERS), max_size=1),
    partners=st.lists(st.sampled_from(CODES), max_size=4, unique=True),
    segments=st.lists(st.sampled_from(SEGMENTS), max_size=2, unique=True),
)


async def expected(
    scene: Scene, view: BoardView, values: dict[int, tuple[Decimal, datetime]]
) -> dict[str, list[Place]]:
    """Every group's places, by the rules in Python."""
    async with reading() as connection:
        tiers = await tier_keys(connection, program_id=scene.program_id, partner_ids=list(values))
        views = await load_views(
            connection, program_id=scene.program_id, partner_ids=list(values),
            regions=await load_regions(connection, scene.program_id),
            segments=await load_segments(connection, program_id=scene.program_id), tiers=tiers,
        )  # fmt: skip
    groups: dict[str, list[tuple[int, datetime, int]]] = {}
    for partner in views.values():
        value, reached_at = values[partner.id]
        points = scaled(value, view.board.scale)
        if points and partner.status == "ACTIVE" and view.board.audience.admits(partner):
            names = {
                Grouping.NONE: [],
                Grouping.REGION: sorted(partner.regions),
                Grouping.TIER: [partner.tier or ""],
            }
            for name in ["", *names[view.board.group_by]]:
                groups.setdefault(name, []).append((-points, reached_at, partner.id))
    found = {}
    for name, rows in groups.items():
        rows.sort()
        ranks = [1 + sum(other[0] < row[0] for other in rows) for row in rows]
        found[name] = [
            Place(
                id_, name, rank, index + 1, unscaled(-negated, view.board.scale), reached_at,
                percentile(rank, len(rows)),
            )
            for index, (rank, (negated, reached_at, id_)) in enumerate(zip(ranks, rows, strict=True))
        ]  # fmt: skip
    return found


async def read(
    ranking: RedisRanking | LiveRanking | FinalRanking, groups: list[str]
) -> dict[str, list[Place]]:
    found = {}
    for group in groups:
        part = await ranking.part(group, start=0, count=100)
        assert part is not None
        if part.entries:
            found[group] = places(part, group)
    return found


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(partners, min_size=len(CODES), max_size=len(CODES)),
    st.lists(segments, min_size=2, max_size=2, unique_by=lambda one: one.key),
    st.lists(segments, max_size=2, unique_by=lambda one: one.key),
    audiences,
    st.sampled_from(list(Grouping)),
    st.sampled_from([Measure.AMOUNT, Measure.COUNT]),
)
async def test_all_say_the_same(
    boards: base.redis.Client,
    drawn: list[dict[str, Any]],
    at_first: list[SegmentInput],
    then: list[SegmentInput],
    audience: AudienceInput,
    group_by: Grouping,
    measure: Measure,
) -> None:
    scene = await make_scene()
    for code, one in zip(CODES, drawn, strict=True):
        await scene.add_partner(code, region=one["region"], kind=one["kind"], attributes=one["attributes"])
    plain = await scene.add_board("plain", measure=measure)
    await scene.set_tiers(*TIERS)
    await upsert_segments(program_id=scene.program_id, segments=at_first, tiers=TIERS)
    view = await scene.add_board(measure=measure, audience=audience, group_by=group_by)
    at = datetime(2026, 11, 3, tzinfo=UTC)
    await rebuild(view)
    await scene.count(plain, {code: one["value"] for code, one in zip(CODES, drawn, strict=True)}, at=at)
    for code, one in zip(CODES, drawn, strict=True):
        await scene.set_tier(code, one["tier"])
        await scene.change(code, status=one["status"])
    await relay(scene)
    await upsert_segments(program_id=scene.program_id, segments=then, tiers=TIERS)
    await relay(scene)
    values = {
        scene.partners[code]: (Decimal(one["value"]), at + timedelta(minutes=minute))
        for minute, (code, one) in enumerate(zip(CODES, drawn, strict=True))
    }
    model = await expected(scene, view, values)
    groups = ["", *REGIONS, *TIERS]
    of_partner = {
        id_: [place for name in sorted(model) for place in model[name] if place.partner_id == id_]
        for id_ in values
    }

    view = await scene.view()
    async with reading() as connection:
        live = LiveRanking(connection, view.board, view.season)
        assert await read(live, groups) == model
        for id_, mine in of_partner.items():
            assert await live.places(id_) == mine
            near = await live.around("", partner_id=id_, span=1)
            at_ = next((place.position - 1 for place in mine if place.group == ""), None)
            whole = model.get("", [])
            assert places(near, "") == ([] if at_ is None else whole[max(0, at_ - 1) : at_ + 2])
    assert await read(RedisRanking(boards, view.board, view.season), groups) == model
    await rebuild(view)
    view = await scene.view()
    assert await read(RedisRanking(boards, view.board, view.season), groups) == model

    await advance_program(scene.program_id, datetime(2026, 12, 1, tzinfo=UTC) + GRACE)
    async with reading() as connection:
        final = FinalRanking(connection, view.board, (await list_seasons(connection, view.board))[-1])
        assert await read(final, groups) == model
        for id_, mine in of_partner.items():
            assert await final.places(id_) == mine
