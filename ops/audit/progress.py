"""Progress, replayed: missions and badges decided again for each partner come to what is stored.

Page by page of partners, each page a snapshot. Whether a partner was in an audience is decided again where that goes by
tiers or partners; what else it was then is not kept: there the journal's own facts say that it was in, and the rest is
proved all the same, that the objectives were at their targets when it completed, and that it went when they fell.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from base.database import Connection, snapshot
from base.ids import Ids
from game.badges.rules import Award
from game.loading import AWARDS, COMPLETIONS, check_version
from game.missions.rules import Completion, reward_key
from game.state import PartnerState, State
from loyalty.ledger.books import MOST
from loyalty.ledger.service import build_books
from metrics.meters import Meters
from ops.audit.audiences import Admission, Paid, TierTurns, load_told, load_turns
from ops.audit.check import Check, Finding
from ops.audit.deciding import Replay, Watching, load_watching
from ops.audit.paging import begun_anew, read_pages
from ops.audit.past import Past, load_pasts
from partners.rules import PartnerView

REWARDS: Final = """
SELECT key, activity_id, posted_at FROM ledger_transaction WHERE program_id = $1 AND key = ANY($2::text[])
"""
# Partners whose wallet may once have had no room for a reward of $3: a completion waited for it, perhaps.
FULL: Final = """
SELECT partner_id FROM lot WHERE program_id = $1 AND partner_id = ANY($2::bigint[]) AND unit = 'POINT'
GROUP BY partner_id HAVING sum(granted) + $3 > $4
"""


@dataclass(slots=True)
class Stored:
    """What is kept of a page of partners."""

    completions: dict[int, dict[int, Completion]]
    awards: dict[int, dict[tuple[int, int], Award]]
    paid: Mapping[str, Paid]
    told: Mapping[int, frozenset[str]]
    turns: Mapping[int, TierTurns]
    full: Set[int]


@dataclass(slots=True)
class LeftOut:
    """How often it cannot be decided again."""

    older: int = 0
    """Partners whose activities were decided before it was kept by which configuration."""
    unsure: int = 0
    """Missions of partners of whom it cannot be told whether they were in the audience."""


async def look_at_progress(program_id: int) -> Finding:
    """Decide all missions and badges of every partner again."""
    async with snapshot() as connection:
        watching = await load_watching(connection, program_id)

    async def read(connection: Connection, partner_ids: list[int]) -> tuple[Sequence[Past], Stored]:
        await check_version(connection, watching.plan)
        pasts = await load_pasts(
            connection, program_id=program_id, partner_ids=partner_ids, with_points=watching.with_points
        )
        return pasts, await _load_stored(connection, watching, partner_ids)

    found, left_out = Finding(0, 0), LeftOut()
    async for pasts, stored in read_pages(program_id, read):
        for past in pasts:
            if any(one.activity is not None and not one.activity.config_version for one in past.happenings):
                left_out.older += 1
            else:
                looked, wrong = _look_at(watching, past, stored, left_out)
                found = found.add(looked, wrong)
    return replace(found, note="; ".join(_notes(watching, left_out)))


def _notes(watching: Watching, left_out: LeftOut) -> Iterator[str]:
    if watching.left_out:
        yield f"left out: {watching.left_out:,} missions and badges whose past is still being gone through"
    if left_out.older:
        yield f"left out: {left_out.older:,} partners with activities from before their configuration was kept"
    if left_out.unsure:
        yield f"left out: {left_out.unsure:,} times a mission of which it is not kept what it was decided on"
    if by_facts := sum(not one.is_sure for one in watching.missions):
        yield f"{by_facts:,} missions have an audience by what is not kept: who was in is taken from the facts"


async def _load_stored(connection: Connection, watching: Watching, partner_ids: Sequence[int]) -> Stored:
    program_id = watching.plan.program_id
    completions: dict[int, dict[int, Completion]] = {id_: {} for id_ in partner_ids}
    for row in await connection.fetch(COMPLETIONS, program_id, partner_ids):
        completions[row["partner_id"]][row["mission_id"]] = Completion(*row)
    awards: dict[int, dict[tuple[int, int], Award]] = {id_: {} for id_ in partner_ids}
    for row in await connection.fetch(AWARDS, program_id, partner_ids):
        awards[row["partner_id"]][row["badge_id"], row["level"]] = Award(*row)
    keys = [
        reward_key(one.mission_id, one.partner_id, n)
        for of_partner in completions.values()
        for one in of_partner.values()
        for n in range(1, one.n + 1)
    ]
    return Stored(
        completions,
        awards,
        {key: Paid(*paid) for key, *paid in await connection.fetch(REWARDS, program_id, keys)},
        await load_told(connection, program_id=program_id, partner_ids=partner_ids)
        if any(not one.is_sure for one in watching.missions)
        else {},
        await load_turns(connection, program_id=program_id, partner_ids=partner_ids)
        if any(one.audience.tiers for one in watching.missions)
        else {},
        {row[0] for row in await connection.fetch(FULL, program_id, partner_ids, watching.most, MOST)},
    )


def _look_at(watching: Watching, past: Past, stored: Stored, left_out: LeftOut) -> tuple[int, list[str]]:
    """Decide all of a partner's again, and compare: how much was looked at, and what is wrong."""
    partner_id = past.partner_id
    completions, awards = stored.completions[partner_id], stored.awards[partner_id]
    told_at = {
        (mission, one.at)
        for one in past.happenings
        if one.activity is not None
        for mission in stored.told.get(one.activity.id, ())
    }
    admission = Admission(
        partner_id, past.code, stored.told, told_at, completions, stored.paid, watching.pays
    )
    turns = stored.turns.get(partner_id) or TierTurns(None, ())
    replay = Replay(watching, past, admission, turns, _begin(watching, past))
    replay.go()
    if partner_id in stored.full:
        replay.unsure |= watching.pays
    missions = {one.mission.id for one in watching.missions if one.mission is not None} - replay.unsure
    decided = {id_: one for (id_, _), one in replay.state.completions.items() if id_ in missions}
    kept = {id_: one for id_, one in completions.items() if id_ in missions}
    badges = {one.badge.id for one in watching.badges if one.badge is not None}
    badges |= {id_ for one in watching.plan.missions.values() for id_ in one.badges}
    badges -= {id_ for one in watching.plan.missions.values() if one.id not in missions for id_ in one.badges}
    awarded = {key[1:]: one for key, one in replay.state.awards.items() if key[1] in badges}
    given = {key: one for key, one in awards.items() if key[0] in badges}
    wrong = [
        *_compare_completions(watching, past.code, kept, decided),
        *_compare_rewards(watching, past.code, stored.paid, replay.paid, decided),
        *_compare_awards(watching, past.code, given, awarded),
    ]
    looked = len(kept.keys() | decided.keys()) + len(given.keys() | awarded.keys())
    left_out.unsure += len(replay.unsure)
    return looked, wrong


def _begin(watching: Watching, past: Past) -> State:
    """A state with nothing in it yet."""
    view = PartnerView(
        id=past.partner_id,
        code=past.code,
        name="",
        kind="",
        region="",
        regions=frozenset(),
        tier=None,
        status="",
        time_zone=past.calendar.time_zone,
        locale="",
    )
    partner = PartnerState(view, 0, 0, past.created_at, None)
    return State(
        plan=watching.plan,
        ids=Ids([]),
        partners={past.partner_id: partner},
        meters=Meters(watching.counting.series),
        books=build_books(()),
        standings={},
        completions={},
        awards={},
    )


def _compare_completions(
    watching: Watching, code: str, stored: Mapping[int, Completion], decided: Mapping[int, Completion]
) -> Iterator[str]:
    for id_ in sorted(stored.keys() | decided.keys()):
        was, is_ = (_completion(one.get(id_)) for one in (stored, decided))
        if was != is_:
            yield f"mission {watching.plan.missions[id_].key} partner {code}: {was}, not {is_}"


def _compare_rewards(
    watching: Watching,
    code: str,
    stored: Mapping[str, Paid],
    decided: Mapping[str, Paid],
    completions: Mapping[int, Completion],
) -> Iterator[str]:
    for id_, one in sorted(completions.items()):
        if id_ not in watching.pays:
            continue
        for n in range(1, one.n + 1):
            key = reward_key(id_, one.partner_id, n)
            if stored.get(key) != decided[key]:
                mission = watching.plan.missions[id_].key
                yield f"mission {mission} partner {code}: what it paid the {n}th time was not set off then"


def _compare_awards(
    watching: Watching,
    code: str,
    stored: Mapping[tuple[int, int], Award],
    decided: Mapping[tuple[int, int], Award],
) -> Iterator[str]:
    for key in sorted(stored.keys() | decided.keys()):
        was, is_ = (_award(one.get(key)) for one in (stored, decided))
        if was != is_:
            yield f"badge {watching.plan.badges[key[0]].key} level {key[1]} partner {code}: {was}, not {is_}"


def _completion(one: Completion | None) -> str:
    return "none" if one is None else f"{one.n} {_since(one.completed_at, one.revoked_at)}"


def _award(one: Award | None) -> str:
    return "none" if one is None else _since(one.awarded_at, one.revoked_at)


def _since(begun_at: datetime, revoked_at: datetime | None) -> str:
    return f"since {begun_at}" if revoked_at is None else f"since {begun_at} until {revoked_at}"


PROGRESS: Final = Check(
    "progress replayed",
    "decided again in the order of acceptance, each mission was completed and each badge awarded when they were",
    begun_anew(look_at_progress),
)
