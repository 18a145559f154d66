"""What the "Online Retail" file comes to, reckoned from the file alone: nothing of Mitra is used here.

A row is an exact repeat, or it is refused for the first reason that holds, or it counts. A return takes back the newest
earlier sales of its customer and product; what is dearer than it was sold takes back no more than was paid, and goods
that came back whole leave no amount behind.
"""

import csv
import gzip
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path

NO_PRODUCTS = re.compile(r"POST|DOT|M|D|C2|S|BANK CHARGES|AMAZONFEE|CRUK|B|GIFT_.*")
CENTS = Decimal("0.0001")


@dataclass
class Sold:
    """A line that was sold: what is left of it."""

    invoice: str
    quantity: int
    amount: Decimal


@dataclass
class Totals:
    """What the file comes to. `net` is quantity and amount left, by customer."""

    rows: int = 0
    recorded: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    invoices: set[str] = field(default_factory=set)
    credit_notes: set[str] = field(default_factory=set)
    split: int = 0
    """Returned rows that take back more than one invoice."""
    net: dict[str, tuple[int, Decimal]] = field(default_factory=dict)


def reckon(path: Path) -> Totals:
    """Read the file once, top to bottom."""
    totals = Totals()
    seen: set[tuple[object, ...]] = set()
    sold: defaultdict[tuple[str, str], list[Sold]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            totals.rows += 1
            cells = tuple(cell.strip() for cell in row.values())
            invoice, code, _, quantity, instant, price, customer, _ = cells
            code, customer = code.upper(), customer.removesuffix(".0")
            counted = (invoice, code, quantity, instant, Decimal(price), customer)
            reason = look_at(invoice, code, int(quantity), Decimal(price), customer)
            if reason:
                totals.refused[reason] += 1
                continue
            # A repeat of a row that was refused is refused again.
            if counted in seen:
                totals.duplicates += 1
                continue
            amount = (Decimal(price) * abs(int(quantity))).quantize(CENTS, ROUND_HALF_EVEN)
            if invoice.startswith("C"):
                reason = take_back(sold[customer, code], -int(quantity), amount, totals)
                if reason:
                    totals.refused[reason] += 1
                    continue
                totals.credit_notes.add(invoice)
            else:
                sold[customer, code].append(Sold(invoice, int(quantity), amount))
                totals.invoices.add(invoice)
            seen.add(counted)
            totals.recorded += 1
    for (customer, _), lines in ((goods, lines) for goods, lines in sold.items() if lines):
        pieces, paid = totals.net.get(customer, (0, Decimal(0)))
        pieces += sum(line.quantity for line in lines)
        paid += sum((line.amount for line in lines), Decimal(0))
        totals.net[customer] = (pieces, paid)
    return totals


def look_at(invoice: str, code: str, quantity: int, price: Decimal, customer: str) -> str | None:
    """Why a row cannot count, whatever was sold before."""
    if not customer:
        return "NO_PARTNER"
    if NO_PRODUCTS.fullmatch(code):
        return "NO_PRODUCT"
    if quantity == 0 or (quantity < 0 and not invoice.startswith("C")):
        return "INVALID_QUANTITY"
    if price < 0:
        return "INVALID_AMOUNT"
    return None


def take_back(lines: list[Sold], quantity: int, amount: Decimal, totals: Totals) -> str | None:
    """Take a return off the newest lines, or say why not."""
    left = sum(line.quantity for line in lines)
    if not left:
        return "RETURN_WITHOUT_SALE"
    if left < quantity:
        return "MORE_THAN_LEFT"
    invoices = set()
    for line in reversed(lines):
        if quantity and line.quantity:
            taken = min(quantity, line.quantity)
            share = (amount * taken / quantity).quantize(CENTS, ROUND_DOWN) if taken < quantity else amount
            share = min(share, line.amount)
            line.quantity -= taken
            line.amount = line.amount - share if line.quantity else Decimal(0)
            quantity, amount = quantity - taken, amount - share
            invoices.add(line.invoice)
    totals.split += len(invoices) > 1
    return None
