"""Which tier the meters of all periods have earned."""

from decimal import Decimal

import pytest

from loyalty.tiers.periods import Qualification
from loyalty.tiers.rules import Ladder, Tier, decide
from metrics.windows import Period

LADDER = Ladder(
    1,
    tuple(
        Tier(key, key, level, Decimal(threshold), Decimal(1))
        for level, (key, threshold) in enumerate((("bronze", 0), ("silver", 100), ("gold", 500)))
    ),
    Qualification(Period.MONTHLY),
)


@pytest.mark.parametrize(
    ("values", "tier"),
    [
        ([], "bronze"),
        (["99.9999"], "bronze"),
        (["100"], "silver"),
        (["499.9999", "20"], "silver"),
        (["0", "500", "100"], "gold"),
        (["300", "300"], "silver"),
    ],
)
def test_the_best_period_decides(values: list[str], tier: str) -> None:
    assert decide(LADDER, map(Decimal, values)).key == tier
