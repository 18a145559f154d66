"""What comes back: which lines of which activities a RETURN takes, and how much of each is left. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from activity.rules import RETURN, ZERO, Activity, ActivityInput, Line, Refusal, Share, unpack
from base.numbers import plain


@dataclass(slots=True)
class Original:
    """An activity that can be taken back, and what is left of it."""

    activity: Activity
    left: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Quantity and amount left, by line."""
    stands: bool = True
    """False once all of it came back."""

    @classmethod
    def of(cls, activity: Activity) -> "Original":
        """An activity that nothing has been taken back of."""
        return cls(activity, {line.number: (line.quantity, line.amount) for line in activity.lines})

    def take(self, taken: Sequence[Line]) -> list[Share]:
        """Record that `taken` came back, lines that reverse this activity's; none takes one without lines whole.

        Returns what counts of each line of the activity before and after.
        """
        before, after = self.left, dict(self.left)
        for line in taken:
            assert line.reverses is not None
            quantity, amount = after[line.reverses[1]]
            after[line.reverses[1]] = remains(quantity - line.quantity, amount - line.amount)
        self.left = after
        self.stands = any(quantity > 0 for quantity, _ in after.values())
        return [Share(line, *before[line.number], *after[line.number]) for line in self.activity.lines]


def remains(quantity: Decimal, amount: Decimal) -> tuple[Decimal, Decimal]:
    """What counts of a line of which so much did not come back.

    Without quantity no amount: goods that came back count for nothing, and a fee that the source keeps is no sale.
    """
    return quantity, amount if quantity else ZERO


def references(given: ActivityInput) -> list[tuple[str, str]]:
    """The (source, external id) of every activity that a RETURN names."""
    if given.reverses is not None:
        return [(given.source, given.reverses)]
    return [
        (line.reverses.source or given.source, line.reverses.external_id)
        for line in given.lines
        if line.reverses
    ]


def resolve_return(
    given: ActivityInput, *, partner_id: int, originals: Mapping[tuple[str, str], Original]
) -> tuple[Line, ...] | Refusal:
    """The lines that a RETURN takes back, never more than is left of each.

    One in packs is of packs as they were when the line was sold; what is left is in the product's own unit.
    Another partner's activity answers as one that does not exist.
    """

    def find(source: str, external_id: str, path: tuple[str, ...]) -> Original | Refusal:
        original = originals.get((source, external_id))
        if original is None or original.activity.partner_id != partner_id:
            return Refusal("UNKNOWN_ACTIVITY", f"the partner has no activity {external_id} of {source}", path)
        if original.activity.kind == RETURN:
            return Refusal("NOT_REVERSIBLE", "a RETURN cannot be taken back", path)
        if original.activity.occurred_at > given.occurred_at:
            return Refusal("RETURN_BEFORE_SALE", "it comes back before it was sold", ("occurredAt",))
        return original

    if given.reverses is not None:
        original = find(given.source, given.reverses, ("reverses",))
        if isinstance(original, Refusal):
            return original
        if not original.stands:
            return Refusal("NOTHING_LEFT", f"all of {given.reverses} came back before", ("reverses",))
        left = [(line, *original.left[line.number]) for line in original.activity.lines]
        return tuple(
            Line(number, line.product, quantity, amount, (original.activity.id, line.number))
            for number, (line, quantity, amount) in enumerate((row for row in left if row[1] > 0), start=1)
        )

    taken: dict[tuple[int, int], tuple[Decimal, Decimal]] = {}
    lines = []
    for index, line in enumerate(given.lines):
        assert line.reverses is not None, "check_return saw to it"
        path = ("lines", str(index))
        original = find(line.reverses.source or given.source, line.reverses.external_id, (*path, "reverses"))
        if isinstance(original, Refusal):
            return original
        place = line.reverses.line
        if place not in original.left:
            return Refusal("UNKNOWN_LINE", f"it has no line {place}", (*path, "reverses", "line"))
        sold = original.activity.lines[place - 1]
        if sold.product.sku != line.sku:
            return Refusal("WRONG_SKU", f"line {place} is of {sold.product.sku}", (*path, "sku"))
        unpacked = unpack(line, sold.product, path)
        if isinstance(unpacked, Refusal):
            return unpacked
        returned, pack = unpacked
        key = (original.activity.id, place)
        already = taken.get(key, (ZERO, ZERO))
        quantity, amount = (already[0] + returned, already[1] + line.amount)
        left_quantity, left_amount = original.left[place]
        if quantity > left_quantity:
            message = f"{plain(left_quantity)} {sold.product.unit} of it are left"
            return Refusal("MORE_THAN_LEFT", message, (*path, "quantity"))
        if amount > left_amount:
            return Refusal("MORE_THAN_LEFT", f"{plain(left_amount)} of its amount is left", (*path, "amount"))
        taken[key] = (quantity, amount)
        lines.append(Line(index + 1, sold.product, returned, line.amount, key, pack))
    return tuple(lines)
