"""When a mission is completed, when a completion is undone, and what a partner hears of it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from game.badges.rules import Badge
from game.missions.rules import Completion, Mission, Objective, Progress, Verdict, judge, reward_key
from metrics.rules import Measure, MeterKey, Metric, Series
from metrics.windows import Period, WindowSpec
from partners.rules import Audience
from tests.rules.pieces import AT, SHOP

SPEC = WindowSpec(Period.FIXED, None, AT - timedelta(days=30), AT + timedelta(days=30))
AMOUNT, SALES = (
    Objective(key, Series(id_, Metric(id_, key, frozenset(), Measure.AMOUNT), SPEC), Decimal(target))
    for id_, key, target in ((1, "amount", 100), (2, "sales", 3))
)
MISSION = Mission(5, "m", 1, Audience(), (AMOUNT, SALES), 50, (), AT, None)
GOLD = replace(MISSION, audience=Audience(tiers=frozenset({"gold"})))

Change = tuple[int, int]


def decide(
    mission: Mission, amount: Change, sales: Change, completion: Completion | None = None
) -> Progress | None:
    """What becomes of it when the two meters go from … to …."""
    keys: tuple[MeterKey, MeterKey] = (AMOUNT.meter(SHOP.id), SALES.meter(SHOP.id))
    before, current = (
        {key: Decimal(change[place]) for key, change in zip(keys, (amount, sales), strict=True)}
        for place in (0, 1)
    )
    return judge(
        mission, partner=SHOP, completion=completion, before=before, current=current.__getitem__, now=AT
    )


def completed(*, revoked: bool = False) -> Completion:
    return Completion(MISSION.id, SHOP.id, 1, AT, AT if revoked else None)


@pytest.mark.parametrize(
    ("amount", "sales", "verdict", "told"),
    [
        ((0, 50), (0, 1), Verdict.MOVED, ["amount", "sales"]),
        ((50, 50), (1, 2), Verdict.MOVED, ["sales"]),
        (
            (120, 150),
            (1, 2),
            Verdict.MOVED,
            ["sales"],
        ),  # beyond its target nobody wants to hear of the amount
        ((90, 100), (3, 3), Verdict.COMPLETED, ["amount"]),
        ((50, 120), (2, 3), Verdict.COMPLETED, ["amount", "sales"]),
        ((50, 20), (2, 1), Verdict.MOVED, ["amount", "sales"]),
    ],
)
def test_on_the_way(amount: Change, sales: Change, verdict: Verdict, told: list[str]) -> None:
    found = decide(MISSION, amount, sales)
    assert found is not None
    assert found.verdict is verdict
    assert [one.objective.key for one in found.advances] == told


def test_what_did_not_move_is_nothing_to_tell() -> None:
    assert decide(MISSION, (50, 50), (1, 1)) is None
    assert decide(MISSION, (150, 160), (1, 1)) is None


def test_a_completion_stands_until_an_objective_falls_below_its_target() -> None:
    assert decide(MISSION, (150, 100), (5, 3), completed()) is None
    found = decide(MISSION, (150, 99), (5, 3), completed())
    assert found is not None
    assert found.verdict is Verdict.REVOKED


def test_it_can_be_completed_again() -> None:
    found = decide(MISSION, (99, 100), (3, 3), completed(revoked=True))
    assert found is not None
    assert found.verdict is Verdict.COMPLETED
    assert reward_key(5, 7, 1) != reward_key(5, 7, 2)


def test_the_audience_lets_in_but_does_not_put_out() -> None:
    assert decide(GOLD, (0, 200), (0, 5)) is None
    found = decide(GOLD, (150, 99), (5, 3), completed())
    assert found is not None
    assert found.verdict is Verdict.REVOKED


def test_a_watcher_that_begins_late_completes_although_nothing_moves() -> None:
    found = decide(MISSION, (150, 150), (5, 5))
    assert found is not None
    assert found.verdict is Verdict.COMPLETED


def test_what_comes_back_completes_nothing() -> None:
    found = decide(MISSION, (200, 150), (5, 5))
    assert found is None
    below = decide(MISSION, (200, 99), (5, 5))
    assert below is not None
    assert below.verdict is Verdict.MOVED


@pytest.mark.parametrize("completion", [None, completed(), completed(revoked=True)])
def test_an_ended_mission_moves_no_more_and_says_so(completion: Completion | None) -> None:
    ended = replace(MISSION, ended_at=AT)
    amount, sales = ((150, 0), (5, 0)) if completion and completion.stands else ((0, 150), (0, 5))
    assert decide(ended, amount, sales, completion) == Progress(Verdict.TOO_LATE, ())


@pytest.mark.parametrize(
    ("value", "level"), [("0", 0), ("1.99", 0), ("2", 1), ("4.5", 1), ("5", 2), ("99", 2)]
)
def test_levels_of_a_badge(value: str, level: int) -> None:
    badge = Badge(1, "seller", None, (Decimal(2), Decimal(5)))
    assert badge.levels_at(Decimal(value)) == level
