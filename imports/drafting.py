"""New rows into activities: which lines each row makes, and what a returned one takes back. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from activity.rules import MAX_LINES, LineInput, Product, Refusal, unpack
from base.numbers import plain
from imports.documents import Draft, Drafting
from imports.matching import NEWEST, Missing, SoldLine, SoldLines
from imports.rows import Refused, SalesRow


def draft_rows(
    rows: Iterable[SalesRow],
    drafting: Drafting,
    *,
    source: str,
    products: Mapping[str, Product],
    sold: SoldLines,
    latest: datetime,
) -> tuple[list[Draft], list[Refused]]:
    """The activities that the rows make, and the rows that cannot be of one: nothing happens after `latest`.

    `sold` is what was left of earlier sales; what the rows sell and take back moves it.
    """
    wrong: list[Refused] = []
    for row in rows:
        if row.occurred_at > latest:
            message = f"{row.occurred_at:%Y-%m-%d %H:%M} UTC lies in the future"
            wrong.append(Refused(row.raw, "FUTURE_DATE", message))
            continue
        product = products.get(row.sku)
        if product is None:
            wrong.append(Refused(row.raw, "UNKNOWN_SKU", f"there is no product {row.sku}"))
            continue
        given = LineInput(row.sku, row.quantity, row.amount, row.unit)
        unpacked = unpack(given, product, ())
        if isinstance(unpacked, Refusal):
            wrong.append(Refused(row.raw, unpacked.code, unpacked.message))
            continue
        draft = drafting.place(row)
        if not row.is_return:
            draft.add(row, [given])
            sold.add((row.partner, row.sku), [_sold(draft, source, product, unpacked[0], row)])
            continue
        lines = _match(row, source, draft.occurred_at, sold)
        if isinstance(lines, Refused):
            wrong.append(lines)
        else:
            drafting.place(row, len(lines)).add(row, lines)
    return [draft for draft in drafting.drafts if draft.rows], wrong


def _sold(draft: Draft, source: str, product: Product, quantity: Decimal, row: SalesRow) -> SoldLine:
    """The draft's last line, as one that a later row may take back."""
    return SoldLine(
        source,
        draft.external_id,
        len(draft.lines),
        draft.occurred_at,
        NEWEST,
        quantity,
        row.amount,
        product.packs,
        document=row.document,
    )


def _match(row: SalesRow, source: str, occurred_at: datetime, sold: SoldLines) -> list[LineInput] | Refused:
    """What a returned row takes back."""
    lines = sold.take(
        (row.partner, row.sku),
        quantity=row.quantity,
        unit=row.unit,
        amount=row.amount,
        occurred_at=occurred_at,
        document=(source, row.sale) if row.sale else None,
    )
    if isinstance(lines, Missing):
        return _missing(row, lines)
    if len(lines) > MAX_LINES:
        message = f"it takes back lines of more than {MAX_LINES:,} sales"
        return Refused(row.raw, "TOO_MANY_LINES", message)
    return lines


def _missing(row: SalesRow, missing: Missing) -> Refused:
    """Why a return is refused of which too little is left."""
    if not missing.left:
        where = f"in {row.sale}" if row.sale else "before"
        message = f"{row.partner} bought no {row.sku} {where} that is left"
        return Refused(row.raw, "RETURN_WITHOUT_SALE", message)
    message = f"{plain(row.quantity)} came back, of earlier sales {plain(missing.left)} left"
    return Refused(row.raw, "MORE_THAN_LEFT", message)
