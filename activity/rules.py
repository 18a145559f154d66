"""What an activity is, and what makes one unacceptable. Pure.

Quantities and amounts are exact decimals. A RETURN's are positive too: they say how much of an earlier line comes back.
A quantity may be reported in packs of the product; in the journal it is in the product's own unit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from base.numbers import EXACT, plain
from partners.attributes import Attribute

SALE: Final = "SALE"
RETURN: Final = "RETURN"
KINDS: Final = (SALE, RETURN, "RECEIPT", "TRAINING", "VISIT")

MAX_ACTIVITIES: Final = 1_000
MAX_LINES: Final = 1_000
MAX_TEXT: Final = 200
MAX_NUMBER: Final = Decimal(10) ** 12
QUANTITY_STEP: Final = Decimal("0.000001")
AMOUNT_STEP: Final = Decimal("0.0001")
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far ahead of ours a sender's clock may run before its activity lies in the future."""
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Nothing occurred before: what is dated so was never dated, and years before 1 have no local date."""
NUL: Final = re.compile(r"(?<!\\)(\\\\)*\\u0000")
"""A NUL in JSON; a backslash before `u0000` in the text itself is fine."""

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class LineReference:
    """A line of an earlier activity; without a source, of the return's own."""

    external_id: str
    line: int
    source: str | None = None


@dataclass(frozen=True, slots=True)
class LineInput:
    """A line as a source reported it."""

    sku: str
    quantity: Decimal
    amount: Decimal
    unit: str | None = None
    reverses: LineReference | None = None


@dataclass(frozen=True, slots=True)
class ActivityInput:
    """An activity as a source reported it. (source, external_id) is its idempotency key."""

    source: str
    external_id: str
    kind: str
    partner: str
    occurred_at: datetime
    lines: Sequence[LineInput] = ()
    currency: str | None = None
    reverses: str | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it was when it counted. `packs`: by the pack's name, how much of `unit` it holds. `attributes`: what
    conditions may ask for, as `partners.attributes` reads it."""

    id: int
    sku: str
    category: str | None
    brand: str | None
    unit: str
    packs: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    attributes: frozenset[Attribute] = frozenset()


class Packed(NamedTuple):
    """A quantity in packs of a product, as it was reported."""

    unit: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the journal. `number` counts from 1; `reverses` is (activity id, line).

    `quantity` is in the product's own unit. Where it was reported in packs, `pack` says in which and how many.
    """

    number: int
    product: Product
    quantity: Decimal
    amount: Decimal
    reverses: tuple[int, int] | None = None
    pack: Packed | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity of the journal. `number` is dense per partner: the order of acceptance."""

    id: int
    partner_id: int
    number: int
    kind: str
    source: str
    external_id: str
    occurred_at: datetime
    posted_at: datetime
    recorded_at: datetime
    local_date: date
    time_zone: str
    currency: str
    lines: tuple[Line, ...]
    reverses_id: int | None = None
    attributes: Mapping[str, Any] | None = None
    config_version: int = 0
    """The program's configuration that decided it."""


class Share(NamedTuple):
    """How much of a line counts, before and after something happened to it."""

    line: Line
    quantity_before: Decimal
    amount_before: Decimal
    quantity_after: Decimal
    amount_after: Decimal


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one activity was not taken; nothing of it is kept."""

    code: str
    message: str
    field: tuple[str, ...] = ()


def payload_hash(given: ActivityInput) -> bytes:
    """A digest of all that was sent, the same for equal numbers and instants however they were written."""
    payload: list[Any] = [
        given.kind,
        given.partner,
        given.occurred_at.astimezone(UTC).isoformat(),
        given.currency,
        given.reverses,
        given.attributes,
        [
            [
                line.sku,
                plain(line.quantity),
                plain(line.amount),
                line.unit,
                line.reverses and [line.reverses.source, line.reverses.external_id, line.reverses.line],
            ]
            for line in given.lines
        ],
    ]
    return blake2b(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def check(given: ActivityInput, *, kinds: frozenset[str], currency: str, now: datetime) -> Refusal | None:
    """What is wrong with the input by itself; None where nothing is."""
    for name, text in (("source", given.source), ("externalId", given.external_id)):
        if not text or len(text) > MAX_TEXT:
            return Refusal("INVALID_TEXT", f"{name} must have 1 to {MAX_TEXT} characters", (name,))
    for path, found in texts(given):
        if found is not None and not is_storable(found):
            return Refusal("INVALID_TEXT", "it holds characters that are no text", path)
    if given.kind not in kinds:
        return Refusal("UNKNOWN_KIND", f"there is no activity kind {given.kind}", ("kind",))
    if given.currency is not None and given.currency != currency:
        return Refusal("UNKNOWN_CURRENCY", f"the program's currency is {currency}", ("currency",))
    if given.occurred_at > now + CLOCK_SKEW:
        return Refusal("FUTURE_DATE", "occurredAt lies in the future", ("occurredAt",))
    if given.occurred_at < EARLIEST:
        return Refusal("INVALID_DATE", f"occurredAt lies before {EARLIEST.year}", ("occurredAt",))
    if len(given.lines) > MAX_LINES:
        return Refusal("TOO_MANY_LINES", f"an activity has {MAX_LINES} lines at most", ("lines",))
    if given.attributes is not None and (refusal := check_attributes(given.attributes)):
        return refusal
    if given.kind == RETURN:
        return check_return(given)
    if given.reverses is not None:
        return Refusal("NOT_A_RETURN", "only a RETURN reverses an activity", ("reverses",))
    return next(
        (refusal for refusal in map(check_line, range(len(given.lines)), given.lines) if refusal), None
    )


def texts(given: ActivityInput) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Every text but the attributes', with its path."""
    yield ("source",), given.source
    yield ("externalId",), given.external_id
    yield ("partner",), given.partner
    yield ("reverses",), given.reverses
    for index, line in enumerate(given.lines):
        yield ("lines", str(index), "sku"), line.sku
        yield ("lines", str(index), "unit"), line.unit
        if line.reverses is not None:
            yield ("lines", str(index), "reverses", "source"), line.reverses.source
            yield ("lines", str(index), "reverses", "externalId"), line.reverses.external_id


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can keep it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def check_attributes(attributes: Mapping[str, Any]) -> Refusal | None:
    """Attributes are JSON that PostgreSQL can keep."""
    try:
        stored = orjson.dumps(attributes).decode()
    except TypeError:
        return Refusal("INVALID_ATTRIBUTES", "attributes must be a JSON object", ("attributes",))
    if NUL.search(stored):
        return Refusal("INVALID_TEXT", "attributes hold a NUL character", ("attributes",))
    return None


def check_return(given: ActivityInput) -> Refusal | None:
    """A RETURN names a whole activity, or a line for each of its own."""
    if given.reverses is not None:
        if given.lines:
            return Refusal(
                "RETURN_WITH_BOTH", "give `reverses` for the whole, or lines for parts", ("lines",)
            )
        return None
    if not given.lines:
        return Refusal("RETURN_WITHOUT_SALE", "say what comes back: `reverses`, or lines", ("reverses",))
    for index, line in enumerate(given.lines):
        if line.reverses is None:
            path = ("lines", str(index), "reverses")
            return Refusal("RETURN_WITHOUT_SALE", "say which line this one takes back", path)
        if refusal := check_line(index, line, returned=True):
            return refusal
    return None


def check_line(index: int, line: LineInput, *, returned: bool = False) -> Refusal | None:
    """What is wrong with a line by itself."""
    path = ("lines", str(index))
    if not line.quantity.is_finite() or not 0 < line.quantity < MAX_NUMBER:
        return Refusal(
            "INVALID_QUANTITY", f"quantity must be above 0, and below {MAX_NUMBER:,}", (*path, "quantity")
        )
    if line.quantity % QUANTITY_STEP:
        return Refusal("INVALID_QUANTITY", "quantity has six decimals at most", (*path, "quantity"))
    if not line.amount.is_finite() or not 0 <= line.amount < MAX_NUMBER:
        return Refusal(
            "INVALID_AMOUNT", f"amount must be 0 or above, and below {MAX_NUMBER:,}", (*path, "amount")
        )
    if line.amount % AMOUNT_STEP:
        return Refusal("INVALID_AMOUNT", "amount has four decimals at most", (*path, "amount"))
    if line.reverses is not None and not returned:
        return Refusal("NOT_A_RETURN", "only a RETURN reverses a line", (*path, "reverses"))
    return None


def resolve_lines(given: ActivityInput, products: Mapping[str, Product]) -> tuple[Line, ...] | Refusal:
    """The lines with their products, in these products' own units, or what is wrong with the first that has neither."""
    lines = []
    for index, line in enumerate(given.lines):
        product = products.get(line.sku)
        if product is None:
            return Refusal("UNKNOWN_SKU", f"there is no product {line.sku}", ("lines", str(index), "sku"))
        unpacked = unpack(line, product, ("lines", str(index)))
        if isinstance(unpacked, Refusal):
            return unpacked
        quantity, pack = unpacked
        lines.append(Line(index + 1, product, quantity, line.amount, pack=pack))
    return tuple(lines)


def unpack(
    line: LineInput, product: Product, path: tuple[str, ...]
) -> tuple[Decimal, Packed | None] | Refusal:
    """How much of the product's own unit a line is of, and the packs that it came in, where it did."""
    if line.unit is None or line.unit == product.unit:
        return line.quantity, None
    held = product.packs.get(line.unit)
    if held is None:
        message = f"{product.sku} is counted in {', '.join((product.unit, *product.packs))}"
        return Refusal("UNKNOWN_UNIT", message, (*path, "unit"))
    quantity = EXACT.multiply(line.quantity, held)
    if quantity >= MAX_NUMBER or EXACT.remainder(quantity, QUANTITY_STEP):
        counted = f"{plain(line.quantity)} {line.unit} would be {plain(quantity)} {product.unit}"
        message = f"{counted}: quantity is below 10^12 and has six decimals at most"
        return Refusal("INVALID_QUANTITY", message, (*path, "quantity"))
    return quantity, Packed(line.unit, line.quantity)
