"""Whether a partner was in a mission's audience when something was decided: by its tier then, or by what was told.

On which tier a partner was follows from the history of its tier. Its kind, region and segments of then are not kept:
a mission that asks for them took those in of whom the journal tells that they completed it.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from base.database import Connection
from game.missions.rules import Completion, Mission, reward_key
from ops.audit.past import Happening
from partners.rules import Audience

# The changes of partners' tiers, and what made each.
TURNS: Final = """
SELECT c.partner_id, c.from_tier, c.to_tier, t.activity_id, t.posted_at, split_part(t.key, '/', 1) AS cause
FROM tier_change c JOIN ledger_transaction t ON t.program_id = c.program_id AND t.id = c.transaction_id
WHERE c.program_id = $1 AND c.partner_id = ANY($2::bigint[]) ORDER BY c.id
"""
TIERS: Final = """
SELECT p.id, t.key FROM partner p LEFT JOIN tier_standing s ON s.program_id = p.program_id AND s.partner_id = p.id
JOIN tier t ON t.program_id = p.program_id AND t.level = coalesce(s.level, 0)
WHERE p.program_id = $1 AND p.id = ANY($2::bigint[])
"""
# The missions that activities completed, as their facts tell.
TOLD: Final = """
SELECT t.activity_id, f ->> 'mission' AS mission
FROM activity a JOIN ledger_transaction t ON t.program_id = a.program_id AND t.activity_id = a.id
CROSS JOIN LATERAL json_array_elements(t.facts) AS f
WHERE a.program_id = $1 AND a.partner_id = ANY($2::bigint[]) AND f ->> 'type' = 'MissionCompleted'
"""


class Turn(NamedTuple):
    """A change of a partner's tier, and what made it: an activity, or else `tier`, `review` or `override`, and when."""

    before: str
    after: str
    activity_id: int | None
    posted_at: datetime
    cause: str


class Paid(NamedTuple):
    """What set a completion off that was paid: an activity, or a review where there is none; and when."""

    activity_id: int | None
    posted_at: datetime


@dataclass(slots=True)
class TierTurns:
    """A partner's tier, as what happens is gone through."""

    tier: str | None
    turns: Sequence[Turn]
    _place: int = 0

    @classmethod
    def of(cls, present: str | None, turns: Sequence[Turn]) -> "TierTurns":
        """From the first tier on; one that never moved is on the present one."""
        return cls(turns[0].before if turns else present, turns)

    @property
    def is_sure(self) -> bool:
        """Whether each change was met with on the way."""
        return self._place == len(self.turns)

    def catch_up(self, one: Happening) -> None:
        """Before it: the reviews that were due, which were made with it."""
        while (turn := self._next) is not None and turn.cause == "tier" and turn.posted_at == one.at:
            self._turn(turn)

    def follow(self, one: Happening) -> None:
        """After it: what it changed itself."""
        while (turn := self._next) is not None and _is_of(turn, one):
            self._turn(turn)
            if turn.cause == "override":
                break  # there may be another one at the same instant

    @property
    def _next(self) -> Turn | None:
        return None if self.is_sure else self.turns[self._place]

    def _turn(self, turn: Turn) -> None:
        self.tier = turn.after
        self._place += 1


def _is_of(turn: Turn, one: Happening) -> bool:
    if one.activity is not None:
        return turn.activity_id == one.activity.id
    cause = "override" if one.review is None else "review"
    return turn.activity_id is None and (turn.cause, turn.posted_at) == (cause, one.at)


@dataclass(frozen=True, slots=True)
class Admission:
    """What tells whether a partner was in audiences: its code, and what is kept of its completions."""

    partner_id: int
    code: str
    told: Mapping[int, frozenset[str]]
    """By activity, the keys of the missions that it completed."""
    told_at: Set[tuple[str, datetime]]
    """The same missions, with when that was."""
    stored: Mapping[int, Completion]
    paid: Mapping[str, Paid]
    pays: frozenset[int]
    """The missions that pay points: each of their completions is in `paid`, by its key."""

    def admits(
        self, audience: Audience, mission: Mission, one: Happening, *, tier: str | None
    ) -> bool | None:
        """Whether the partner was in it there; None where it cannot be told."""
        if (audience.tiers and tier not in audience.tiers) or (
            audience.partners and self.code not in audience.partners
        ):
            return False
        if is_kept(audience):
            return True
        if one.activity is not None:
            return mission.key in self.told.get(one.activity.id, ())
        completion = self.stored.get(mission.id)
        if completion is None:
            return False
        if mission.id in self.pays:
            keys = (reward_key(mission.id, self.partner_id, n) for n in range(1, completion.n + 1))
            return Paid(None, one.at) in [self.paid.get(key) for key in keys]
        if completion.n > 1 or (mission.key, one.at) in self.told_at:
            return None
        return completion.completed_at == one.at


def is_kept(audience: Audience) -> bool:
    """Whether it can be told who was in it at any time: by which partner it is, and on which tier."""
    return not (audience.kinds or audience.regions or audience.segments)


async def load_turns(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, TierTurns]:
    """The tiers of these partners, from the first on."""
    present = {row["id"]: row["key"] for row in await connection.fetch(TIERS, program_id, partner_ids)}
    turns: dict[int, list[Turn]] = {id_: [] for id_ in partner_ids}
    for partner_id, *turn in await connection.fetch(TURNS, program_id, partner_ids):
        turns[partner_id].append(Turn(*turn))
    return {id_: TierTurns.of(present.get(id_), found) for id_, found in turns.items()}


async def load_told(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, frozenset[str]]:
    """By activity of these partners, the keys of the missions that it completed."""
    told: dict[int, set[str]] = {}
    for activity_id, mission in await connection.fetch(TOLD, program_id, partner_ids):
        told.setdefault(activity_id, set()).add(mission)
    return {activity_id: frozenset(missions) for activity_id, missions in told.items()}
