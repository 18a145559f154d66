"""What must not matter: how a sequence is cut into batches, how partners take turns, and how often it is sent."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.rules import RETURN, ActivityInput
from game.review import review_program
from tests.invariants import check_audit, check_invariants
from tests.properties.earning_model import usage
from tests.properties.making import add_partners, change, make_setting, watch
from tests.properties.playing import BUDGETS, Play, compare, in_thread, profile, some_zones
from tests.properties.setting import SETTING
from tests.world import World

pytestmark = pytest.mark.usefixtures("database")

Wait = Callable[[Any], Any]


def open_play(wait: Wait, data: st.DataObject, *worlds: World) -> Play:
    """Shops in these worlds, of which nobody has heard before."""
    play = Play({zone: zone for zone in data.draw(some_zones, label="shops")})
    for world in worlds:
        wait(add_partners(world, play.zones))
    return play


def draw_batches(data: st.DataObject, activities: Sequence[ActivityInput]) -> list[Sequence[ActivityInput]]:
    """The sequence, cut somewhere."""
    cuts = data.draw(st.sets(st.integers(1, max(1, len(activities) - 1)), max_size=6), label="cuts")
    return [
        activities[start:end]
        for start, end in pairwise(sorted({0, *cuts, len(activities)}))
        if activities[start:end]
    ]


async def test_any_batching_gives_the_same() -> None:
    """Before rules change and time passes, and after."""

    def run(wait: Wait) -> None:
        @profile(examples=8)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            worlds = whole, cut = wait(make_setting()), wait(make_setting())
            play = open_play(wait, data, *worlds)
            for turn in range(2):
                if turn:
                    alter(wait, data, play, worlds)
                activities = [play.draw(data) for _ in range(data.draw(st.integers(1, 15)))]
                wait(whole.accept(*activities))
                for batch in draw_batches(data, activities):
                    wait(cut.accept(*batch))
            assert wait(whole.everything(play.shops)) == wait(cut.everything(play.shops))
            wait(compare(whole, play))
            wait(compare(cut, play))
            wait(check_invariants(cut.program_id))
            wait(check_audit(cut.program_id))

        check()

    await in_thread(run)


def alter(wait: Wait, data: st.DataObject, play: Play, worlds: Sequence[World]) -> None:
    """Rules change, time passes, and whatever is due waits for who needs it."""
    for _ in range(data.draw(st.integers(0, 3), label="changes")):
        key, rule, since = play.change(data)
        for world in worlds:
            wait(change(world, key, rule, since))
    hours = data.draw(st.sampled_from([0, 30, 24 * 6]), label="hours")
    now = play.pass_time(hours, settle=False)
    for world in worlds:
        world.clock.set(now)


async def test_any_interleaving_of_partners_gives_the_same() -> None:
    """Where they share no budget."""

    def run(wait: Wait) -> None:
        @profile(examples=8)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            one, other = (wait(make_setting(has_budgets=False)) for _ in range(2))
            play = open_play(wait, data, one, other)
            activities = [play.draw(data) for _ in range(data.draw(st.integers(2, 20)))]
            queues = {code: [each for each in activities if each.partner == code] for code in play.shops}
            turns = data.draw(st.permutations([each.partner for each in activities]), label="turns")
            shuffled = [queues[code].pop(0) for code in turns]
            for world, sequence in ((one, activities), (other, shuffled)):
                for batch in draw_batches(data, sequence):
                    wait(world.accept(*batch))
            assert wait(one.everything(play.shops)) == wait(other.everything(play.shops))

        check()

    await in_thread(run)


async def test_recorded_twice_is_recorded_once() -> None:
    def run(wait: Wait) -> None:
        @profile(examples=8)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            world = wait(make_setting())
            play = open_play(wait, data, world)
            activities = [play.draw(data) for _ in range(data.draw(st.integers(1, 15)))]
            first = [one for batch in draw_batches(data, activities) for one in wait(world.accept(*batch))]
            after = wait(world.everything(play.shops))
            again = [one for batch in draw_batches(data, activities) for one in wait(world.record(*batch))]
            assert {one.status for one in again} == {"DUPLICATE"}
            assert [(one.activity_id, list(one.facts)) for one in again] == [
                (one.activity_id, list(one.facts)) for one in first
            ]
            assert wait(world.everything(play.shops)) == after
            wait(compare(world, play))

        check()

    await in_thread(run)


async def test_what_came_and_went_leaves_nothing() -> None:
    """Where nothing was spent meanwhile."""

    def run(wait: Wait) -> None:
        @profile(examples=10)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            world = wait(make_setting())
            play = open_play(wait, data, world)
            activities = [play.draw(data) for _ in range(data.draw(st.integers(1, 15)))]
            for code, shop in play.shops.items():
                left = [ref for ref in shop.deeds if shop.can_return(ref)]
                for ref in data.draw(st.permutations(left), label="in this order"):
                    activities.append(play.take_back_whole(code, ref))
            for batch in draw_batches(data, activities):
                wait(world.accept(*batch))
            wait(compare(world, play))
            wait(assert_nothing_left(world, play))
            wait(check_invariants(world.program_id))
            wait(check_audit(world.program_id))

        check()

    await in_thread(run)


async def assert_nothing_left(world: World, play: Play) -> None:
    """Nothing but the traces."""
    got = await world.everything(play.shops)
    assert got["usage"] == []
    assert not any(row["spent"] for row in await world.rows(BUDGETS))
    for code in play.shops:
        wallet = await world.wallet(code)
        assert (wallet.available, wallet.pending, wallet.debt) == (0, 0, 0)
        assert await world.tier(code) == 0
        assert await world.badges(code) == set()
        assert not any(stands for _, stands in (await world.completions(code)).values())
        assert {row[1:3]: row[6] for row in got["meters"] if row[0] == code and row[6]} == {}


async def test_watchers_that_begin_late_catch_up() -> None:
    """Badges and missions over what had been sold before; and all of it can still be taken back."""

    def run(wait: Wait) -> None:
        @profile(examples=6)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            world = wait(make_setting(watched=False))
            play = open_play(wait, data, world)
            early = [play.draw(data) for _ in range(data.draw(st.integers(1, 15)))]
            wait(world.accept(*early))
            wait(watch(world))
            between = [play.draw(data) for _ in range(data.draw(st.integers(0, 4)))]
            if between:
                wait(world.accept(*between))
            wait(review_program(world.program_id, world.clock))
            wait(assert_caught_up(world, play))
            back = [
                play.take_back_whole(code, ref)
                for code, shop in play.shops.items()
                for ref in list(shop.deeds)
                if shop.can_return(ref)
            ]
            if back:
                wait(world.accept(*back))
            wait(assert_caught_up(world, play))
            wait(assert_nothing_left(world, play))

        check()

    await in_thread(run)


async def assert_caught_up(world: World, play: Play) -> None:
    """What does not depend on when a reward was paid is as the model has it, and the audit agrees with the rest."""
    await check_invariants(world.program_id)
    await check_audit(world.program_id)
    got = await world.everything(play.shops)
    for code, shop in play.shops.items():
        expected = shop.meters()
        meters = {(row[1], row[2], row[5]): row[6] for row in got["meters"] if row[0] == code}
        for window in meters.keys() | expected.keys():
            if window[0] != "points":
                assert meters.get(window, 0) == expected.get(window, (0,))[0], (code, window)
        completions = await world.completions(code)
        for key, mission in SETTING.missions.items():
            if mission.tier is None:
                reached = shop.completions[key].paid is not None
                assert completions.get(key, (0, False))[1] == reached, (code, key)
        badges = await world.badges(code)
        assert {one for one in badges if one[0] != "rich"} == {
            one for one in shop.badges() if one[0] != "rich"
        }


def test_all_that_matters_is_among_what_is_drawn() -> None:
    """The properties above would be idle without: returns of all kinds; and every rule pays, up to each limit."""
    found: set[str] = set()

    @profile(examples=30)
    @given(data=st.data())
    def draw(data: st.DataObject) -> None:
        play = Play({"a": "UTC", "b": "America/New_York"})
        returns = [one for one in (play.draw(data) for _ in range(15)) if one.kind == RETURN]
        found.update("part" if one.lines else "whole" for one in returns)
        found.update("packs" for one in returns for line in one.lines if line.unit not in (None, "EA"))
        found.update(limits_of(play))

    draw()
    limits = {f"{key} {per}" for key, rule in SETTING.rules.items() for per in rule.caps}
    limits |= {f"{key} budget" for key, rule in SETTING.rules.items() if rule.budget}
    limits |= {f"{key} nth" for key, rule in SETTING.rules.items() if rule.nth}
    assert found == {"part", "whole", "packs", *SETTING.rules, *limits}


def limits_of(play: Play) -> Iterator[str]:
    """The rules that paid, and what was used up: caps and budgets; and where a purchase was not the one."""
    for key, rule in SETTING.rules.items():
        if rule.budget is not None and play.program.rules.spent(key) == rule.budget:
            yield f"{key} budget"
        for shop in play.shops.values():
            used = usage(shop.deeds, key).items()
            yield from (f"{key} {per}" for (per, _), (points, _) in used if rule.caps.get(per) == points)
            for deed in shop.deeds.values():
                paid = [one.lot.granted for one in deed.grants if one.key == key]
                yield from (key for _ in paid)
                yield from (f"{key} ACTIVITY" for points in paid if rule.caps.get("ACTIVITY") == points)
                yield from (f"{key} nth" for name, _ in deed.numbered if name == key and not paid)
