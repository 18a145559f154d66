"""Work that goes round: who fails keeps no other waiting."""

import pytest

from base.rounds import go_round


async def test_all_have_their_turn_and_what_failed_is_told() -> None:
    done = []

    async def work(number: int) -> None:
        done.append(number)
        if number % 2:
            raise ValueError(str(number))

    with pytest.raises(ValueError, match="1"):
        await go_round([1, 2], work)
    with pytest.raises(ExceptionGroup) as caught:
        await go_round([1, 2, 3], work)
    assert [str(error) for error in caught.value.exceptions] == ["1", "3"]
    assert done == [1, 2, 1, 2, 3]


async def test_an_outage_ends_the_round() -> None:
    done = []

    async def work(number: int) -> None:
        done.append(number)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await go_round([1, 2], work)
    assert done == [1]
