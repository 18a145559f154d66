"""What must not matter: how a sequence is cut into batches, how partners take turns, and how often it is sent."""

from collections.abc import Callable, Sequence
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.rules import RETURN, ActivityInput
from game.review import review_program
from tests.invariants import check_audit, check_invariants
from tests.properties.playing import Play, compare, in_thread, profile
from tests.properties.setting import SETTING, ZONES, add_partners, make_setting, watch
from tests.world import Balance, World

pytestmark = pytest.mark.usefixtures("database")

Wait = Callable[[Any], Any]
numbers = count()


def open_play(wait: Wait, data: st.DataObject, *worlds: World) -> Play:
    """Shops that no other example knows, in these worlds."""
    name = f"e{next(numbers)}"
    zones = ZONES[: data.draw(st.integers(1, 3), label="shops")]
    play = Play({f"{name}-{zone}": zone for zone in zones}, name)
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
    whole, cut = await make_setting(), await make_setting()

    def run(wait: Wait) -> None:
        @profile(examples=10)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            play = open_play(wait, data, whole, cut)
            activities = [play.draw(data) for _ in range(data.draw(st.integers(2, 25)))]
            wait(whole.accept(*activities))
            for batch in draw_batches(data, activities):
                wait(cut.accept(*batch))
            assert wait(whole.everything(play.shops)) == wait(cut.everything(play.shops))
            wait(compare(whole, play))

        check()

    await in_thread(run)
    await check_invariants(whole.program_id)
    await check_invariants(cut.program_id)
    await check_audit(cut.program_id)


async def test_any_interleaving_of_partners_gives_the_same() -> None:
    one, other = await make_setting(), await make_setting()

    def run(wait: Wait) -> None:
        @profile(examples=8)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
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
    world = await make_setting()

    def run(wait: Wait) -> None:
        @profile(examples=8)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
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

        check()

    await in_thread(run)


async def test_what_came_and_went_leaves_nothing() -> None:
    """Where nothing was spent meanwhile."""
    world = await make_setting()

    def run(wait: Wait) -> None:
        @profile(examples=10)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
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

        check()

    await in_thread(run)
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def assert_nothing_left(world: World, play: Play) -> None:
    """Nothing but the traces."""
    got = await world.everything(play.shops)
    for code in play.shops:
        wallet = await world.wallet(code)
        assert (wallet.available, wallet.debt) == (Balance().available, Balance().debt)
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
                reached = shop.completions[key].by is not None
                assert completions.get(key, (0, False))[1] == reached, (code, key)
        badges = await world.badges(code)
        assert {one for one in badges if one[0] != "rich"} == {
            one for one in shop.badges() if one[0] != "rich"
        }


def test_a_return_is_among_what_is_drawn() -> None:
    """The properties above would be idle without."""
    found: set[str] = set()

    @profile(examples=20)
    @given(data=st.data())
    def draw(data: st.DataObject) -> None:
        play = Play({"a": "UTC"})
        returns = [one for one in (play.draw(data) for _ in range(9)) if one.kind == RETURN]
        found.update("part" if one.lines else "whole" for one in returns)
        found.update("packs" for one in returns for line in one.lines if line.unit not in (None, "EA"))

    draw()
    assert found == {"part", "whole", "packs"}
