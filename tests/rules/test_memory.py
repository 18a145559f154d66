"""The collector lets batches grow, and watches over everything else."""

import gc
from collections.abc import Iterator

import pytest

from base.memory import BATCH, THRESHOLDS, batch_in_hand


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


def test_it_waits_for_the_last_batch_in_hand() -> None:
    first, second = batch_in_hand(), batch_in_hand()
    with first:
        second.__enter__()
        assert gc.get_threshold() == BATCH
    assert gc.get_threshold() == BATCH
    second.__exit__(None, None, None)
    assert gc.get_threshold() == THRESHOLDS


def test_a_batch_that_fails_is_not_in_hand_any_more() -> None:
    with pytest.raises(ZeroDivisionError), batch_in_hand():
        raise ZeroDivisionError
    assert gc.get_threshold() == THRESHOLDS
